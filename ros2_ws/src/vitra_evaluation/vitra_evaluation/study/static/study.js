"use strict";
const $ = (id) => document.getElementById(id);
const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
const headers = { "X-Token": token };
let participant = "", page = null, chosen = [];

async function ask(path, options) {
  const answer = await fetch(path, { headers, ...options });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

async function next() {
  page = await (await ask(`/page/${participant}`)).json();
  $("who").hidden = true;
  $("page").hidden = !("item" in page);
  $("progress").textContent = `${page.done} of ${page.total} done`;
  if (!("item" in page)) { $("message").textContent = "That was all. Thank you!"; return; }
  $("instruction").textContent = page.instruction;
  $("how").textContent = `Click the best video first, then the next: ${page.ranks} in all.`;
  chosen = [];
  const figures = await Promise.all(Array.from({ length: page.videos }, async (_, place) => {
    const data = await (await ask(`/video/${participant}/${page.item}/${place}`)).blob();
    const figure = document.createElement("figure"), video = document.createElement("video");
    Object.assign(video, { src: URL.createObjectURL(data), loop: true, muted: true, autoplay: true, playsInline: true });
    figure.append(video, document.createElement("figcaption"));
    figure.dataset.place = place;
    figure.onclick = () => { if (chosen.length < page.ranks && !chosen.includes(place)) { chosen.push(place); show(); } };
    return figure;
  }));
  $("videos").replaceChildren(...figures);
  show();
}

function show() {
  for (const figure of $("videos").children) {
    const rank = chosen.indexOf(Number(figure.dataset.place));
    if (rank < 0) delete figure.dataset.rank; else figure.dataset.rank = rank + 1;
    figure.lastChild.textContent = rank < 0 ? "" : ["1st", "2nd", "3rd"][rank];
  }
  $("send").disabled = chosen.length < page.ranks;
}

function failed(error) { $("message").textContent = error.message; }

$("who").onsubmit = (event) => { event.preventDefault(); participant = $("name").value.trim(); next().catch(failed); };
$("clear").onclick = () => { chosen = []; show(); };
$("send").onclick = () => {
  $("send").disabled = true;
  ask(`/vote/${participant}/${page.item}`, { method: "POST", body: JSON.stringify(chosen) }).then(next).catch(failed);
};
