// On the panel's pages: renews the session before it expires, once across all tabs, and shows what this session may do
// here. Nothing of the panel is changed or wrapped, and nothing here is needed for anything to work.
(() => {
  "use strict";
  if (stands()) panel();

  // In the page itself; of what stands inside it only in the frames of a frameset, which shows nothing else.
  function stands() {
    if (window.top === window) return true;
    try { return window.frameElement?.tagName === "FRAME"; } catch { return false; }
  }

  function panel() {
    if (window.gateClient) return;
    window.gateClient = true;
    const root = document.documentElement;
    const tabs = "BroadcastChannel" in window ? new BroadcastChannel("gate") : null;
    let session = null, read = 0, renewAt = Infinity, timer = 0, tick = 0, bar = null, hidden = false, failures = 0;
    // The mark that the edge has put in stands until the bar has taken its place. It is right before anything was asked.
    let plain = document.getElementById("gate-mark"), shown;
    let marked = plain && "acting" in plain.dataset
      ? { text: plain.querySelector("b").textContent, end: plain.querySelector("a").textContent, end_url: plain.querySelector("a").href }
      : null;

    const call = (url, options) =>
      fetch(url, { credentials: "same-origin", cache: "no-store", redirect: "error", headers: { accept: "application/json" }, ...options });

    async function look() {
      const answer = await call("/_gate/api/v1/session?path=" + encodeURIComponent(location.pathname)).catch(() => null);
      if (!answer) return again(30000);
      if (answer.status === 401) {
        const problem = await answer.json().catch(() => ({}));
        if (problem.refresh_url) return renew();
        return ended();
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
      session = marked = null;
      renewAt = Infinity;
      clearTimeout(timer);
      show();
    }

    function wake() {
      if (document.visibilityState !== "visible") return;
      if (Date.now() >= renewAt) renew();
      else if (Date.now() - read > 5000) look();
    }

    // What the bar says: whose page this is, that it is read-only, or how long it stays verified.
    function message() {
      const acting = session ? session.impersonation : marked;
      const who = session && session.user + "/" + (session.actor || "");
      if (session) shown ??= marked && !acting ? "" : who;
      if (session && shown !== who) {
        return { loud: true, text: session.words.stale, label: session.words.reload, href: location.href, act: reload };
      }
      if (acting) {
        const ends = acting.ends_in_ms == null ? Infinity : acting.ends_in_ms - (Date.now() - read);
        return { loud: true, text: acting.text, hint: acting.hint, label: acting.end, href: acting.end_url, act: leave, next: ends + 50, then: look };
      }
      const page = session && session.page;
      if (!page || !page.bar || !page.protected || hidden) return null;
      const left = session.elevated_for_ms ? session.elevated_for_ms - (Date.now() - read) : 0;
      if (left > 0) {
        const last = left <= 1000;
        return { text: session.words.verified.replace("{time}", clock(left)), ticks: true, next: (left % 1000) + 20, then: last ? look : show };
      }
      if (page.access === page.after_step_up || !session.second_factor) return null;
      return { text: session.words.read_only, label: session.words.verify, href: page.step_up_url };
    }

    function show() {
      clearTimeout(tick);
      const says = message();
      if (!says) {
        bar?.host.remove();
        bar = null;
        return;
      }
      bar ??= build();
      if (!bar) return;
      plain?.remove();
      plain = null;
      bar.line.className = says.loud ? "loud" : "";
      bar.line.title = says.hint || "";
      // Read out when the state changes, not at every second of the countdown.
      bar.line.setAttribute("aria-live", says.ticks ? "off" : "polite");
      if (bar.text.textContent !== says.text) bar.text.textContent = says.text;
      bar.dot.hidden = !(says.loud && says.label);
      bar.link.hidden = !says.label;
      bar.link.textContent = says.label || "";
      bar.link.href = says.href || "#";
      bar.act = says.act;
      bar.close.hidden = Boolean(says.loud);
      if (session) bar.close.title = session.words.close;
      bar.close.setAttribute("aria-label", bar.close.title);
      if (says.next < 2147483647) tick = setTimeout(says.then, Math.max(says.next, 20));
    }

    function clock(ms) {
      const seconds = Math.ceil(ms / 1000);
      return Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
    }

    // Where the call does not go through, the link leads to a page that asks the same.
    async function leave(href) {
      const answer = await call("/_gate/api/v1/impersonation", {
        method: "DELETE",
        headers: { accept: "application/json", "content-type": "application/json" },
      }).catch(() => null);
      if (!answer || !answer.ok) return location.assign(href);
      tabs?.postMessage({ changed: true });
      reload();
    }

    // Never a form a second time: that would be in another name.
    function reload() {
      location.assign(location.pathname + location.search);
    }

    // A shadow root, so that no style leaks either way; a constructed sheet, so that no policy of the panel is in the way.
    function build() {
      const room = window.top === window ? document.body?.tagName !== "FRAMESET" : innerHeight >= 150;
      if (!room || !("adoptedStyleSheets" in Document.prototype)) return null;
      const host = document.createElement("gate-bar");
      const shadow = host.attachShadow({ mode: "closed" });
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(
        ":host{all:initial!important;display:block!important;position:fixed!important;inset:auto 0 0 0!important;z-index:2147483647!important}" +
        "div{box-sizing:border-box;display:flex;align-items:center;justify-content:center;gap:6px;height:36px;padding:0 44px;" +
        "font:14px/1 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;color:#fff;background:#22272e;border-top:1px solid #4a525c;white-space:nowrap}" +
        "span{overflow:hidden;text-overflow:ellipsis;font-variant-numeric:tabular-nums}" +
        "i{font-style:normal}" +
        "a{color:#9cc7ff;line-height:36px;flex:none}" +
        "button{all:unset;position:absolute;right:0;width:44px;height:36px;text-align:center;cursor:pointer;font-size:18px}" +
        "a:focus-visible,button:focus-visible{outline:2px solid #9cc7ff;outline-offset:-4px}" +
        "div.loud{color:#000;background:#ff8a1f;border-color:#a84f00;font-weight:600;padding:0 12px}" +
        ".loud a{color:#000}.loud a:focus-visible{outline-color:#000}" +
        "[hidden]{display:none}" +
        "@media(forced-colors:active){div{border-top:2px solid}}" +
        "@media print{:host{display:none!important}}"
      );
      shadow.adoptedStyleSheets = [sheet];
      const make = (name) => document.createElement(name);
      const line = make("div"), text = make("span"), dot = make("i"), link = make("a"), close = make("button");
      line.setAttribute("role", "status");
      dot.textContent = "·";
      link.addEventListener("click", (event) => {
        if (!made.act || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        made.act(link.href);
      });
      close.type = "button";
      close.textContent = "×";
      close.addEventListener("click", () => { hidden = true; show(); });
      line.append(text, dot, link, close);
      shadow.append(line);
      root.append(host);
      const made = { host, line, text, dot, link, close, act: null };
      return made;
    }

    tabs?.addEventListener("message", (event) => {
      if (event.data.ended) ended();
      else if (event.data.changed) look();
      else plan(event.data.renew_in_ms);
    });
    document.addEventListener("visibilitychange", wake);
    addEventListener("focus", wake);
    addEventListener("online", wake);
    addEventListener("pageshow", (event) => { if (event.persisted) look(); });
    // Panels that build their pages anew: another address is another page of the policy, and whatever they throw away,
    // the bar stays.
    let path = location.pathname;
    window.navigation?.addEventListener("navigatesuccess", () => {
      if (location.pathname !== path) look();
      path = location.pathname;
    });
    new MutationObserver(() => { if (bar && !bar.host.isConnected) document.documentElement.append(bar.host); })
      .observe(root, { childList: true });
    if (marked) show();
    look();
  }
})();
