"""Fixtures every test of the repository may use."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import statistics
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

# Imported first: pytest would otherwise take the folders of the same names for the packages.
import vitra_policy  # noqa: F401
import vitra_training  # noqa: F401

# The same examples every time, however slow the machine; `make test-explore` looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.register_profile(
    "mutation", derandomize=True, deadline=None, phases=[Phase.explicit, Phase.generate]
)  # one example that fails is enough; the smallest is for people
settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parent
# Nodes, threads, a browser: real time on a machine that may be busy.
_CLOCK_MARKERS, _CLOCK_FIXTURES = ("graph", "realtime"), {"ros_domain", "chromium", "browser"}
_MORE_TRIES = 2
_GRAPH_KEEPS_TIME_NS = 50.0
"""Processor time of a turn of a Python loop beside the robot; where it takes more, two cores have no room for both."""
_CAME_LATE = re.compile(
    r"no heartbeat for|_missing: last|no setpoints for|permit was withdrawn|gives no permit|not armed|too busy"
    r"|had no room|Waited \d+ s for|Timeout \d+ms exceeded"
)
"""What a graph, or a wait for it, says of itself where something came too late."""
_NEVER_CAME = re.compile(r"The launch ended with|still missing|process has died|Traceback")
"""What no machine is too slow for: nodes that do not come up, or end."""
_TOO_LATE_IN_TURN = 3
"""After so many graph tests in turn that were too late there the others are not begun: each takes minutes."""
_GRAPH_DOMAINS = 101  # ROS domain ids 0..101 are safe on every platform


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What runs against the clock is marked `clock`; with `--reruns` it is tried up to twice more, whatever failed."""
    for item in items:
        fixtures = _CLOCK_FIXTURES.intersection(getattr(item, "fixturenames", ()))
        if fixtures or any(item.get_closest_marker(name) for name in _CLOCK_MARKERS):
            item.add_marker(pytest.mark.clock)
            if getattr(config.option, "reruns", None):
                item.add_marker(pytest.mark.flaky(reruns=_MORE_TRIES, only_rerun=[""]))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The processors are watched from the first graph test on; one that was too slow is not asked again."""
    if item.get_closest_marker("graph"):
        if item.config.stash.get(_WERE_TOO_LATE, 0) >= _TOO_LATE_IN_TURN:
            pytest.skip("a machine too slow for the graph: the graph tests before this one were too late")
        _PACE.watch()
        item.stash[_BEGUN_S] = time.monotonic()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A graph that was late says nothing where the machine was too slow for it: there it is skipped.

    Any other failure stays one: a wrong figure, a missing topic, a node that does not come up or ends.
    """
    report = yield
    said = "\n".join(
        line for line in report.longreprtext.splitlines() if line.startswith("E ")
    )  # not the test's source
    if report.when == "call" and report.passed and _BEGUN_S in item.stash:
        item.config.stash[_WERE_TOO_LATE] = 0
    late = report.failed and _CAME_LATE.search(said) and not _NEVER_CAME.search(said)
    if late and _BEGUN_S in item.stash and getattr(item.config.option, "reruns", None):
        turn_ns = _PACE.turn_ns(item.stash[_BEGUN_S])
        if turn_ns > _GRAPH_KEEPS_TIME_NS:
            why = f"a machine too slow for the graph ({turn_ns:.0f} ns a turn, {_GRAPH_KEEPS_TIME_NS:.0f} will do)"
            item.config.stash[_WERE_TOO_LATE] = item.config.stash.get(_WERE_TOO_LATE, 0) + 1
            report.outcome = "skipped"
            report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {why}: {report.longreprtext[-300:]}")
    return report


class _ProcessorPace:
    """Processor time of a turn of a Python loop, looked at twice a second: how fast the processors are meanwhile."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, float]] = deque(maxlen=2000)
        self._thread = threading.Thread(target=self._look, daemon=True)

    def watch(self) -> None:
        """Begin, once."""
        if not self._thread.is_alive():
            self._thread.start()

    def turn_ns(self, since_s: float) -> float:
        """Median since a second before a time; 0 before the first look."""
        taken = [turn_ns for at_s, turn_ns in tuple(self._looks) if at_s >= since_s - 1.0]
        return statistics.median(taken) if taken else 0.0

    def _look(self) -> None:
        turns, pause = 20_000, threading.Event()
        while True:
            begun_ns, total = time.thread_time_ns(), 0
            for turn in range(turns):
                total += turn
            self._looks.append((time.monotonic(), (time.thread_time_ns() - begun_ns) / turns))
            pause.wait(0.5)


_PACE = _ProcessorPace()
_BEGUN_S, _WERE_TOO_LATE = pytest.StashKey[float](), pytest.StashKey[int]()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says which tests were tried again, and what they met before: a fault may be behind it."""
    tried = terminalreporter.stats.get("rerun", [])
    if tried:
        terminalreporter.section("tried again")
    for report in tried:
        terminalreporter.write_line(f"TRIED AGAIN {report.nodeid}: {report.longreprtext}")


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Reference data that is not part of the project; tests that use it skip where it is absent."""
    path = Path(os.environ.get("VITRA_SHARED_DIR", ROOT.parent / "shared"))
    if not path.is_dir():
        pytest.skip(f"reference data not found at {path} (set VITRA_SHARED_DIR)")
    return path


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> int:
    """A ROS domain id of this test's own, confined to this machine."""
    name = f"{os.getpid()}:{request.node.nodeid}"
    domain = 1 + zlib.crc32(name.encode()) % (_GRAPH_DOMAINS - 1)
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return domain


@pytest.fixture
def serve_app() -> Iterator[Callable[[Callable[[int], Any]], str]]:
    """Serves the aiohttp application that a function makes for a port, on a free one of loopback; its address."""
    from aiohttp import web

    loop, ended = asyncio.new_event_loop(), threading.Event()

    async def serve(make: Callable[[int], web.Application]) -> str:
        for port in range(18766, 18966):  # the application knows its port before it listens
            runner = web.AppRunner(make(port))
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", port).start()
            except OSError:
                await runner.cleanup()
                continue
            return f"http://127.0.0.1:{port}"
        raise RuntimeError("no free port")

    def run() -> None:
        loop.run_forever()
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    yield lambda make: asyncio.run_coroutine_threadsafe(serve(make), loop).result(20.0)
    loop.call_soon_threadsafe(loop.stop)
    ended.wait(5.0)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Callable[[], Any]]:
    """Starts a real headless Chromium. Where there is none the test is skipped; with CI=true it fails."""
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _without_a_browser("playwright is not installed. Run `make setup-tests`.")
    if not found:
        _without_a_browser("no Chromium here. Run `requirements/setup-browser.sh` as root.")
    with sync_playwright() as play:
        yield lambda: play.chromium.launch(executable_path=found[0], args=["--no-sandbox", "--disable-gpu"])


@pytest.fixture(scope="module")
def browser(chromium: Callable[[], Any]) -> Iterator[Any]:
    """One for all tests of a module."""
    made = chromium()
    yield made
    made.close()


def _without_a_browser(why: str) -> None:
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"{why} (CI=true: the pages must be tested.)", pytrace=False)
    pytest.skip(why)
