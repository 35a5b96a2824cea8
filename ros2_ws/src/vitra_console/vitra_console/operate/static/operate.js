"use strict";
// The operator's page; socket, token, STOP and re-arm are in base.js.
let typed = false;

function set(id, text) { if ($(id).textContent !== text) $(id).textContent = text; }
function enable(id, able) { $(id).disabled = !able; }

function lines(id, rows) {  // rows: [text, class]
  const list = $(id), key = JSON.stringify(rows);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...rows.map(([text, kind]) => {
    const item = document.createElement("li");
    item.className = kind;
    item.textContent = text;
    return item;
  }));
}

function show(said, before) {
  const { safety, policy, record, sim, executor, control } = said;
  const armed = safety.state === "armed", running = policy.running || executor.words === "follows the policy";
  document.body.dataset.safety = safety.state;
  set("headline", said.stopping && safety.state !== "stopped" ? "STOP is on its way …" : safety.headline);
  set("cause", safety.cause);
  set("mend", safety.mend);
  lines("missing", safety.missing.map((text) => [text, ""]));
  enable("rearm", control && !armed && safety.missing.length === 0 && !said.busy);
  if (!$("rearm").classList.contains("sure")) {
    set("rearm", safety.missing.length ? "Not ready to arm, see above" : safety.state === "stopped" ? "Re-arm the robot …" : "Arm the robot …");
  }
  set("doing", executor.limit ? `${executor.words}; ${executor.limit}` : executor.words);
  set("message", said.message);
  $("message").classList.toggle("bad", !said.message_ok);
  document.title = `${safety.state} · ${said.robot}`;

  const box = $("instruction");
  if (document.activeElement !== box && !typed && policy.instruction && box.value !== policy.instruction) box.value = policy.instruction;
  enable("run", control && armed && policy.there && !running && !said.busy);
  enable("end", control && running);
  enable("home", control && armed && !running && !said.busy);
  set("progress", running ? `${policy.chunk_hz} chunks per second, ${policy.inference_ms} ms to think, ${policy.delay_ms} ms from image to motion`
    : !policy.there ? "No policy node in this graph." : policy.result ? `Last run: ${policy.result}` : armed ? "" : "Arm first, then run.");

  const pace = $("speed"), share = said.speed.share_percent;
  if (![...pace.options].some((option) => option.value === String(share))) pace.add(new Option(`${share} %`, share));
  if (document.activeElement !== pace) pace.value = share;
  enable("speed", control && !said.busy);

  enable("record", control && record.there && !record.recording && !said.busy);
  enable("save", control && record.recording);
  enable("discard", control && record.recording);
  $("record").hidden = record.recording;
  $("save").hidden = $("discard").hidden = !record.recording;
  $("episode").classList.toggle("on", record.recording);
  set("episode", !record.there ? "No recorder in this graph." : record.recording
    ? `recording for ${record.elapsed}` + (record.dropped ? `, ${record.dropped} messages lost` : "") + (record.warnings.length ? `: ${record.warnings.join("; ")}` : "")
    : record.saved ? `${record.saved} saved, last: ${record.path}` : "");

  $("scene").hidden = sim === null;
  if (sim) {
    set("judged", `Simulated task: ${sim.judged}`);
    const list = $("sim-task");
    if (list.options.length !== said.tasks.length) {
      list.replaceChildren(...said.tasks.map((name) => new Option(name.replaceAll("_", " "), name)));
      list.value = sim.task;
    }
    enable("reset", control && !running && !said.busy);
  }
  if ($("details").open) details(said);
}

function details(said) {
  const { speed, sim, camera_hz } = said;
  set("figures", [
    speed.limit_percent === null ? "" : `speed limit ${speed.limit_percent} % of 45°/s`, `fastest joint ${speed.now_deg_s}°/s`,
    `camera ${camera_hz} Hz`, sim ? `simulation at ${sim.real_time_factor} of real time` : "", `${said.consoles} console${said.consoles > 1 ? "s" : ""} open`,
  ].filter(Boolean).join(" · "));
  const key = JSON.stringify(said.arms);
  if ($("arms").dataset.key !== key) {
    $("arms").dataset.key = key;
    $("arms").replaceChildren(...said.arms.map((arm) => {
      const made = document.createElement("div");
      const head = document.createElement("h3"), states = document.createElement("p"), joints = document.createElement("p"), warning = document.createElement("p");
      head.textContent = `${arm.side} arm`;
      states.textContent = `arm ${arm.arm}, hand ${arm.hand}`;
      joints.className = "joints";
      joints.textContent = arm.joints_deg.map((value, i) => `${i + 1}: ${value.toFixed(0)}°`).join("   ");
      warning.className = "bad";
      warning.textContent = arm.warning;
      made.append(head, states, joints, warning);
      return made;
    }));
  }
  lines("diagnostics", said.diagnostics.map((row) => [`${row.name}: ${row.message || row.level}`, row.level]));
}

$("task").onsubmit = (event) => {
  event.preventDefault();
  typed = false;
  if ($("run").disabled) send("instruct", $("instruction").value);
  else send("run", $("instruction").value, { time_limit_s: Number($("limit").value) || 0 });
  $("instruction").blur();
};
$("instruction").oninput = () => { typed = true; };
for (const order of ["end", "home", "record", "save", "discard"]) $(order).onclick = () => send(order);
$("reset").onclick = () => { typed = false; send("reset", $("sim-task").value, { seed: Number($("seed").value) || 0 }); };
$("speed").onchange = () => { send("speed", "", { percent: Number($("speed").value) }); $("speed").blur(); };
$("details").ontoggle = () => { if (state) details(state); };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const typing = ["INPUT", "SELECT"].includes(event.target.tagName);
  if (event.key === "Escape" || (event.key === " " && !typing)) { event.preventDefault(); pressStop(); }
});
serve({
  show,
  image: (kind, jpeg) => paint($("camera"), jpeg),
  answer: (text) => { $("message").textContent = text; $("message").classList.add("bad"); },
  wrongToken: "Wrong token: open the address that the console printed.",
});
