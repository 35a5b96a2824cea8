"""The caption client against a server that lies, refuses, stalls and limits."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from vitra_training.labeling.captions.client import (
    Caption,
    CaptionBudgetError,
    CaptionClient,
    CaptionError,
    ClientConfig,
    RefusedCaptionError,
    UnavailableCaptionError,
)

GOOD = {"caption": "Pick up the red cup.", "rephrases": ["Grab the red cup.", "Take the red cup"]}


def completion(content: Any, **message: Any) -> dict[str, Any]:
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    return {
        "model": "made-up-1",
        "choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 50},
    }


@dataclass
class Server:
    """Answers in the order given; the last one again and again."""

    answers: list[tuple[int, Any, dict[str, str]]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    url: str = ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body, headers = state.answers[min(len(state.requests), len(state.answers)) - 1]
            if body == "slow":
                state.hold.wait(20)
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                while body == "trickle":
                    self.wfile.write(b" ")
                self.wfile.write(data)
            except OSError:
                pass

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    threading.Thread(target=http.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{http.server_port}/v1"
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield state
    state.hold.set()
    http.shutdown()
    http.server_close()


class Clock:
    def __init__(self) -> None:
        self.now_s, self.slept = 0.0, []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def client(server: Server, root: Path, clock: Clock | None = None, **more: Any) -> CaptionClient:
    clock = clock or Clock()
    return CaptionClient(ClientConfig(base_url=server.url, **more), root, clock, clock.sleep)


def test_images_and_hand_go_out_and_a_caption_with_rephrases_comes_back(server: Server, tmp_path: Path) -> None:
    server.answers = [(200, completion(GOOD), {})]
    got = client(server, tmp_path).caption("left", [b"one", b"two"])
    rephrases = ("Grab the red cup.", "Take the red cup.")
    assert got == Caption("Pick up the red cup.", rephrases, "made-up-1", 1000, 50)
    parts = server.requests[0]["messages"][0]["content"]
    assert "left hand" in parts[0]["text"]
    assert [p["type"] for p in parts] == ["text", "image_url", "image_url"]
    folder = next(tmp_path.iterdir())
    assert (folder / "prompt.txt").read_text() == parts[0]["text"]
    assert (folder / "1.jpg").read_bytes() == b"two"
    assert json.loads((folder / "raw0.json").read_text())["model"] == "made-up-1"


def test_nothing_is_asked_twice(server: Server, tmp_path: Path) -> None:
    server.answers = [(200, completion(GOOD), {})]
    first = client(server, tmp_path).caption("left", [b"one"])
    assert client(server, tmp_path).caption("left", [b"one"]) == first
    assert len(server.requests) == 1
    client(server, tmp_path).caption("right", [b"one"])
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "bad",
    [
        "",
        None,
        "Pick up the cup.",
        "{\"caption\": 3}",
        {"caption": "Pick up.", "rephrases": "no list"},
        {"caption": "Pick up.", "extra": 1},
        {"caption": "{}", "rephrases": []},
        {"caption": "x" * 500, "rephrases": []},
        [GOOD],
    ],
)  # fmt: skip
def test_an_answer_that_is_not_what_was_asked_for_is_asked_again(bad: Any, server: Server, tmp_path: Path) -> None:
    server.answers = [(200, completion(bad), {}), (200, completion(GOOD), {})]
    assert client(server, tmp_path).caption("right", [b"x"]).text == "Pick up the red cup."
    assert len(server.requests) == 2


@pytest.mark.parametrize("body", ["this is no JSON", {"error": "x"}, [], {"choices": []}, {"choices": [{}]}])
def test_a_server_that_lies_every_time_ends_in_a_named_error(body: Any, server: Server, tmp_path: Path) -> None:
    server.answers = [(200, body, {})]
    with pytest.raises(CaptionError, match="after 3 attempts"):
        client(server, tmp_path, attempts=3).caption("right", [b"x"])
    assert len(server.requests) == 3


def test_a_rate_limit_is_kept_and_the_servers_own_is_obeyed(server: Server, tmp_path: Path) -> None:
    clock = Clock()
    server.answers = [(429, "slow down", {"Retry-After": "17"}), (200, completion(GOOD), {})]
    asked = client(server, tmp_path, clock, requests_per_minute=3)
    asked.caption("left", [b"a"])
    assert clock.slept == [17.0]
    for image in (b"b", b"c"):
        asked.caption("left", [image])
    assert len(server.requests) == 4
    assert clock.now_s >= 60.0  # the fourth request within a minute waited


def test_a_refusal_is_final(server: Server, tmp_path: Path) -> None:
    server.answers = [(200, completion(None, refusal="I cannot help with that."), {})]
    with pytest.raises(RefusedCaptionError, match="cannot help"):
        client(server, tmp_path).caption("left", [b"x"])
    server.answers = [(400, "no such picture", {})]
    with pytest.raises(RefusedCaptionError, match="400"):
        client(server, tmp_path).caption("right", [b"x"])
    assert len(server.requests) == 2


def test_a_wrong_key_is_the_servers_no_to_everybody_and_no_episodes_fault(server: Server, tmp_path: Path) -> None:
    server.answers = [(401, "wrong key", {})]
    with pytest.raises(UnavailableCaptionError, match="401"):
        client(server, tmp_path).caption("right", [b"x"])
    assert len(server.requests) == 1


def test_an_answer_that_trickles_in_is_given_up_after_its_time(server: Server, tmp_path: Path) -> None:
    """Each piece comes in time, and the end never."""
    server.answers = [(200, "trickle", {})]
    clock = Clock()

    def later() -> float:
        clock.now_s += 1.0
        return clock.now_s

    asked = CaptionClient(ClientConfig(base_url=server.url, attempts=1, timeout_s=5.0), tmp_path, later, clock.sleep)
    with pytest.raises(UnavailableCaptionError, match="not whole after 5 s"):
        asked.caption("left", [b"x"])


def test_a_full_disk_is_no_fault_of_the_server(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers = [(200, completion(GOOD), {})]
    write = Path.write_text

    def full(path: Path, text: str) -> int:
        if path.name.startswith("raw"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        client(server, tmp_path).caption("left", [b"x"])
    assert len(server.requests) == 1


def test_a_server_that_stalls_is_given_up_after_its_time(server: Server, tmp_path: Path) -> None:
    server.answers = [(200, "slow", {})]
    with pytest.raises(UnavailableCaptionError, match="timed out"):
        client(server, tmp_path, timeout_s=0.3, attempts=2).caption("left", [b"x"])


def test_nobody_there_is_a_named_error(server: Server, tmp_path: Path) -> None:
    gone = ClientConfig(base_url="http://127.0.0.1:9/v1", attempts=2)
    clock = Clock()
    with pytest.raises(UnavailableCaptionError, match=r"127\.0\.0\.1:9"):
        CaptionClient(gone, tmp_path, clock, clock.sleep).caption("left", [b"x"])


def test_the_budget_stops_further_requests(server: Server, tmp_path: Path) -> None:
    server.answers = [(200, completion(GOOD), {})]
    asked = client(server, tmp_path, budget_usd=0.004)  # one answer costs 0.0024
    asked.caption("left", [b"a"])
    asked.caption("left", [b"b"])
    with pytest.raises(CaptionBudgetError, match="nothing is paid twice"):
        asked.caption("left", [b"c"])
    assert len(server.requests) == 2
