"use strict";
// The trial page; socket, token, STOP and re-arm are in base.js.
const PHASES = {
  preflight: "Preflight: waiting until all is green",
  homing: "The arms move: keep clear",
  reset: "Set up the scene",
  ready: "Ready to start",
  running: "Running",
  label: "How did it go?",
  saving: "Saving",
  finished: "Recorded",
};
const ORDERS = {
  reset: [["confirm_reset", "Reset is done"]],
  ready: [["start", "Start"]],
  running: [["success", "Success"], ["fail", "Fail"], ["safety_stop", "Safety stop"], ["void", "Void"], ["intervention", "Intervention"], ["end", "End, label after"]],
  label: [["success", "Success"], ["fail", "Fail"], ["safety_stop", "Safety stop"], ["void", "Void"]],
};
const ALWAYS = [["home", "Home"], ["pause", "Pause after trial"], ["quit", "Quit"]];
const RESUME = ["pause", "Go on"];
const AFTER_STOP = { safety_stop: "Yes: safety stop", void: "No: void the trial" };
const LABELLING = ["running", "label"];
const REDRAW = ["phase", "control", "paused", "question"];

// The open question: which order it is for, and which trial it is about. It never labels another one.
let asking = null, reference = null;

// What this page shows: every order says what it is about, and is refused when that is no longer so.
const about = () => ({ trial: state.trial, phase: state.phase, last: state.last, paused: state.paused });

function show(said, before) {
  if (asking && !fits(asking, said)) close();
  if (!before || JSON.stringify(before.phone) !== JSON.stringify(said.phone)) phone(said.phone);
  $("moving").hidden = !said.moving;
  $("moving").textContent = said.moving;
  $("stopped").hidden = !said.question;
  $("stopped").textContent = said.question;
  $("last").hidden = !said.last || LABELLING.includes(said.phase);
  $("last-label").textContent = said.last_label;
  $("correct").disabled = !said.control;
  $("anchor").textContent = said.anchor;
  $("session").textContent = said.session;
  $("progress").textContent = `${said.done} of ${said.total}` + (said.paused ? " (paused)" : "");
  $("safety").textContent = said.safety.state;
  $("safety").dataset.state = said.safety.state;
  $("cause").textContent = said.safety.cause || "";
  $("message").textContent = said.message;
  $("phase").textContent = PHASES[said.phase] || said.message;
  $("alias").textContent = said.alias ? `trial ${said.alias}` : "";
  $("instruction").textContent = said.instruction || "";
  $("setting").textContent = said.task ? `${said.task} · ${said.condition} · ${said.object} · ${said.layout}${said.note ? ": " + said.note : ""}` : "";
  $("clock").textContent = LABELLING.includes(said.phase)
    ? `${said.elapsed_s.toFixed(1)} of ${said.time_limit_s} s ${said.end_reason ? "· " + said.end_reason : ""}` : "";
  $("rearm").disabled = !said.control;
  $("keys").textContent = Object.entries(said.keys).map(([key, order]) => `${key === " " ? "space" : key}: ${order}`).join(" · ");
  if (REDRAW.some((name) => !before || before[name] !== said[name])) buttons(said);
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
  $("buttons").replaceChildren(...[...(ORDERS[said.phase] || []), ...always].map(([order, label]) =>
    button(order, (said.question && AFTER_STOP[order]) || label, () => act(order))));
}

function phone(links) {
  $("phone").hidden = !links.length;
  $("links").replaceChildren(...links.map(({ url, svg }) => {
    const image = document.createElement("img"), text = document.createElement("p"), both = document.createElement("div");
    image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
    image.alt = "QR code of this page's link";
    text.textContent = url.split("#")[0];
    both.append(image, text);
    return both;
  }));
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

function fits(question, said) {
  if (question.order === "correct") return question.last === said.last && !LABELLING.includes(said.phase);
  return question.trial === said.trial && LABELLING.includes(said.phase);
}

function act(order) {
  if (asking) return;
  if (!(order in state.asks)) { send(order); return; }
  if (order !== "correct" && state.phase === "running") send("end");  // nobody types while the robot moves
  asking = { order, trial: state.trial, last: state.last };
  const labels = order === "correct" ? ["success", "safety_stop", ...state.failure_codes] : state.failure_codes;
  $("ask").hidden = false;
  $("question").textContent = order === "fail" ? "fail: code, and a note" : order === "correct"
    ? `correct ${state.last_label}: what it is, and why` : `${order}: ${state.asks[order]}`;
  $("codes").hidden = !["fail", "correct"].includes(order);
  $("codes").replaceChildren(...labels.map((code) => new Option(code, code)));
  $("text").value = "";
  $("text").focus();
  $("ask").scrollIntoView({ block: "center" });
}

function close() {
  asking = null;
  $("ask").hidden = true;
}

function answer() {
  if (!asking) return;
  const { order, trial, last } = asking, text = $("text").value.trim();
  const coded = ["fail", "correct"].includes(order);
  send(order, coded ? `${$("codes").value}${text ? ": " + text : ""}` : text, { trial, last });
  close();
}

async function image(kind, data) {
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
$("cancel").onclick = close;
$("correct").onclick = () => act("correct");
$("blend").oninput = draw;
$("edges").onchange = draw;

// While a question is open no key is an order but space (STOP) before the text has begun.
function typed(event) {
  if (event.key === " " && $("text").value === "" && event.target.tagName !== "BUTTON") {
    event.preventDefault();
    pressStop();
  } else if (event.key === "Escape") close();
  else if (event.key === "Enter" && event.target.tagName !== "BUTTON") answer();
  else if (!["INPUT", "SELECT", "BUTTON"].includes(event.target.tagName)) $("text").focus();
}

document.addEventListener("keydown", (event) => {
  if (!state || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (asking) { typed(event); return; }
  const order = state.keys[event.key.toLowerCase()];
  if (!order) return;
  event.preventDefault();
  if (order === "rearm") $("rearm").click();
  else if (order !== "correct" || !$("last").hidden) act(order);
});
serve({
  show,
  about,
  image,
  answer: (text) => { $("message").textContent = text; },
  wrongToken: "Wrong token: open the address that vitra-eval printed.",
});
