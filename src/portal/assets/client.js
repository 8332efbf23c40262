// On the panel's pages: renews the session before it expires, once across all tabs, and shows what this session may do
// here. Nothing of the panel is changed or wrapped, and nothing here is needed for anything to work.
(() => {
  "use strict";
  panel();

  function panel() {
    if (window.top !== window || window.gateClient) return;
    window.gateClient = true;
    const tabs = "BroadcastChannel" in window ? new BroadcastChannel("gate") : null;
    let session = null, read = 0, renewAt = Infinity, timer = 0, bar = null, hidden = false, failures = 0;

    const call = (url, options) =>
      fetch(url, { credentials: "same-origin", cache: "no-store", redirect: "error", headers: { accept: "application/json" }, ...options });

    async function look() {
      const answer = await call("/_gate/api/v1/session?path=" + encodeURIComponent(location.pathname)).catch(() => null);
      if (!answer) return again(30000);
      if (answer.status === 401) {
        const problem = await answer.json().catch(() => ({}));
        if (problem.refresh_url) return renew();
        session = null;
        return show();
      }
      if (!answer.ok) return again(30000);
      session = await answer.json();
      read = Date.now();
      failures = 0;
      plan(session.renew_in_ms);
      show();
    }

    function plan(wait) {
      renewAt = wait == null ? Infinity : Date.now() + wait;
      schedule();
    }

    // Timers stand still in sleeping machines and are slowed in hidden tabs, so it is the clock that decides.
    function schedule() {
      clearTimeout(timer);
      if (renewAt !== Infinity) timer = setTimeout(due, Math.min(Math.max(renewAt - Date.now(), 250), 60000));
    }

    function due() {
      if (Date.now() >= renewAt) renew();
      else schedule();
    }

    function again(wait) {
      clearTimeout(timer);
      timer = setTimeout(look, Math.min(wait * 2 ** failures++, 600000));
    }

    // One tab renews; the others wait until it has, and look at what came of it.
    async function renew() {
      renewAt = Infinity;
      clearTimeout(timer);
      if (!navigator.locks) return turn();
      const mine = await navigator.locks.request("gate-renewal", { ifAvailable: true }, async (lock) => {
        if (lock) await turn();
        return Boolean(lock);
      });
      if (mine) return;
      await navigator.locks.request("gate-renewal", () => {});
      look();
    }

    async function turn() {
      const answer = await call("/_gate/refresh", {
        method: "POST",
        headers: { accept: "application/json", "content-type": "application/json" },
        body: "{}",
      }).catch(() => null);
      if (answer && answer.ok) {
        const renewed = await answer.json();
        tabs?.postMessage({ renew_in_ms: renewed.renew_in_ms });
        await look();
      } else if (answer && answer.status === 401) {
        tabs?.postMessage({ ended: true });
        ended();
      } else {
        again(5000);
      }
    }

    function ended() {
      session = null;
      renewAt = Infinity;
      clearTimeout(timer);
      show();
    }

    function wake() {
      if (document.visibilityState !== "visible") return;
      if (Date.now() >= renewAt) renew();
      else if (Date.now() - read > 5000) look();
    }

    function show() {
      const page = session && session.page;
      const left = session && session.elevated_for_ms ? session.elevated_for_ms - (Date.now() - read) : 0;
      const verified = left > 0;
      const more = page && page.access !== page.after_step_up && session.second_factor;
      if (hidden || !session || !(verified || more)) {
        bar?.host.remove();
        bar = null;
        return;
      }
      bar ??= build();
      if (!bar) return;
      const words = session.words;
      const text = verified ? words.verified.replace("{time}", clock(left)) : words.read_only;
      // Read out when the state changes, not at every second of the countdown.
      bar.line.setAttribute("aria-live", verified ? "off" : "polite");
      if (bar.text.textContent !== text) bar.text.textContent = text;
      bar.link.hidden = verified;
      bar.link.textContent = words.verify;
      bar.link.href = (page && page.step_up_url) || "#";
      bar.close.setAttribute("aria-label", words.close);
      bar.close.title = words.close;
      clearTimeout(bar.tick);
      if (verified) bar.tick = setTimeout(() => (left > 1000 ? show() : look()), (left % 1000) + 20);
    }

    function clock(ms) {
      const seconds = Math.ceil(ms / 1000);
      return Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
    }

    // A shadow root, so that no style leaks either way; a constructed sheet, so that no policy of the panel is in the way.
    function build() {
      if (!document.body || !("adoptedStyleSheets" in Document.prototype)) return null;
      const host = document.createElement("gate-bar");
      const shadow = host.attachShadow({ mode: "closed" });
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(
        ":host{all:initial;position:fixed;inset:auto 0 0 0;z-index:2147483647}" +
        "div{box-sizing:border-box;display:flex;align-items:center;justify-content:center;gap:6px;height:36px;padding:0 44px;" +
        "font:14px/1 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;color:#fff;background:#22272e;border-top:1px solid #4a525c;white-space:nowrap}" +
        "span{overflow:hidden;text-overflow:ellipsis;font-variant-numeric:tabular-nums}" +
        "a{color:#9cc7ff;line-height:36px}a[hidden]{display:none}" +
        "button{all:unset;position:absolute;right:0;width:44px;height:36px;text-align:center;cursor:pointer;font-size:18px}" +
        "a:focus-visible,button:focus-visible{outline:2px solid #9cc7ff;outline-offset:-4px}" +
        "@media print{:host{display:none}}"
      );
      shadow.adoptedStyleSheets = [sheet];
      const line = document.createElement("div");
      const text = document.createElement("span");
      const link = document.createElement("a");
      const close = document.createElement("button");
      line.setAttribute("role", "status");
      close.type = "button";
      close.textContent = "×";
      close.addEventListener("click", () => { hidden = true; show(); });
      line.append(text, link, close);
      shadow.append(line);
      document.body.append(host);
      return { host, line, text, link, close, tick: 0 };
    }

    tabs?.addEventListener("message", (event) => {
      if (event.data.ended) ended();
      else plan(event.data.renew_in_ms);
    });
    document.addEventListener("visibilitychange", wake);
    addEventListener("focus", wake);
    addEventListener("online", wake);
    addEventListener("pageshow", (event) => { if (event.persisted) look(); });
    look();
  }
})();
