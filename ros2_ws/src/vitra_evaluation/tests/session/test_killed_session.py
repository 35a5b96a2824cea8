"""A session of twenty trials is killed (SIGKILL) in every phase and ends with the report of one that was not."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vitra_evaluation.plan.file import parse_plan
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.report import write as report_writer
from vitra_evaluation.session import folder as session_folder
from vitra_evaluation.session import runner as session_runner
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.orders import Order
from vitra_evaluation.session.runner import Runner
from vitra_evaluation.session.store import Store
from vitra_evaluation.session.trial import Command, Phase
from vitra_evaluation.session.verification import verify
from vitra_evaluation.session.view import View

PHASES = [str(phase) for phase in Phase]
MOMENTS = ["creating", *PHASES, "starting", "ending", "keeping", "committing", "committed", "unsealing", "reporting"]
"""Every phase of a trial, and the moments between what is done and what is on record."""


class Deaths:
    """Kills this process at the first time of each moment; a file remembers which it has died of."""

    def __init__(self, file: Path, moments: list[str]) -> None:
        self._file, self._moments = file, moments

    def at(self, moment: str, trial: int = 99) -> None:
        died = self._file.read_text().split() if self._file.exists() else []
        # Spread over the session, so that there is something to lose each time.
        if moment in self._moments and moment not in died and trial >= self._moments.index(moment) // 2:
            with self._file.open("a") as file:
                file.write(moment + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, moment: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*args: Any, **kwargs: Any) -> Any:
            self.at(moment)
            return call(*args, **kwargs)

        return dying


def evaluate(folder: Path, plan: Plan, deaths: Deaths) -> None:
    """One sitting of an evaluator who labels by the number of the slot, and the report at the end."""
    from ..conftest import FakePort, write_bag

    session_folder.write_durably = deaths.before("creating", session_folder.write_durably)
    session_runner.keep_evidence = deaths.before("keeping", session_runner.keep_evidence)
    report_writer.write_atomically = deaths.before("reporting", report_writer.write_atomically)
    Store.unseal = deaths.before("unsealing", Store.unseal)  # type: ignore[method-assign]
    finish = Store.finish

    def commit(*args: Any, **kwargs: Any) -> None:
        deaths.at("committing", args[1])
        finish(*args, **kwargs)
        deaths.at("committed", args[1])

    Store.finish = commit  # type: ignore[method-assign]
    port = FakePort(automatic=False)
    port.start = deaths.before("starting", port.start)
    port.finish = deaths.before("ending", lambda folder: write_bag(folder / "bag", 0.3) or folder / "bag")
    session = Session.load(folder) if folder.exists() else Session.create(folder, plan, secret="s")
    seen: list[tuple[object, Phase | None]] = []

    def look(view: View) -> None:
        phase = view.trial.phase if view.trial else None
        if phase is not None:
            deaths.at(str(phase), view.slot.index)
        if any(t is view.trial and p is phase for t, p in seen) or (phase is None and view.done < view.total):
            return
        seen.append((view.trial, phase))
        label = Order(Command.FAIL, "dropped") if view.slot and view.slot.index % 3 == 0 else Order(Command.SUCCESS)
        for order in {
            Phase.RESET: [Order(Command.CONFIRM_RESET)],
            Phase.READY: [Order(Command.START)],
            Phase.RUNNING: [Order(Command.MILESTONE), Order(Command.END)],
            Phase.LABEL: [label],
            None: [Order(Command.QUIT)],
        }.get(phase, []):
            runner.give(order)

    runner = Runner(session, port, "ann", look, unattended=False)
    if session.is_complete or runner.run():
        report_writer.write_report(session)
    session.close()


def sit(folder: Path, plan: Plan, deaths: Deaths) -> int:
    """A sitting in a process of its own; returns the signal that ended it, or 0."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            evaluate(folder, plan, deaths)
            code = 0
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return -status


def results(folder: Path) -> dict[str, Any]:
    """The report without what a kill may change: when it was, which attempt counts, and what was cut off."""
    figures = json.loads((folder / "report/report.json").read_text())
    for name in ("deviations", "begun"):
        del figures[name]
    for name in ("attempts", "anchor"):
        del figures["session"][name]
    for trial in figures["trials"]:
        del trial["attempt"], trial["started"]
    return dict(figures)


@pytest.fixture
def plan_of_twenty() -> Plan:
    text = (Path(__file__).parents[1] / "data/small.yaml").read_text()
    return parse_plan(text.replace("trials: 3", "trials: 10"), None)


@pytest.mark.slow
def test_a_session_killed_in_every_phase_ends_with_the_same_report(plan_of_twenty: Plan, tmp_path: Path) -> None:
    assert sit(tmp_path / "whole", plan_of_twenty, Deaths(tmp_path / "none", [])) == 0
    deaths, died = tmp_path / "deaths", 0
    while sit(tmp_path / "killed", plan_of_twenty, Deaths(deaths, MOMENTS)) == signal.SIGKILL:
        died += 1
        assert died <= len(MOMENTS)
    assert sorted(deaths.read_text().split()) == sorted(MOMENTS)
    assert results(tmp_path / "killed") == results(tmp_path / "whole")
    assert verify(tmp_path / "killed").problems == []
    session = Session.load(tmp_path / "killed")
    assert len(session.store.counted()) == 20
    cut_off = [a for a in session.store.attempts() if "interrupted" in (a.void_reason or "")]
    assert 3 <= len(cut_off) <= len(MOMENTS)
    session.close()
