"use strict";
// One websocket: the token first, then states and pictures in, orders out.
const $ = (id) => document.getElementById(id);
const BEAT_MS = 150;
const SILENT_MS = 2500;
const ORDERS = {
  reset: [["confirm_reset", "Reset is done"]],
  ready: [["start", "Start"]],
  running: [["success", "Success"], ["fail", "Fail"], ["safety_stop", "Safety stop"], ["void", "Void"], ["intervention", "Intervention"], ["end", "End, label after"]],
  label: [["success", "Success"], ["fail", "Fail"], ["safety_stop", "Safety stop"], ["void", "Void"]],
};
const ALWAYS = [["home", "Home"], ["pause", "Pause after trial"], ["quit", "Quit"]];
const RESUME = ["pause", "Go on"];

let socket = null, state = null, heardMs = 0, refused = false, asking = null, reference = null;

function token() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found) {
    sessionStorage.setItem("token", found);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token") || "";
}

function send(order, text) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ do: order, text: text || "" }));
}

function lost(why) {
  $("lost").hidden = false;
  $("lost-why").textContent = why;
}

function connect() {
  const mine = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  socket = mine;
  mine.binaryType = "arraybuffer";
  mine.onopen = () => { heardMs = Date.now(); mine.send(JSON.stringify({ token: token() })); };
  mine.onmessage = (event) => {
    heardMs = Date.now();
    if (typeof event.data === "string") hear(JSON.parse(event.data));
    else picture(new Uint8Array(event.data));
  };
  mine.onclose = (event) => {
    refused = event.code === 4401;
    lost(refused ? "Wrong token: open the address that vitra-eval printed." : "Trying again …");
    if (!refused) setTimeout(connect, 1000);
  };
}

function hear(said) {
  if (said.type === "answer") { $("message").textContent = said.message; return; }
  if (said.type !== "state") return;
  const before = state;
  state = said;
  $("lost").hidden = true;
  $("session").textContent = said.session;
  $("progress").textContent = `${said.done} of ${said.total}` + (said.paused ? " (paused)" : "");
  $("safety").textContent = said.safety.state;
  $("safety").dataset.state = said.safety.state;
  $("cause").textContent = said.safety.cause || "";
  $("message").textContent = said.message;
  $("phase").textContent = said.phase ? `${said.phase}${said.alias ? " · " + said.alias : ""}` : "";
  $("instruction").textContent = said.instruction || "";
  $("setting").textContent = said.task ? `${said.task} · ${said.condition} · ${said.object} · ${said.layout}${said.note ? ": " + said.note : ""}` : "";
  $("clock").textContent = said.phase === "running" || said.phase === "label"
    ? `${said.elapsed_s.toFixed(1)} of ${said.time_limit_s} s ${said.end_reason ? "· " + said.end_reason : ""}` : "";
  $("take").hidden = said.control;
  $("rearm").disabled = !said.control;
  $("keys").textContent = Object.entries(said.keys).map(([key, order]) => `${key === " " ? "space" : key}: ${order}`).join(" · ");
  if (["phase", "control", "paused"].some((name) => !before || before[name] !== said[name])) buttons(said);
  if (!before || JSON.stringify(before.milestones) !== JSON.stringify(said.milestones) || before.phase !== said.phase) milestones(said);
  if (!before || JSON.stringify(before.checks) !== JSON.stringify(said.checks)) {
    $("checks").replaceChildren(...said.checks.map((check) => {
      const item = document.createElement("li");
      item.className = check.ok ? "ok" : "";
      item.textContent = check.detail ? `${check.name}: ${check.detail}` : check.name;
      return item;
    }));
  }
  document.body.dataset.phase = said.phase;
}

function button(order, label, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.dataset.do = order;
  made.textContent = label;
  made.onclick = act;
  made.disabled = !state.control;
  return made;
}

function buttons(said) {
  const always = ALWAYS.map((order) => (order[0] === "pause" && said.paused ? RESUME : order));
  $("buttons").replaceChildren(...[...(ORDERS[said.phase] || []), ...always].map(([order, label]) => button(order, label, () => act(order))));
}

