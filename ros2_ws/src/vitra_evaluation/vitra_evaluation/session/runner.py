"""Runs a session from wherever it stands to its end: one trial after the other, each committed before the next."""

from __future__ import annotations

import json
import math
import queue
from collections.abc import Callable
from dataclasses import dataclass, field

from vitra_evaluation.backends.port import Check, TrialPort
from vitra_evaluation.errors import PreflightError, RefusedError, SessionError
from vitra_evaluation.plan.schedule import Slot
from vitra_evaluation.session.files import write_atomically
from vitra_evaluation.session.folder import ACTIVE_NAME, Session
from vitra_evaluation.session.sequential_stop import session_decision
from vitra_evaluation.session.store import Outcome, TrialResult
from vitra_evaluation.session.trial import Command, Phase, Trial
from vitra_evaluation.session.trial_record import Evidence, keep_evidence
from vitra_policy.errors import VitraError

_TRIES = 5
_PREFLIGHT_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Order:
    """A command with its text, from whoever gave it."""

    command: Command
    text: str = ""
    person: str = "evaluator"


@dataclass(slots=True)
class View:
    """What an evaluator may see: nothing in it depends on which policy runs.

    Attributes:
        slot: The trial under way.
        trial: Its state.
        attempt: Its number.
        checks: The preflight.
        done: Trials that count.
        total: Trials of the session.
        message: The last news.
        paused: Whether the session waits between two trials.
    """

    slot: Slot | None = None
    trial: Trial | None = None
    attempt: int | None = None
    checks: list[Check] = field(default_factory=list)
    done: int = 0
    total: int = 0
    message: str = ""
    paused: bool = False


class Quit(Exception):  # noqa: N818
    """The evaluator ends the sitting; the session can be resumed."""


