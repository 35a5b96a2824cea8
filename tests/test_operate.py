"""A new user's path, as the README tells it: `make sim`, the page in Chromium, and the same with `vitra-operate`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from light_graph import light_config

from vitra_bringup.graph_link import GraphError

pytestmark = [pytest.mark.graph, pytest.mark.timeout(400)]
DOMAIN = str(31 + os.getpid() % 60)
READY_S = 100
TASK, SEED = "place_cube_in_box", 1


class SimSession:
    """`vitra-sim` as a user starts it, without a display."""

    def __init__(self, out: Path) -> None:
        environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
        environment.pop("VITRA_CONSOLE_TOKEN", None)
        command = [sys.executable, "-m", "vitra_bringup.sim_session", "--out", str(out), "--domain-id", DOMAIN]
        command += ["--seed", str(SEED), "--launch", f"config:={light_config(out)}"]
        self.out, self.lines = out, []
        self._told = threading.Condition()
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._told:
                self.lines.append(line)
                self._told.notify_all()
        with self._told:
            self.lines.append("(ended)")
            self._told.notify_all()

    def url(self) -> str:
        """The link it prints."""

        def found() -> Any:
            text = "".join(self.lines)
            return re.search(r"open\s+(http://\S+)", text) or text.endswith("(ended)")

        with self._told:
            match = self._told.wait_for(found, READY_S)
        assert isinstance(match, re.Match), "".join(self.lines)
        return match[1]

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self._reader.join(5)
        return code


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimSession]:
    session = SimSession(tmp_path_factory.mktemp("sim"))
    try:
        session.url()
        yield session
    finally:
        session.end()


def operate(*words: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "vitra_bringup.operate", *words, "--json", "--domain-id", DOMAIN]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.stdout, run.stderr
    report = json.loads(run.stdout)
    if str(report.get("error", "")).startswith("Waited "):  # nobody answered: the middleware of a busy machine
        raise GraphError(report["error"])
    return run.returncode, report


def done(*words: str) -> dict[str, Any]:
    code, report = operate(*words)
    assert code == 0, report
    return report


def arm(page: Any) -> None:
    page.wait_for_selector("#rearm:enabled", timeout=20_000)
    page.click("#rearm")
    page.click("#rearm.sure")
    page.wait_for_selector("body[data-safety=armed]", timeout=10_000)


def says(page: Any, text: str) -> None:
    try:
        page.wait_for_function("(text) => $('message').textContent.includes(text)", arg=text, timeout=90_000)
    except Exception as error:
        raise AssertionError(f"The page says '{page.inner_text('#message')}', not '{text}'.") from error


@pytest.fixture
def browser(chromium: Callable[[], Any]) -> Iterator[Any]:
    """One for each try: the page of a try that failed must not keep the control from the next."""
    made = chromium()
    yield made
    made.close()


def test_from_make_sim_to_a_recorded_episode_on_the_page(sim: SimSession, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(sim.url())
    arm(page)
    page.click("#home:enabled")
    says(page, "The arms are in the ready posture.")
    page.fill("#instruction", "Put the red cube into the box.")
    page.click("#run:enabled")
    page.wait_for_function("() => state.executor.words === 'follows the policy'", timeout=20_000)
    page.wait_for_function("() => Number($('camera').dataset.frames) > 3", timeout=20_000)
    page.click("#stop")
    page.wait_for_selector("body[data-safety=stopped]", timeout=5_000)
    assert "Somebody pressed STOP" in page.inner_text("#cause")
    arm(page)
    page.click("#home:enabled")
    says(page, "The arms are in the ready posture.")
    page.select_option("#sim-task", TASK)
    page.fill("#seed", str(SEED))
    page.click("#reset:enabled")
    says(page, "The scene is set up anew")
    page.click("#record:enabled")
    page.wait_for_selector("#save:enabled", timeout=20_000)
    page.click("#run:enabled")
    page.wait_for_function("() => state.policy.running", timeout=20_000)
    page.wait_for_function("() => !state.policy.running", timeout=60_000)
    page.click("#save")
    says(page, "Saved:")
    bag = Path(page.inner_text("#message").partition("Saved: ")[2])
    assert (bag / "metadata.yaml").is_file()
    assert bag.parent == sim.out / "episodes"


def test_the_same_from_a_terminal(sim: SimSession) -> None:
    operate("record", "discard")  # what a try before left under way
    assert done("arm", "--wait-s", "20")["state"] == "armed"  # what stopped it before, if anything did, is over
    assert done("stop")["state"] == "stopped"
    status = done("status")
    assert status["state"] == "stopped"
    assert status["cause"].startswith("Somebody pressed STOP")
    code, refused = operate("run", "Put the red cube into the box.")
    assert code == 1
    assert "not armed" in refused["error"]
    assert done("arm", "--wait-s", "20")["state"] == "armed"
    done("home")
    assert "red cube" in done("reset", "--task", TASK, "--seed", str(SEED))["instruction"]
    done("instruct", "Put the red cube into the box.")
    assert done("speed", "50")["speed"] == "50 % of the limit"
    assert operate("speed", "0")[0] == 1
    assert done("speed", "100")
    recording = done("record", "start")["recording into"]
    assert done("status")["recording"] is True
    code, ran = operate("run", "--time-limit-s", "40")
    assert ran.get("chunks", 0) > 0, ran
    assert (code == 0) == (ran["result"] == "success")
    saved = Path(done("record", "save")["saved"])
    assert saved.name.split("__")[0] == Path(recording).name.split("__")[0].removesuffix(".partial")
    assert (saved / "metadata.yaml").is_file()


def test_a_wrong_task_is_refused_with_the_right_one(sim: SimSession) -> None:
    code, report = operate("reset", "--task", "place_cub_in_box")
    assert code == 1
    assert "place_cube_in_box" in report["error"]


def test_without_a_graph_it_says_so() -> None:
    command = [sys.executable, "-m", "vitra_bringup.operate", "status", "--domain-id", "99", "--find-s", "0.2"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert "make sim" in run.stderr
