"""The rules that every console keeps: who may do what, and that a STOP beats everything older."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import pytest

from vitra_console.web.presence import Presence
from vitra_console.web.server import STALE, ConsoleError, ConsoleServer, JpegImage, Page, Told

TOKEN = "correct-horse"


class FakeDesk:
    """Remembers what it was told."""

    pages: dict[str, Page] = {}

    def __init__(self) -> None:
        self.stops = 0
        self.stopped: list[str] = []
        self.told: list[Told] = []
        self.shown = {1: JpegImage("a", b"first")}

    def state(self) -> dict[str, Any]:
        return {"told": len(self.told), "stopped": len(self.stopped)}

    def images(self) -> dict[int, JpegImage]:
        return self.shown

    def stop(self, person: str) -> None:
        self.stopped.append(person)

    def order(self, told: Told) -> str:
        self.told.append(told)
        return "" if told.what != "odd" else "what is odd?"


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
def server(desk: FakeDesk) -> Iterator[ConsoleServer]:
    with ConsoleServer(desk, Presence(), TOKEN, tcp_port=0) as made:
        yield made


class WebConsole:
    """A console as a program."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket, self.answers, self.images = socket, [], []
        self.says_seen = True

    async def seen(self, what: str) -> None:
        if self.says_seen:
            await self.give("seen", what=what)

    async def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            message = await self.socket.receive(timeout=30)
            if message.type is aiohttp.WSMsgType.BINARY:
                self.images.append(message.data)
                await self.seen("image")
                continue
            said = json.loads(message.data)
            if said["type"] == "answer":
                self.answers.append(said["message"])
            else:
                await self.seen("state")
                if condition(said):
                    return dict(said)

    async def give(self, do: str, **more: Any) -> None:
        await self.socket.send_json({"do": do, **more})


def talk(server: ConsoleServer, story: Callable[..., Awaitable[Any]], consoles: int = 1) -> Any:
    async def run() -> Any:
        async with aiohttp.ClientSession() as http:
            pages = []
            for _ in range(consoles):
                page = WebConsole(await http.ws_connect(f"http://127.0.0.1:{server.port}/ws"))
                await page.socket.send_json({"token": TOKEN})
                await page.until(lambda _: True)
                pages.append(page)
            return await story(*pages)

    return asyncio.run(asyncio.wait_for(run(), 60))


def test_an_order_reaches_the_desk_and_its_answer_the_page(server: ConsoleServer, desk: FakeDesk) -> None:
    async def story(page: WebConsole) -> None:
        await page.give("odd", text="x" * 600)
        await page.until(lambda s: s["told"] == 1 and bool(page.answers))
        assert page.answers == ["what is odd?"]

    talk(server, story)
    assert len(desk.told[0].text) == 500


def test_an_order_given_before_a_stop_is_refused_after_it(server: ConsoleServer, desk: FakeDesk) -> None:
    """The page had not heard of the stop when its order left: rearm, run, home ... must not follow a STOP."""

    async def story(page: WebConsole, other: WebConsole) -> None:
        seen = (await page.until(lambda _: True))["stops"]
        await other.give("stop")
        await page.until(lambda s: s["stopped"] == 1)
        await page.give("rearm", stops=seen)
        await page.until(lambda _: bool(page.answers))
        assert page.answers == [STALE]
        now = (await page.until(lambda _: True))["stops"]
        assert now == seen + 1
        await page.give("rearm", stops=now)
        await page.until(lambda s: s["told"] == 1)

    talk(server, story, consoles=2)
    assert [told.what for told in desk.told] == ["rearm"]


def test_an_order_older_than_a_stop_that_no_console_gave_is_refused_too(server: ConsoleServer, desk: FakeDesk) -> None:
    async def story(page: WebConsole) -> None:
        seen = (await page.until(lambda _: True))["stops"]
        desk.stops += 1
        await page.give("run", stops=seen)
        await page.until(lambda _: bool(page.answers))
        assert page.answers == [STALE]

    talk(server, story)
    assert desk.told == []


def test_a_program_that_names_no_state_is_refused_once_there_was_a_stop(server: ConsoleServer, desk: FakeDesk) -> None:
    async def story(page: WebConsole) -> None:
        await page.give("stop")
        await page.give("run")
        await page.until(lambda _: bool(page.answers))

    talk(server, story)
    assert desk.told == []


def test_every_console_may_stop_and_only_one_commands(server: ConsoleServer, desk: FakeDesk) -> None:
    async def story(first: WebConsole, second: WebConsole) -> None:
        await second.give("run", stops=0)
        await second.until(lambda _: bool(second.answers))
        assert "take it over" in second.answers[0]
        await second.give("stop")
        await second.until(lambda s: s["stopped"] == 1)
        await second.give("take")
        assert (await second.until(lambda s: s["control"]))["consoles"] == 2
        await first.until(lambda s: not s["control"])

    talk(server, story, consoles=2)
    assert desk.told == []


def test_a_image_is_sent_once_for_every_key(server: ConsoleServer, desk: FakeDesk) -> None:
    async def story(page: WebConsole) -> None:
        await page.until(lambda _: len(page.images) == 1)
        desk.shown = {1: JpegImage("b", b"second")}
        await page.until(lambda _: len(page.images) == 2)
        await page.until(lambda _: True)

    async def whole(page: WebConsole) -> None:
        await story(page)
        assert page.images == [b"\x01first", b"\x01second"]

    talk(server, whole)


def test_a_page_that_is_slow_to_draw_is_never_behind(
    server: ConsoleServer, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has not drawn yet does not queue up: the next thing it hears is how things are by then."""
    monkeypatch.setattr("vitra_console.web.server._UNSEEN_S", float("inf"))

    async def story(slow: WebConsole, other: WebConsole) -> None:
        slow.says_seen = False
        for number in range(1, 6):
            desk.shown = {1: JpegImage(str(number), str(number).encode())}
            await slow.give("odd")
            await other.until(lambda s, n=number: s["told"] == n and len(other.images) >= n)
        heard = []
        while len([said for said in heard if said == "answer"]) < 5:
            message = await slow.socket.receive(timeout=30)
            binary = message.type is aiohttp.WSMsgType.BINARY
            heard.append("image" if binary else json.loads(message.data)["type"])
        assert heard.count("state") <= 1
        assert heard.count("image") <= 1
        slow.says_seen = True
        await slow.seen("state")
        await slow.seen("image")
        assert (await slow.until(lambda _: True))["told"] == 5
        await slow.until(lambda _: bool(slow.images))
        assert slow.images == [b"\x015"]

    talk(server, story, consoles=2)


def test_a_taken_port_is_told_in_words(server: ConsoleServer, desk: FakeDesk) -> None:
    second = ConsoleServer(desk, Presence(), TOKEN, tcp_port=server.port)
    with pytest.raises(ConsoleError, match="Give another port"):
        second.__enter__()
