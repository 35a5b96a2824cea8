"use strict";
// What every console shares: one websocket (the token first, then states and images in, orders out), STOP, re-arm.
const $ = (id) => document.getElementById(id);
const BEAT_MS = 150;
const SILENT_MS = 2500;
const SURE_MS = 4000;

let socket = null, state = null, heardMs = 0, refused = false, desk = null, stopOwed = false;

function token() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found) {
    sessionStorage.setItem("token", found);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token") || "";
}

// Every order carries the stops that this page has seen: one given before a stop is refused after it.
function send(order, text, more) {
  if (!socket || socket.readyState !== WebSocket.OPEN) return false;
  const about = state && desk.about ? desk.about() : {};
  socket.send(JSON.stringify({ do: order, text: text || "", stops: state ? state.stops : 0, ...about, ...more }));
  return true;
}

// A STOP that cannot leave now leaves first when the link is back.
function pressStop() {
  stopOwed = !send("stop");
  if (stopOwed) lost("STOP has not been sent: use the emergency stop. It will be sent as soon as the link is back.");
}

function lost(why) {
  $("lost").hidden = false;
  $("lost-why").textContent = why;
}

function connect() {
  const mine = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  socket = mine;
  mine.binaryType = "arraybuffer";
  mine.onopen = () => {
    heardMs = Date.now();
    mine.send(JSON.stringify({ token: token() }));
    if (stopOwed) pressStop();
  };
  const seen = (what) => { if (mine.readyState === WebSocket.OPEN) mine.send(JSON.stringify({ do: "seen", what })); };
  mine.onmessage = async (event) => {
    heardMs = Date.now();
    if (typeof event.data !== "string") {
      const bytes = new Uint8Array(event.data);
      try { await desk.image(bytes[0], bytes.subarray(1)); } finally { seen("image"); }
      return;
    }
    const said = JSON.parse(event.data);
    if (said.type === "answer") desk.answer(said.message);
    if (said.type !== "state") return;
    const before = state;
    state = said;
    $("lost").hidden = true;
    $("take").hidden = said.control;
    try { desk.show(said, before); } finally { seen("state"); }
  };
  mine.onclose = (event) => {
    refused = event.code === 4401;
    lost(refused ? desk.wrongToken : stopOwed ? "STOP has not been sent: use the emergency stop. Trying again …" : "Trying again …");
    if (!refused) setTimeout(connect, 1000);
  };
}

async function paint(canvas, jpeg) {
  const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) { canvas.width = bitmap.width; canvas.height = bitmap.height; }
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  canvas.dataset.frames = String(1 + Number(canvas.dataset.frames || 0));
  return bitmap;
}

// A button that asks once more before it sends; a stop in between is as good as a no.
function twice(button, order) {
  const label = button.textContent;
  let stops = 0;
  const calm = () => { button.classList.remove("sure"); button.textContent = label; };
  button.onclick = () => {
    if (button.classList.contains("sure")) { calm(); send(order, "", { stops }); return; }
    stops = state ? state.stops : 0;
    button.classList.add("sure");
    button.textContent = button.dataset.sure;
    setTimeout(calm, SURE_MS);
  };
}

// show(state, before), about() (what orders are about, optional), answer(text), image(kind, bytes), wrongToken (text)
function serve(page) {
  desk = page;
  $("stop").addEventListener("pointerdown", pressStop);
  $("stop").addEventListener("click", (event) => { if (event.detail === 0) pressStop(); });
  $("take").onclick = () => send("take");
  twice($("rearm"), "rearm");
  setInterval(() => {
    send("beat");
    if (!refused && Date.now() - heardMs > SILENT_MS) lost("No news from the robot.");
  }, BEAT_MS);
  connect();
}
