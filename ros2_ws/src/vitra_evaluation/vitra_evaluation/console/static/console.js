"use strict";
// The trial page; socket, token, STOP and re-arm are in base.js.
const ORDERS = {
  reset: [["confirm_reset", "Reset is done"]],
  ready: [["start", "Start"]],
  running: [["success", "Success"], ["fail", "Fail"], ["safety_stop", "Safety stop"], ["void", "Void"], ["intervention", "Intervention"], ["end", "End, label after"]],
  label: [["success", "Success"], ["fail", "Fail"], ["safety_stop", "Safety stop"], ["void", "Void"]],
};
const ALWAYS = [["home", "Home"], ["pause", "Pause after trial"], ["quit", "Quit"]];
const RESUME = ["pause", "Go on"];

let asking = null, reference = null;

function show(said, before) {
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

async function picture(kind, data) {
  if (kind === 1) { await paint($("camera"), data); return; }
  if (data.length === 0) { reference = null; $("no-reference").hidden = false; draw(); return; }
  const bitmap = await createImageBitmap(new Blob([data], { type: "image/jpeg" }));
  reference = { bitmap, edges: edges(bitmap) };
  $("no-reference").hidden = true;
  draw();
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
serve({
  show,
  picture,
  answer: (text) => { $("message").textContent = text; },
  wrongToken: "Wrong token: open the address that vitra-eval printed.",
});
