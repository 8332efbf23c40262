// On the gate's own pages. Nothing here is needed for anything to work:
//   .secret input                a button that shows the password, and a hint while caps lock is on
//   [autocomplete=one-time-code] sends its form when the code is complete, unless it has data-wait
//   time                         in the reader's zone; data-as="ago" or "day" instead of the time of day
//   [data-js]                    hidden until now
//   [data-copy="#id"]            copies the text of that element, and says so in the [role=status] beside it
//   [data-print]                 prints the page
//   [data-keep]                  on a link: leaving the page any other way asks first
//   [data-meter="#id"]           a new password: the server's verdict, while it is typed
(() => {
  "use strict";
  const root = document.documentElement;
  const all = (selector) => document.querySelectorAll(selector);
  for (const time of all("time[datetime]")) localise(time);
  for (const password of all(".secret input[type=password]")) revealable(password);
  for (const code of all("[autocomplete=one-time-code]:not([data-wait])")) sendsItself(code);
  for (const form of document.forms) sendOnce(form);
  for (const hidden of all("[data-js]")) hidden.hidden = false;
  for (const button of all("[data-copy]")) copies(button);
  for (const button of all("[data-print]")) button.addEventListener("click", () => print());
  for (const link of all("a[data-keep]")) keeps(link);
  for (const password of all("[data-meter]")) measured(password);

  function localise(time) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) return;
    const day = { dateStyle: "medium", timeStyle: "short" };
    time.title = at.toLocaleString(root.lang, { dateStyle: "medium", timeStyle: "long" });
    if (time.dataset.as === "ago") time.textContent = ago(at);
    else if (time.dataset.as === "day") time.textContent = at.toLocaleString(root.lang, day);
    else time.textContent = at.toLocaleTimeString(root.lang, { hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
  }

  function ago(at) {
    const words = new Intl.RelativeTimeFormat(root.lang, { numeric: "auto" });
    const seconds = (at - Date.now()) / 1000;
    for (const [unit, size] of [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60]]) {
      if (Math.abs(seconds) >= size) return words.format(Math.trunc(seconds / size), unit);
    }
    return words.format(0, "minute");
  }

  function revealable(password) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-controls", password.id);
    const set = (shown) => {
      password.type = shown ? "text" : "password";
      button.textContent = shown ? root.dataset.hide : root.dataset.show;
      button.setAttribute("aria-pressed", String(shown));
    };
    set(false);
    button.addEventListener("click", () => {
      set(password.type === "password");
      password.focus();
    });
    password.after(button);
    // Whatever is typed is a password again when it is sent, so that no browser keeps it as text.
    password.form.addEventListener("submit", () => set(false));
    const hint = document.createElement("p");
    hint.className = "caps";
    hint.setAttribute("role", "status");
    password.parentElement.after(hint);
    const caps = (event) => {
      const on = event.getModifierState && event.getModifierState("CapsLock");
      hint.textContent = on ? root.dataset.caps : "";
    };
    password.addEventListener("keydown", caps);
    password.addEventListener("keyup", caps);
    password.addEventListener("blur", () => { hint.textContent = ""; });
  }

  function sendsItself(code) {
    code.addEventListener("input", () => {
      if (/^\d{6}$/.test(code.value.replace(/\s/g, ""))) code.form.requestSubmit();
    });
  }

  function sendOnce(form) {
    // A download leaves the page as it is.
    if (form.hasAttribute("data-again")) return;
    form.addEventListener("submit", () => {
      // Once the browser has taken the fields along.
      setTimeout(() => { for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = true; });
    });
    addEventListener("pageshow", () => {
      for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = false;
    });
  }

  function copies(button) {
    const from = document.querySelector(button.dataset.copy);
    const status = document.querySelector(button.dataset.says || ".status[role=status]");
    button.addEventListener("click", async () => {
      const items = from.children.length ? [...from.children] : [from];
      try {
        await navigator.clipboard.writeText(items.map((item) => item.textContent.replace(/\s/g, "")).join("\n"));
        if (status) status.textContent = button.dataset.done || "";
      } catch {
        getSelection().selectAllChildren(from);
      }
    });
  }

  function keeps(link) {
    let kept = false;
    link.addEventListener("click", () => { kept = true; });
    for (const other of all("form[data-again]")) {
      other.addEventListener("submit", () => { kept = true; setTimeout(() => { kept = false; }, 2000); });
    }
    addEventListener("beforeunload", (event) => { if (!kept) event.preventDefault(); });
  }

  function measured(password) {
    const meter = document.querySelector(password.dataset.meter);
    const status = meter.nextElementSibling;
    let timer = 0, asked = null;
    const show = (verdict) => {
      meter.hidden = !verdict;
      meter.dataset.strength = verdict ? verdict.strength : "";
      status.textContent = verdict ? verdict.text : "";
    };
    show(null);
    password.addEventListener("input", () => {
      clearTimeout(timer);
      asked?.abort();
      if (!password.value) return show(null);
      timer = setTimeout(ask, 300);
    });
    async function ask() {
      asked = new AbortController();
      const answer = await fetch("/_gate/api/v1/password/strength", {
        method: "POST",
        credentials: "same-origin",
        cache: "no-store",
        headers: { accept: "application/json", "content-type": "application/json" },
        body: JSON.stringify({ password: password.value }),
        signal: asked.signal,
      }).catch(() => null);
      // The form is judged by the same function when it is sent, so that silence costs nothing.
      if (answer && answer.ok) show(await answer.json().catch(() => null));
    }
  }
})();
