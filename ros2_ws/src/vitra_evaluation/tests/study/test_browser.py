"""The study's pages in a real headless Chromium: from the link to the exported scores."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from aiohttp import web

from vitra_evaluation.study.cli import Export, export, open_study
from vitra_evaluation.study.material import Study
from vitra_evaluation.study.server import make_app
from vitra_evaluation.study.votes import VoteBook

GREY = {"ours": 40, "base": 100, "human": 160, "noise": 220}  # each model's videos are of one shade
TOKEN = "tok"


def write_video(path: Path, grey: int) -> None:
    with av.open(str(path), "w", format="webm") as file:
        stream = file.add_stream("libvpx", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            image = np.full((48, 64, 3), grey, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())


@dataclass
class Served:
    """A study behind its web pages."""

    videos: Path
    out: Path
    study: Study
    book: VoteBook
    address: str
    votes_asked_for: list[str]

    @property
    def link(self) -> str:
        return f"{self.address}/#token={TOKEN}"


@pytest.fixture
def served(tmp_path: Path, serve_app) -> Served:
    videos = tmp_path / "videos"
    for model, grey in GREY.items():
        (videos / model).mkdir(parents=True)
        for item in ("pour", "sweep", "grasp"):
            write_video(videos / model / f"{item}.webm", grey)
    (videos / "items.yaml").write_text("pour: 'Right hand: Pour the tea.'\n")
    study, book = open_study(videos, tmp_path / "out")
    asked: list[str] = []

    @web.middleware
    async def count(request: web.Request, handler) -> web.StreamResponse:
        if request.method == "POST":
            asked.append(request.path)
        return await handler(request)

    def make(port: int) -> web.Application:
        app = make_app(study, book, TOKEN, "127.0.0.1", port)
        app.middlewares.append(count)
        return app

    return Served(videos, tmp_path / "out", study, book, serve_app(make), asked)


@pytest.fixture
def page(browser, served: Served) -> Iterator:
    context = browser.new_context()
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(served.link)
    yield page
    assert problems == []
    context.close()


def begin(page, name: str = "ann") -> None:
    page.fill("#name", name)
    page.click("#who button")
    page.wait_for_selector("figure video")


SHADE = """async (place) => {
  const video = document.querySelectorAll("video")[place];
  if (video.readyState < 2) await new Promise((done) => video.addEventListener("loadeddata", done));
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d");
  pen.drawImage(video, 0, 0, 1, 1);
  return pen.getImageData(0, 0, 1, 1).data[0];
}"""


def shades(page) -> list[str]:
    """The model of each video on the page, told by what it shows."""
    greys = [page.evaluate(SHADE, place) for place in range(4)]
    return [min(GREY, key=lambda model, grey=grey: abs(GREY[model] - grey)) for grey in greys]


def rank(page, *models: str) -> None:
    order = shades(page)
    for model in models:
        page.click(f"figure[data-place='{order.index(model)}']")
    page.wait_for_selector("#send:enabled", timeout=60_000)  # every video has been played to its end


def progress(page, text: str) -> None:
    from playwright.sync_api import expect  # only where there is a page

    expect(page.locator("#progress")).to_have_text(text, timeout=20_000)
    if "3 of 3" not in text:
        page.wait_for_selector("figure video")


def test_a_participant_ranks_every_item_and_the_scores_come_out(page, served: Served) -> None:
    begin(page)
    for done in range(3):
        progress(page, f"{done} of 3 done")
        rank(page, "ours", "human", "base")
        assert page.locator("figcaption").all_inner_texts().count("1st") == 1
        page.click("#send")
    page.wait_for_selector("text=That was all. Thank you!")
    assert {vote.ranked for vote in served.book.votes} == {("ours", "human", "base")}
    assert export(Export(served.videos, served.out)) == 0
    rows = list(csv.DictReader((served.out / "scores.csv").open()))
    assert [(row["model"], float(row["points_per_page"]), row["firsts"]) for row in rows] == [
        ("ours", 3.0, "3"), ("human", 2.0, "0"), ("base", 1.0, "0"), ("noise", 0.0, "0"),
    ]  # fmt: skip
    assert all(float(row["low_95"]) <= float(row["points_per_page"]) <= float(row["high_95"]) for row in rows)


def test_participants_see_orders_of_their_own_and_no_names(browser, served: Served) -> None:
    seen, told = set(), []
    for name in ("ann", "bob", "cid"):
        context = browser.new_context()
        page = context.new_page()
        page.on("response", lambda answer: told.append(answer.url + str(answer.headers)))
        page.goto(served.link)
        begin(page, name)
        seen.add(tuple(shades(page)))
        told.append(page.content())
        context.close()
    assert len(seen) > 1
    assert len(told) > 12
    for model in GREY:
        assert not any(f"{model}/" in text or f'"{model}"' in text or f">{model}<" in text for text in told)


def test_too_few_choices_cannot_be_sent_and_a_choice_can_be_taken_back(page) -> None:
    begin(page)
    order = shades(page)
    page.click("figure[data-place='0']")
    page.click("figure[data-place='1']")
    assert page.is_disabled("#send")
    page.click("figure[data-place='0']")  # taken back: the second moves up
    assert page.inner_text("figure[data-place='1'] figcaption") == "1st"
    page.click("#clear")
    assert not any(page.locator("figcaption").all_inner_texts())
    for place in (3, 2, 1):
        page.focus(f"figure[data-place='{place}']")
        page.keyboard.press("Enter")
    page.click("figure[data-place='0']")  # a fourth is not taken
    assert [page.inner_text(f"figure[data-place='{p}'] figcaption") for p in range(4)] == ["", "3rd", "2nd", "1st"]
    page.wait_for_selector("#send:enabled", timeout=60_000)
    assert order


def test_a_vote_waits_until_every_video_was_played_to_its_end(page, served: Served) -> None:
    page.add_init_script(
        "HTMLMediaElement.prototype.play = () => Promise.resolve();"
        "Object.defineProperty(HTMLMediaElement.prototype, 'autoplay', { set() {} });"  # nothing plays by itself
    )
    page.reload()
    begin(page)
    for place in range(3):
        page.click(f"figure[data-place='{place}']")
    assert page.locator("figure.seen").count() == 0
    assert page.is_disabled("#send")
    page.evaluate(
        "for (const v of document.querySelectorAll('video')) v.currentTime = v.duration"
    )  # dragged to the end
    page.wait_for_function("() => [...document.querySelectorAll('video')].every((v) => v.ended)")
    page.evaluate("for (const v of document.querySelectorAll('video')) v.dispatchEvent(new Event('ended'))")
    assert page.locator("figure.seen").count() == 0
    assert page.is_disabled("#send")
    assert served.votes_asked_for == []


def test_a_video_that_cannot_be_played_is_told_and_not_voted_on(browser, served: Served) -> None:
    broken = served.videos / "base" / "pour.webm"
    for item in ("pour", "sweep", "grasp"):
        (served.videos / "base" / f"{item}.webm").write_bytes(b"no video")
    assert broken.is_file()
    context = browser.new_context()
    page = context.new_page()
    page.goto(served.link)
    page.fill("#name", "ann")
    page.click("#who button")
    page.wait_for_selector("text=cannot be played here", timeout=60_000)
    assert page.is_disabled("#send")
    context.close()


def test_a_double_click_on_next_votes_once(page, served: Served) -> None:
    begin(page)
    rank(page, "ours", "human", "base")
    page.evaluate("$('send').click(); vote(); $('send').click()")
    progress(page, "1 of 3 done")
    assert len(served.book.votes) == 1
    assert len(served.votes_asked_for) == 1


def test_the_same_page_in_two_tabs_counts_once_and_the_second_goes_on(page, served: Served) -> None:
    begin(page)
    other = page.context.new_page()
    other.goto(served.link)
    begin(other)
    rank(page, "ours", "human", "base")
    rank(other, "noise", "base", "human")
    page.click("#send")
    progress(page, "1 of 3 done")
    other.click("#send")
    progress(other, "1 of 3 done")
    assert [vote.ranked for vote in served.book.votes] == [("ours", "human", "base")]


def test_reload_and_the_back_button_lead_to_the_next_open_page(page, served: Served) -> None:
    begin(page)
    rank(page, "ours", "human", "base")
    page.click("#send")
    progress(page, "1 of 3 done")
    page.reload()
    progress(page, "1 of 3 done")
    page.goto("about:blank")
    page.go_back()
    progress(page, "1 of 3 done")
    rank(page, "human", "ours", "base")
    page.click("#send")
    progress(page, "2 of 3 done")
    assert [vote.first for vote in served.book.votes] == ["ours", "human"]


def test_a_wrong_token_shows_nothing_and_says_so(browser, served: Served) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{served.address}/#token=guess")
    page.fill("#name", "ann")
    page.click("#who button")
    page.wait_for_selector("text=Wrong token: open the link you were given.")
    assert page.locator("video").count() == 0
    assert served.book.votes == []
    context.close()


def test_a_vote_that_does_not_arrive_can_be_sent_again(page, served: Served) -> None:
    begin(page)
    rank(page, "ours", "human", "base")
    page.context.set_offline(True)
    page.click("#send")
    page.wait_for_selector("#message:not(:empty)")
    page.context.set_offline(False)
    page.click("#send")
    progress(page, "1 of 3 done")
    assert len(served.book.votes) == 1
