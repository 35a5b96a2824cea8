"use strict";
// One page per item; the address keeps who votes, so that a reload or the back button leads to the next open page.
const $ = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.hash.slice(1));
const headers = { "X-Token": asked.get("token") || "" };
let participant = "", page = null, chosen = [], seen = new Set(), busy = false;

async function ask(path, options) {
  const answer = await fetch(path, { headers, ...options });
  if (!answer.ok) throw Object.assign(new Error(await answer.text()), { status: answer.status });
  return answer;
}

async function next() {
  page = await (await ask(`/page/${participant}`)).json();
  $("who").hidden = true;
  $("page").hidden = !("item" in page);
  $("progress").textContent = `${page.done} of ${page.total} done`;
  $("message").textContent = "item" in page ? "" : "That was all. Thank you!";
  release();
  if (!("item" in page)) return;
  $("instruction").textContent = page.instruction;
  $("how").textContent = `See every video to its end. Then click the best one first, then the next: ${page.ranks} in all.`;
  chosen = [];
  seen = new Set();
  show();
  const figures = await Promise.all(Array.from({ length: page.videos }, async (_, place) => {
    const data = await (await ask(`/video/${participant}/${page.item}/${place}`)).blob();
    return figure(URL.createObjectURL(data), place);
  }));
  $("videos").replaceChildren(...figures);
  show();
}

function figure(address, place) {
  const made = document.createElement("figure"), video = document.createElement("video");
  Object.assign(video, { src: address, muted: true, autoplay: true, playsInline: true });
  // Played to its end, and not dragged there: only then does it count as seen; then it starts again.
  let playedS = 0, beforeS = 0;
  video.ontimeupdate = () => {
    const stepS = video.currentTime - beforeS;
    if (stepS > 0 && stepS < 1) playedS += stepS;
    beforeS = video.currentTime;
  };
  video.onended = () => {
    if (!Number.isFinite(video.duration) || playedS > 0.9 * video.duration - 0.5) { seen.add(place); show(); }
    playedS = beforeS = 0;
    video.play();
  };
  video.onerror = () => failed(new Error(`Video ${place + 1} cannot be played here. Try another browser, or tell whoever sent you the link.`));
  made.append(video, document.createElement("figcaption"));
  Object.assign(made, { tabIndex: 0, onclick: () => choose(place) });
  made.onkeydown = (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(place); } };
  made.setAttribute("role", "button");
  made.setAttribute("aria-label", `Video ${place + 1}`);
  made.dataset.place = place;
  return made;
}

function release() {
  for (const video of document.querySelectorAll("#videos video")) URL.revokeObjectURL(video.src);
  $("videos").replaceChildren();
}

function choose(place) {
  if (chosen.includes(place)) chosen = chosen.filter((other) => other !== place);
  else if (chosen.length < page.ranks) chosen.push(place);
  show();
}

function show() {
  for (const made of $("videos").children) {
    const rank = chosen.indexOf(Number(made.dataset.place));
    if (rank < 0) delete made.dataset.rank; else made.dataset.rank = rank + 1;
    made.lastChild.textContent = rank < 0 ? "" : ["1st", "2nd", "3rd"][rank];
    made.classList.toggle("seen", seen.has(Number(made.dataset.place)));
  }
  $("send").disabled = busy || chosen.length < page.ranks || seen.size < page.videos;
}

async function vote() {
  if (busy) return;
  busy = true;
  show();
  try {
    await ask(`/vote/${participant}/${page.item}`, { method: "POST", body: JSON.stringify({ ranking: chosen, seen: [...seen] }) });
  } catch (error) {
    if (error.status !== 409) { failed(error); busy = false; show(); return; }  // 409: this page has a vote, go on
  }
  busy = false;
  await next().catch(failed);
}

function failed(error) {
  $("message").textContent = error.status === 401 ? "Wrong token: open the link you were given." : error.message;
}

function begin(name) {
  participant = name;
  next().then(() => {
    asked.set("who", name);
    history.replaceState(null, "", `#${asked}`);
  }).catch(failed);
}

$("who").onsubmit = (event) => { event.preventDefault(); begin($("name").value.trim()); };
$("clear").onclick = () => { chosen = []; show(); };
$("send").onclick = vote;
// A page from the browser's back cache may show an item that has a vote by now.
window.addEventListener("pageshow", (event) => { if (event.persisted && participant) next().catch(failed); });
if (/^[A-Za-z0-9_-]{1,40}$/.test(asked.get("who") || "")) begin(asked.get("who"));
