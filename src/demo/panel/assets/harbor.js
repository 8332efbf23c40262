// The two live widgets of the dashboard. Everything else works without a script.
"use strict";

const find = (selector) => document.querySelector(selector);

function clock() {
  const shown = find("[data-clock]");
  const state = find("[data-clock-state]");
  if (!shown) return;
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/live/ws`);
  socket.onmessage = (message) => {
    const { now } = JSON.parse(message.data);
    shown.dateTime = now;
    shown.textContent = new Date(now).toLocaleTimeString();
  };
  socket.onclose = () => {
    state.textContent = "the connection was closed";
    state.classList.add("cut");
    setTimeout(clock, 5000);
  };
  socket.onopen = () => {
    state.textContent = "over a WebSocket, once a second";
    state.classList.remove("cut");
  };
}

function load() {
  const state = find("[data-load-state]");
  if (!state) return;
  const events = new EventSource("/live/events");
  events.addEventListener("load", (event) => {
    const numbers = JSON.parse(event.data);
    for (const name of ["cpu", "memory"]) find(`[data-load="${name}"]`).value = numbers[name];
  });
  events.onopen = () => {
    state.textContent = "over an event stream";
    state.classList.remove("cut");
  };
  events.onerror = () => {
    state.textContent = "the stream was closed";
    state.classList.add("cut");
  };
}

for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  time.title = time.dateTime;
  const today = at.toDateString() === new Date().toDateString();
  time.textContent = today ? at.toLocaleTimeString() : at.toLocaleString();
}
clock();
load();
