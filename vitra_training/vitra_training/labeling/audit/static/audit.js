"use strict";
// One episode a page; the address keeps who judges, so that a reload leads to the next open one.
const $ = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.hash.slice(1));
const headers = { "X-Token": asked.get("token") || "" };
const QUESTIONS = { segment: "segment", words: "caption" };
let judge = "", page = null, answers = {}, busy = false;

async function ask(path, options) {
  const answer = await fetch(path, { headers, ...options });
  if (!answer.ok) throw Object.assign(new Error(await answer.text()), { status: answer.status });
  return answer;
}

async function next() {
  page = await (await ask(`/next/${judge}`)).json();
  answers = {};
  $("who").hidden = true;
  $("page").hidden = !page.episode;
  $("message").textContent = "";
  $("result").hidden = !page.result;
  $("result").replaceChildren(...(page.result || []).map((line) => Object.assign(document.createElement("li"), { className: "ok", textContent: line })));
  if ($("clip").src) URL.revokeObjectURL($("clip").src);
  $("clip").removeAttribute("src");
  show();
  if (!page.episode) return;
  $("progress").textContent = `${page.done} of ${page.total} judged`;
  $("caption").textContent = page.caption;
  for (const place of document.querySelectorAll(".hand")) place.textContent = page.hand;
  $("clip").src = URL.createObjectURL(await (await ask(`/clip/${page.episode}`)).blob());
}

function show() {
  for (const [id, name] of Object.entries(QUESTIONS))
    for (const button of $(id).querySelectorAll("button")) button.setAttribute("aria-pressed", String(answers[name] === button.dataset.answer));
  $("send").disabled = busy || Object.values(QUESTIONS).some((name) => !answers[name]);
}

async function send() {
  if (busy || $("send").disabled) return;
  busy = true;
  show();
  try {
    await ask(`/judge/${judge}/${page.episode}`, { method: "POST", body: JSON.stringify(answers) });
    busy = false;
    await next();
  } catch (error) {
    busy = false;
    if (error.status === 409) await next().catch(failed); else failed(error);
    show();
  }
}

function failed(error) {
  $("message").textContent = error.status === 401 ? "Wrong token: open the link you were given." : error.message;
}

function begin(name) {
  judge = name;
  next().then(() => { asked.set("who", name); history.replaceState(null, "", `#${asked}`); }).catch(failed);
}

for (const [id, name] of Object.entries(QUESTIONS))
  for (const button of $(id).querySelectorAll("button")) button.onclick = () => { answers[name] = button.dataset.answer; show(); };
$("who").onsubmit = (event) => { event.preventDefault(); begin($("name").value.trim()); };
$("send").onclick = send;
document.onkeydown = (event) => {
  if ($("page").hidden || event.target.tagName === "INPUT") return;
  const key = { 1: ["segment", "yes"], 2: ["segment", "no"], 3: ["caption", "yes"], 4: ["caption", "no"] }[event.key];
  if (key) { answers[key[0]] = key[1]; show(); }
  if (event.key === "Enter") { event.preventDefault(); send(); }
};
if (/^[A-Za-z0-9_-]{1,40}$/.test(asked.get("who") || "")) begin(asked.get("who"));