class Runner:
    """Runs trials; orders come from other threads through `give`.

    Args:
        session: the session, held by this program.
        port: the robot's side.
        person: who evaluates, for the record.
        tell: called with every change of the view.
        unattended: nobody is there: the simulated robot is armed without being asked, and waiting has an end.
    """

    def __init__(
        self,
        session: Session,
        port: TrialPort,
        person: str = "evaluator",
        tell: Callable[[View], None] = lambda _: None,
        unattended: bool | None = None,
    ) -> None:
        self._session, self._port, self._person, self._tell = session, port, person, tell
        self._orders: queue.Queue[Order] = queue.Queue()
        self._unattended = port.automatic if unattended is None else unattended
        self._failures = 0
        self.view = View(total=len(session.schedule.slots))

    def give(self, order: Order) -> None:
        """Hand over an order; STOP acts at once, in the caller's thread."""
        if order.command is Command.STOP:
            self._port.stop()
        self._orders.put(order)

    def run(self) -> bool:
        """Run until the session is complete (True), decided (True), or the evaluator quits (False).

        Raises:
            SessionError: the session is unsealed, or the same trial cannot be recorded time after time.
            PreflightError: the robot does not get ready (unattended).
        """
        store = self._session.store
        if self._session.is_unsealed:
            raise SessionError("This session has been unsealed by its report; no more blind trials can be made in it.")
        for attempt in self._session.interrupted():
            store.void(attempt.id, "interrupted: the program or the power went away", "vitra-eval")
            self._say(f"trial {attempt.id} was cut off and will be made again")
        try:
            while (slot := self._session.next_slot()) is not None:
                while self.view.paused:
                    self._take(Trial(0.0, (), ()), 0.2)
                if not slot.alias.endswith("A") or not session_decision(self._session).is_final:
                    self._trial(slot)
                    continue
                store.event("stopped early", "the declared sequential comparison has come to its end")
                self._say("the declared sequential comparison has come to its end")
                return True
        except Quit:
            store.event("quit", self._person)
            return False
        self._update(slot=None, trial=None, message="all trials are done")
        return True

    def _trial(self, slot: Slot) -> None:
        plan = self._session.plan
        trial = Trial(
            plan.time_limit_s, plan.task(slot.task).milestones, plan.failure_codes, automatic=self._port.automatic
        )
        self._update(slot=slot, trial=trial, attempt=None, done=len(self._session.store.counted()))
        self._prepare(trial, slot)
        self._serve(trial, lambda: trial.phase is not Phase.RESET)
        if not trial.automatic:
            self._wait_for_start(trial)
        attempt = self._session.store.begin(slot.index)
        self._update(attempt=attempt)
        folder = self._session.trial_folder(attempt)
        folder.mkdir(parents=True)
        write_atomically(self._session.folder / ACTIVE_NAME, json.dumps({"alias": slot.alias, "attempt": attempt}))
        first = self._port.picture()
        try:
            self._port.start(slot, plan, folder)
        except VitraError as error:
            self._port.finish(folder)
            self._session.store.void(attempt, f"could not start: {error}", "vitra-eval")
            self._failed(f"trial {attempt} could not start: {error}")
            return
        try:
            trial.begin(self._port.now_s())
            self._tell(self.view)
            self._serve(trial, lambda: trial.phase is not Phase.RUNNING, watch=True)
        finally:
            last = self._port.picture()
            bag = self._port.finish(folder)
        self._note_events(attempt)
        self._tell(self.view)
        self._serve(trial, lambda: trial.phase is not Phase.LABEL)
        evidence = keep_evidence(folder, bag, first, last, f"trial {attempt}  {slot.task}  {slot.alias}")
        if evidence.problem:
            self._session.store.event("no evidence", evidence.problem, attempt)
        if first and not (reference := self._session.reference(slot)).exists():
            reference.parent.mkdir(exist_ok=True)
            reference.write_bytes(first)
        self._commit(attempt, trial, evidence)

    def _commit(self, attempt: int, trial: Trial, evidence: Evidence) -> None:
        assert trial.outcome is not None
        store = self._session.store
        store.finish(
            attempt,
            TrialResult(
                outcome=trial.outcome,
                reason=trial.end_reason,
                duration_s=round(trial.duration_s, 3),
                judge="simulation" if trial.automatic else self._person,
                failure_code="" if trial.outcome is Outcome.SUCCESS else trial.failure_code,
                note=trial.note,
                milestones=trial.reached,
                interventions=trial.interventions,
                has_bag=not evidence.problem,
                measures=evidence.measures,
            ),
        )
        if trial.void_reason:
            store.void(attempt, trial.void_reason, self._person)
        trial.saved()
        self._update(done=len(store.counted()), message=evidence.problem or f"trial {attempt} is recorded")
        if evidence.problem:
            self._failed(evidence.problem)
        else:
            self._failures = 0

    def _failed(self, why: str) -> None:
        """Count what keeps the session from going on; unattended it must not try for ever."""
        self._failures += 1
        self._say(why)
        if self._failures >= _TRIES:
            raise SessionError(f"{_TRIES} tries in a row came to nothing, the last: {why}")

    def _prepare(self, trial: Trial, slot: Slot) -> None:
        """Preflight, ready posture, start state; a stop in between leads back to the preflight."""
        while True:
            self._preflight(trial)
            try:
                self._port.home()
                self._port.reset(slot, self._session.plan)
            except VitraError as error:
                self._session.store.event("not ready", str(error), self.view.attempt)
                trial.phase = Phase.PREFLIGHT
                if self._unattended:
                    self._failed(str(error))
                else:
                    self._say(str(error))
                continue
            if trial.automatic:
                trial.was_reset()
            return

    def _preflight(self, trial: Trial) -> None:
        deadline_s = math.inf if not self._unattended else self._port.now_s() + _PREFLIGHT_PATIENCE_S
        while True:
            checks = self._port.checks()
            if checks != self.view.checks:
                self._update(checks=checks)
            bad = [check for check in checks if not check.ok]
            if not bad:
                trial.passed_preflight()
                self._tell(self.view)
                return
            if self._unattended and [check.name for check in bad] == ["armed"]:
                self._port.arm()  # nobody stands beside a simulated robot
                continue
            if self._port.now_s() > deadline_s:
                raise PreflightError("Not ready: " + "; ".join(f"{c.name}: {c.detail}" for c in bad))
            self._take(trial, 0.2)

    def _wait_for_start(self, trial: Trial) -> None:
        self._tell(self.view)
        while True:
            order = self._take(trial, 0.2)
            if order is not None and order.command is Command.START:
                bad = [check for check in self._port.checks() if not check.ok]
                if not bad:
                    return
                self._say("not ready: " + "; ".join(f"{c.name}: {c.detail}" for c in bad))

    def _serve(self, trial: Trial, until: Callable[[], bool], watch: bool = False) -> None:
        while not until():
            if watch:
                trial.see(self._port.status())
                self._note_events(self.view.attempt)
                self._take(trial, 0.0)
            else:
                self._take(trial, 0.2)

    def _take(self, trial: Trial, patience_s: float) -> Order | None:
        """Carry out the next order, if there is one; returns it."""
        try:
            order = self._orders.get(block=patience_s > 0, timeout=patience_s or None)
        except queue.Empty:
            return None
        try:
            self._obey(order, trial)
        except VitraError as error:
            self._say(str(error))
            return None
        self._tell(self.view)
        return order

    def _obey(self, order: Order, trial: Trial) -> None:
        match order.command:
            case Command.STOP:
                self._session.store.event("stop pressed", order.person, self.view.attempt)
            case Command.REARM:
                self._port.arm()
                self._say("armed")
            case Command.HOME:
                if trial.phase is Phase.RUNNING:
                    raise RefusedError("'home' does not fit while the policy runs.")
                self._port.home()
            case Command.START:
                if trial.phase is not Phase.READY:
                    raise RefusedError(f"'start' does not fit now: the trial is in phase '{trial.phase}'.")
            case Command.PAUSE:
                self.view.paused = not self.view.paused
                self._session.store.event("paused" if self.view.paused else "resumed", order.person, self.view.attempt)
                self._say("paused: no trial begins until you go on" if self.view.paused else "goes on")
            case Command.QUIT:
                if trial.phase is Phase.RUNNING:
                    raise RefusedError("Label the trial, or void it, before you quit.")
                raise Quit
            case _:
                trial.apply(order.command, self._port.now_s(), order.text)

    def _note_events(self, attempt: int | None) -> None:
        for event in self._port.events():
            self._session.store.event(event.kind, event.detail, attempt)

    def _say(self, message: str) -> None:
        self._update(message=message)

    def _update(self, **changes: object) -> None:
        for name, value in changes.items():
            setattr(self.view, name, value)
        self._tell(self.view)
