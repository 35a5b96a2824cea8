"""The console's websocket without a browser: access, control, loss."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from vitra_console.web.access import host_fits, origin_fits, token_fits
from vitra_console.web.presence import Presence
from vitra_evaluation.console.phone import own_address, qr_svg, qr_text, reachable_urls
from vitra_evaluation.session.attempt import Outcome

TOKEN = "correct-horse"


def talk(address: str, story: Callable[[aiohttp.ClientSession, str], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with aiohttp.ClientSession() as http:
            return await story(http, address.replace("http", "ws") + "/ws")

    return asyncio.run(asyncio.wait_for(run(), 120))


async def state(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """The next state; images and answers are passed over."""
    while True:
        message = await socket.receive(timeout=30)
        assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
        if message.type is aiohttp.WSMsgType.TEXT and json.loads(message.data)["type"] == "state":
            return dict(json.loads(message.data))


async def until(socket: aiohttp.ClientWebSocketResponse, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    while not condition(found := await state(socket)):
        pass
    return found


async def enter(http: aiohttp.ClientSession, url: str) -> aiohttp.ClientWebSocketResponse:
    socket = await http.ws_connect(url)
    await socket.send_json({"token": TOKEN})
    return socket


def about(seen: dict[str, Any]) -> dict[str, Any]:
    """What a page sends with an order."""
    return {name: seen[name] for name in ("trial", "phase", "last", "paused", "stops")}


async def answer(socket: aiohttp.ClientWebSocketResponse) -> str:
    """The next answer to an order."""
    while True:
        message = await socket.receive(timeout=30)
        assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
        if message.type is aiohttp.WSMsgType.TEXT and json.loads(message.data)["type"] == "answer":
            return str(json.loads(message.data)["message"])


@pytest.mark.parametrize("first", ['{"token": "wrong"}', "{}", "[]", "not json", '{"token": 7}', '{"do": "stop"}'])
def test_a_wrong_token_learns_and_moves_nothing(console, first: str) -> None:
    async def story(http: aiohttp.ClientSession, url: str) -> None:
        socket = await http.ws_connect(url)
        await socket.send_str(first)
        message = await socket.receive(timeout=30)
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == 4401

    talk(console.address, story)
    assert console.port.stops == 0


def test_a_page_of_another_origin_is_refused(console) -> None:
    async def story(http: aiohttp.ClientSession, url: str) -> None:
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example:80"}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await http.ws_connect(url, headers=headers)
            assert caught.value.status == 403

    talk(console.address, story)


def test_one_trial_from_the_console(console) -> None:
    async def story(http: aiohttp.ClientSession, url: str) -> None:
        socket = await enter(http, url)
        for phase, order in (("reset", "confirm_reset"), ("ready", "start"), ("running", "success")):
            seen = await until(socket, lambda s, phase=phase: s["phase"] == phase)
            await socket.send_json({"do": order, **about(seen)})
        await until(socket, lambda s: s["done"] == 1)

    talk(console.address, story)
    assert console.session.store.attempts()[0].result.outcome is Outcome.SUCCESS


def test_two_evaluators_one_has_control_and_both_can_stop(console) -> None:
    async def story(http: aiohttp.ClientSession, url: str) -> None:
        first, second = await enter(http, url), await enter(http, url)
        assert (await until(first, lambda s: s["consoles"] == 2))["control"]
        seen = await until(second, lambda s: s["phase"] == "reset")
        assert not seen["control"]
        await second.send_json({"do": "confirm_reset"})
        while True:
            message = await second.receive(timeout=30)
            if message.type is aiohttp.WSMsgType.TEXT and json.loads(message.data)["type"] == "answer":
                assert "Another console has control" in json.loads(message.data)["message"]
                break
        await second.send_json({"do": "stop"})
        await until(first, lambda s: s["safety"]["state"] == "stopped")
        await second.send_json({"do": "take"})
        await until(second, lambda s: s["control"])
        assert not (await until(first, lambda s: not s["control"]))["control"]

    talk(console.address, story)
    assert console.port.stops == 1


def test_the_presence_hangs_on_the_beats_of_the_console_in_control(console) -> None:
    async def story(http: aiohttp.ClientSession, url: str) -> None:
        first, second = await enter(http, url), await enter(http, url)
        await state(first)
        await second.send_json({"do": "beat"})
        await state(second)
        assert not console.presence.is_there
        await first.send_json({"do": "beat"})
        await until(first, lambda _: console.presence.is_there)
        await first.close()
        await until(second, lambda _: not console.presence.is_there)

    talk(console.address, story)


def test_an_order_that_names_no_trial_is_not_obeyed(console) -> None:
    async def story(http: aiohttp.ClientSession, url: str) -> None:
        socket = await enter(http, url)
        seen = await until(socket, lambda s: s["phase"] == "reset")
        await socket.send_json({"do": "confirm_reset", "stops": seen["stops"]})
        assert "load it again" in await answer(socket)
        await socket.send_json({"do": "confirm_reset", **about(seen), "trial": "999Z.1"})
        heard = await until(socket, lambda s: "999Z.1" in s["message"])
        assert heard["phase"] == "reset"

    talk(console.address, story)


def test_a_rearm_that_is_older_than_a_stop_does_not_undo_it(console) -> None:
    async def story(http: aiohttp.ClientSession, url: str) -> None:
        first, second = await enter(http, url), await enter(http, url)
        seen = await until(first, lambda s: s["phase"] == "reset")
        await second.send_json({"do": "stop"})
        await until(first, lambda s: s["safety"]["state"] == "stopped")
        await first.send_json({"do": "rearm", **about(seen)})  # was on its way when the stop came
        assert "before the last STOP" in await answer(first)
        assert not console.port.armed
        seen = await until(first, lambda s: s["stops"] > seen["stops"])
        await first.send_json({"do": "rearm", **about(seen)})
        await until(first, lambda s: s["safety"]["state"] == "armed")

    talk(console.address, story)


def test_a_message_that_is_too_long_is_answered_and_the_console_stays(console) -> None:
    async def story(http: aiohttp.ClientSession, url: str) -> None:
        socket = await enter(http, url)
        seen = await until(socket, lambda s: s["phase"] == "reset")
        await socket.send_json({"do": "void", "text": "x" * 20_000, **about(seen)})
        assert "too long" in await answer(socket)
        await socket.send_json({"do": "confirm_reset", **about(seen)})
        await until(socket, lambda s: s["phase"] == "ready")

    talk(console.address, story)


def test_presence_ends_with_silence() -> None:
    now = [0.0]
    presence = Presence(0.6, lambda: now[0])
    assert not presence.is_there
    presence.touch()
    now[0] = 0.59
    assert presence.is_there
    now[0] = 0.61
    assert not presence.is_there


def test_the_state_never_holds_a_policy_or_a_rate(console) -> None:
    async def story(http: aiohttp.ClientSession, url: str) -> str:
        socket = await enter(http, url)
        return json.dumps(await until(socket, lambda s: s["phase"] == "reset"))

    text = talk(console.address, story)
    for word in ("expert", "perturbed", '"one"', '"two"', "rate", "latency", "inference"):
        assert word not in text


def test_tokens_hosts_and_origins_are_compared_strictly() -> None:
    assert token_fits("abc", "abc")
    assert not any(token_fits(t, "abc") for t in ("ab", "abcd", "", None, 5, ["abc"], "äbc"))
    assert origin_fits("http://127.0.0.1:80", "127.0.0.1:80")
    assert origin_fits(None, "127.0.0.1:80")
    assert not any(origin_fits(o, "127.0.0.1:80") for o in ("http://evil:80", "null", "", "http://127.0.0.1:81"))
    assert host_fits("localhost:80", "127.0.0.1", 80)
    assert host_fits("192.168.1.5:80", "0.0.0.0", 80)
    assert not any(host_fits(h, "127.0.0.1", 80) for h in ("evil.example:80", "127.0.0.1:81", None, ""))
    assert not host_fits("evil.example:80", "0.0.0.0", 80)


def test_the_machines_own_names_and_allowed_ones_are_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Robot-PC")
    assert host_fits("robot-pc.local:8765", "0.0.0.0", 8765)
    assert host_fits("robot-pc:8765", "0.0.0.0", 8765)
    assert not host_fits("robot-pc.local:8765", "127.0.0.1", 8765)
    names = ("lab.tunnel.example",)
    assert host_fits("lab.tunnel.example", "127.0.0.1", 8765, names)
    assert host_fits("Lab.Tunnel.Example:443", "127.0.0.1", 8765, names)
    assert not any(
        host_fits(h, "127.0.0.1", 8765, names) for h in ("x.lab.tunnel.example", "lab.tunnel.example.evil:80", "evil")
    )


def test_the_phone_gets_a_link_only_where_it_could_follow_it() -> None:
    assert reachable_urls("127.0.0.1", 8765, "t") == []
    assert reachable_urls("192.168.1.5", 8765, "t") == ["http://192.168.1.5:8765/#token=t"]
    assert reachable_urls("0.0.0.0", 8765, "t", ("robot-pc.local",)) == ["http://robot-pc.local:8765/#token=t"]
    assert "127.0.0.1" not in "".join(reachable_urls("0.0.0.0", 8765, "t")) or own_address() == "127.0.0.1"
    assert qr_svg("http://192.168.1.5:8765/#token=t").startswith("<svg")
    assert len(qr_text("http://192.168.1.5:8765/#token=t").splitlines()) > 10
