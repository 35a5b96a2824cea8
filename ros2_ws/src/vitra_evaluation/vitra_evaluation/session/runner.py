"""Runs a session from wherever it stands to its end: one trial after the other, each committed before the next."""

from __future__ import annotations

import json
import math
import queue
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vitra_evaluation.backends.port import TrialPort
from vitra_evaluation.blinding.answer_schedule import known_period_s
from vitra_evaluation.errors import NotRecordingError, PreflightError, RefusedError, SessionError
from vitra_evaluation.plan.schedule import Slot
from vitra_evaluation.session.attempt import NO_START, Outcome, TrialResult
from vitra_evaluation.session.files import file_sha256, room_for, tree_hashes, write_atomically
from vitra_evaluation.session.folder import ACTIVE_NAME, Session
from vitra_evaluation.session.orders import Order, Seen, check_order, read_label
from vitra_evaluation.session.sequential_stop import session_decision
from vitra_evaluation.session.trial import Command, Phase, Trial
from vitra_evaluation.session.trial_record import Evidence, clear_leftovers, keep_evidence
from vitra_evaluation.session.view import LastTrial, View
from vitra_policy.errors import VitraError

_TRIES = 5
_PREFLIGHT_PATIENCE_S = 120.0
_NO_TRIAL = Trial(0.0, (), ())


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
        self._failures = self._tries = self._pressed = 0
        self.view = View(total=len(session.schedule.slots))

    @property
    def stops(self) -> int:
        """How many stops there have been, pressed here or anywhere else."""
        return self._pressed + self._port.stops

    def look(self) -> Seen:
        """What is there now, as an order is about it."""
        view, trial = self.view, self.view.trial
        return Seen(
            trial=trial.name if trial else "",
            phase=str(trial.phase) if trial else "",
            last=view.last.name if view.last else "",
            stops=self.stops,
            paused=view.paused,
        )

    def give(self, order: Order) -> None:
        """Hand over an order; STOP acts at once, in the caller's thread, and on everything given before it."""
        if order.command is Command.STOP:
            self._pressed += 1
            self._port.stop()
        self._orders.put(order if order.seen is not None else replace(order, seen=self.look()))

    def run(self) -> bool:
        """Run until the session is complete (True), decided (True), or the evaluator quits (False).

        Raises:
            SessionError: the session is unsealed or in other hands, or the same trial cannot be recorded time after
                time.
            PreflightError: the robot does not get ready (unattended).
        """
        self._session.hold()
        store = self._session.store
        if self._session.is_unsealed:
            raise SessionError("This session has been unsealed by its report; no more blind trials can be made in it.")
        for attempt in self._session.interrupted():
            clear_leftovers(folder := self._session.trial_folder(attempt.id))
            files = tree_hashes(folder)
            store.void(attempt.id, "interrupted: the program or the power went away", "vitra-eval", files)
            self._say(f"trial {attempt.id} was cut off and will be made again")
        self._update(anchor=store.anchor, done=len(store.counted()))
        try:
            while (slot := self._session.next_slot()) is not None:
                while self.view.paused:
                    self._take(_NO_TRIAL, 0.2)
                if not slot.alias.endswith("A") or not session_decision(self._session).is_final:
                    self._trial(slot)
                    continue
                store.event("stopped early", "the declared sequential comparison has come to its end")
                self._say("the declared sequential comparison has come to its end")
                break
            self._update(slot=None, trial=None, message="all trials are done")
            if not self._unattended:
                self._wait_for_the_last_word()
        except Quit:
            store.event("quit", self._person)
            self._update(anchor=store.anchor)
            return self._is_over()
        return True

    def _is_over(self) -> bool:
        return self._session.is_complete or session_decision(self._session).is_final

    def _wait_for_the_last_word(self) -> None:
        """The last label may be corrected too; a void one is made again by the next sitting."""
        self._say("all trials are done: correct the last label if it is wrong, else quit")
        while True:
            self._take(_NO_TRIAL, 0.2)

    def _trial(self, slot: Slot) -> None:
        plan, store = self._session.plan, self._session.store
        self._tries += 1
        trial = Trial(
            plan.time_limit_s, plan.task(slot.task).milestones, plan.failure_codes, automatic=self._port.automatic,
            name=f"{slot.alias}.{self._tries}", attended=not self._unattended,
        )  # fmt: skip
        self._update(slot=slot, trial=trial, attempt=None, done=len(store.counted()))
        self._prepare(trial, slot)
        while not (trial.automatic and trial.phase is Phase.READY):
            if self._is_start(self._take(trial, 0.2), trial):
                break
        attempt = store.begin(slot.index, alias=slot.alias, answer_s=known_period_s(self._session.folder))
        self._update(attempt=attempt)
        folder = self._session.trial_folder(attempt)
        with room_for(folder):
            self._make(attempt, trial, slot, folder)

    def _make(self, attempt: int, trial: Trial, slot: Slot, folder: Path) -> None:
        """The trial itself, from its start to its committed result."""
        folder.mkdir(parents=True)
        write_atomically(self._session.folder / ACTIVE_NAME, json.dumps({"alias": slot.alias, "attempt": attempt}))
        first, stops = self._port.image(), self.stops
        try:
            self._port.start(slot, self._session.plan, folder)
        except VitraError as error:
            self._port.finish(folder)
            self._could_not_start(attempt, trial, folder, error, stopped=self.stops != stops)
            return
        try:
            trial.begin(self._port.now_s())
            self._tell(self.view)
            self._serve(trial, lambda: trial.phase is not Phase.RUNNING, watch=True)
        finally:
            last = self._port.image()
            bag = self._port.finish(folder)
        self._note_events(attempt)
        self._tell(self.view)
        self._serve(trial, lambda: trial.phase is not Phase.LABEL)
        evidence = keep_evidence(folder, bag, first, last, f"trial {attempt}  {slot.task}  {slot.alias}", slot.alias)
        for kind, detail in (("no evidence", evidence.problem), ("no video", evidence.no_video)):
            if detail:
                self._session.store.event(kind, detail, attempt)
        if first and not (reference := self._session.reference(slot)).exists():
            reference.parent.mkdir(exist_ok=True)
            reference.write_bytes(first)
            name = reference.relative_to(self._session.folder).as_posix()
            self._session.store.event("reference", name, attempt, {name: file_sha256(reference)})
        self._commit(attempt, trial, evidence, folder)

    def _could_not_start(self, attempt: int, trial: Trial, folder: Path, error: VitraError, stopped: bool) -> None:
        """A policy that does not start has failed; a recorder that does not, or a STOP, is none of its doing."""
        store, files = self._session.store, tree_hashes(folder)
        if stopped or isinstance(error, NotRecordingError):
            store.void(attempt, f"could not start: {error}", "vitra-eval", files)
        else:
            judge = "simulation" if trial.automatic else self._person
            result = TrialResult(Outcome.FAIL, f"could not start: {error}", 0.0, judge, failure_code=NO_START)
            store.finish(attempt, result, files)
            self._keep_last(trial, attempt, NO_START)
        self._update(done=len(store.counted()), anchor=store.anchor)
        self._failed(f"trial {attempt} could not start: {error}")

    def _commit(self, attempt: int, trial: Trial, evidence: Evidence, folder: Path) -> None:
        assert trial.outcome is not None
        store = self._session.store
        result = TrialResult(
            outcome=trial.outcome,
            reason=trial.end_reason,
            duration_s=round(trial.duration_s, 3),
            judge="simulation" if trial.automatic and not trial.question else self._person,
            failure_code="" if trial.outcome is Outcome.SUCCESS else trial.failure_code,
            note=trial.note,
            milestones=trial.reached,
            interventions=trial.interventions,
            has_bag=not evidence.problem,
            measures=evidence.measures,
        )
        store.finish(attempt, result, tree_hashes(folder), void=trial.void_reason, person=self._person)
        trial.saved()
        label = "void" if trial.void_reason else " ".join(filter(None, (str(result.outcome), result.failure_code)))
        self._keep_last(trial, attempt, label)
        without = f", without video ({evidence.no_video})" if evidence.no_video else ""
        message = evidence.problem or f"trial {attempt} is recorded: {label}{without}"
        self._update(done=len(store.counted()), message=message, anchor=store.anchor)
        if evidence.problem:
            self._failed(evidence.problem)
        else:
            self._failures = 0

    def _keep_last(self, trial: Trial, attempt: int, label: str) -> None:
        self._update(last=LastTrial(trial.name, attempt, label))

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
                self._go_home()
                self._port.reset(slot, self._session.plan)
                trial.is_home()
                self._tell(self.view)
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
            if self._unattended and any(check.name == "armed" for check in bad) and self._port.now_s() <= deadline_s:
                self._port.arm()  # nobody stands beside a simulated robot
                continue
            if self._port.now_s() > deadline_s:
                raise PreflightError("Not ready: " + "; ".join(f"{c.name}: {c.detail}" for c in bad))
            self._take(trial, 0.2)

    def _go_home(self) -> None:
        self._update(moving="the arms move to the ready posture: keep clear")
        try:
            self._port.home()
        finally:
            self._update(moving="")

    def _is_start(self, order: Order | None, trial: Trial) -> bool:
        """Whether somebody has said that the trial begins, and the checks are still green."""
        if order is None or order.command is not Command.START or trial.phase is not Phase.READY:
            return False
        bad = [check for check in self._port.checks() if not check.ok]
        if bad:
            self._say("not ready: " + "; ".join(f"{c.name}: {c.detail}" for c in bad))
        return not bad

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
            check_order(order, self.look())
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
                self._home(trial)
            case Command.CORRECT:
                self._correct(order)
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

    def _home(self, trial: Trial) -> None:
        if trial.phase is Phase.RUNNING:
            raise RefusedError("'home' does not fit while the policy runs.")
        if trial.phase not in (Phase.RESET, Phase.READY):
            self._go_home()
            return
        trial.homes_again()
        try:
            self._go_home()
        finally:
            trial.is_home()

    def _correct(self, order: Order) -> None:
        last = self.view.last
        if last is None:
            raise RefusedError("No trial was recorded in this sitting; see vitra-eval correct.")
        label = read_label(order.text, self._session.plan.failure_codes)
        store = self._session.store
        store.correct(last.attempt, label.outcome, label.failure_code, label.reason, order.person)
        said = " ".join(filter(None, (str(label.outcome), label.failure_code)))
        self._update(last=replace(last, label=said), anchor=store.anchor)
        self._say(f"trial {last.attempt} is corrected: {said}")

    def _note_events(self, attempt: int | None) -> None:
        for event in self._port.events():
            self._session.store.event(event.kind, event.detail, attempt)

    def _say(self, message: str) -> None:
        self._update(message=message)

    def _update(self, **changes: object) -> None:
        for name, value in changes.items():
            setattr(self.view, name, value)
        self._tell(self.view)