function milestones(said) {
  const running = said.phase === "running";
  $("milestones").replaceChildren(...(said.milestones || []).map(([name, at]) => {
    const made = button("milestone", at === null ? name : `${name} ${at.toFixed(1)} s`, () => send("milestone", name));
    made.disabled = made.disabled || !running || at !== null;
    if (at !== null) made.className = "reached";
    return made;
  }));
}

function act(order) {
  if (!(order in state.asks)) { send(order); return; }
  if (state.phase === "running") send("end");  // nobody types while the robot moves
  asking = order;
  $("ask").hidden = false;
  $("question").textContent = order === "fail" ? "fail: code, and a note" : `${order}: ${state.asks[order]}`;
  $("codes").hidden = order !== "fail";
  $("codes").replaceChildren(...state.failure_codes.map((code) => new Option(code, code)));
  $("text").value = "";
  $("text").focus();
  $("ask").scrollIntoView({ block: "center" });
}

function answer() {
  if (!asking) return;
  const text = $("text").value.trim();
  send(asking, asking === "fail" ? `${$("codes").value}${text ? ": " + text : ""}` : text);
  asking = null;
  $("ask").hidden = true;
}

async function picture(bytes) {
  const kind = bytes[0], data = bytes.subarray(1);
  if (kind === 2 && data.length === 0) { reference = null; $("no-reference").hidden = false; draw(); return; }
  const bitmap = await createImageBitmap(new Blob([data], { type: "image/jpeg" }));
  if (kind === 1) {
    const canvas = $("camera");
    if (canvas.width !== bitmap.width) { canvas.width = bitmap.width; canvas.height = bitmap.height; }
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    canvas.dataset.frames = String(1 + Number(canvas.dataset.frames || 0));
  } else {
    reference = { bitmap, edges: edges(bitmap) };
    $("no-reference").hidden = true;
    draw();
  }
}

function edges(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height), pen = canvas.getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  const { width, height } = bitmap, source = pen.getImageData(0, 0, width, height), out = pen.createImageData(width, height);
  const grey = (x, y) => { const i = 4 * (y * width + x); return source.data[i] + source.data[i + 1] + source.data[i + 2]; };
  for (let y = 1; y < height - 1; y++) for (let x = 1; x < width - 1; x++) {
    const dx = grey(x + 1, y) - grey(x - 1, y), dy = grey(x, y + 1) - grey(x, y - 1), i = 4 * (y * width + x);
    if (dx * dx + dy * dy > 3600) { out.data[i + 1] = 255; out.data[i + 2] = 120; out.data[i + 3] = 255; }
  }
  pen.putImageData(out, 0, 0);
  return canvas;
}

function draw() {
  const canvas = $("overlay"), pen = canvas.getContext("2d");
  if (reference) { canvas.width = reference.bitmap.width; canvas.height = reference.bitmap.height; }
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (!reference) return;
  if ($("edges").checked) { pen.globalAlpha = 1; pen.drawImage(reference.edges, 0, 0); }
  else { pen.globalAlpha = $("blend").value / 100; pen.drawImage(reference.bitmap, 0, 0); }
}

$("stop").addEventListener("pointerdown", () => send("stop"));
$("stop").addEventListener("click", (event) => { if (event.detail === 0) send("stop"); });
$("rearm").onclick = () => {
  const sure = $("rearm");
  if (sure.classList.contains("sure")) { sure.classList.remove("sure"); sure.textContent = "Re-arm …"; send("rearm"); return; }
  sure.classList.add("sure");
  sure.textContent = "Everybody clear? Re-arm now";
  setTimeout(() => { sure.classList.remove("sure"); sure.textContent = "Re-arm …"; }, 4000);
};
$("take").onclick = () => send("take");
$("send").onclick = answer;
$("cancel").onclick = () => { asking = null; $("ask").hidden = true; };
$("blend").oninput = draw;
$("edges").onchange = draw;
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" && event.target.type === "text") {
    if (event.key === "Enter") answer();
    return;
  }
  const order = state && state.keys[event.key];
  if (!order || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  event.preventDefault();
  if (order === "rearm") $("rearm").click(); else act(order);
});
setInterval(() => {
  send("beat");
  if (!refused && Date.now() - heardMs > SILENT_MS) lost("No news from the robot.");
}, BEAT_MS);
connect();
