"""One trial as a state machine: what may happen when, and how it ends; knows neither robot nor clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from vitra_evaluation.errors import RefusedError
from vitra_evaluation.session.attempt import Outcome
from vitra_policy.errors import UnknownNameError


class Phase(StrEnum):
    """Where a trial is."""

    PREFLIGHT = "preflight"
    HOMING = "homing"
    RESET = "reset"
    READY = "ready"
    RUNNING = "running"
    LABEL = "label"
    SAVING = "saving"
    FINISHED = "finished"


class Command(StrEnum):
    """What a person can do; the web console and the terminal have the same list."""

    CONFIRM_RESET = "confirm_reset"
    START = "start"
    END = "end"
    SUCCESS = "success"
    FAIL = "fail"
    SAFETY_STOP = "safety_stop"
    VOID = "void"
    MILESTONE = "milestone"
    INTERVENTION = "intervention"
    STOP = "stop"
    REARM = "rearm"
    HOME = "home"
    PAUSE = "pause"
    QUIT = "quit"
    CORRECT = "correct"


KEYS: dict[str, Command] = {
    "c": Command.CONFIRM_RESET, "g": Command.START, "e": Command.END, "s": Command.SUCCESS, "f": Command.FAIL,
    "x": Command.SAFETY_STOP, "v": Command.VOID, "m": Command.MILESTONE, "i": Command.INTERVENTION,
    " ": Command.STOP, "r": Command.REARM, "h": Command.HOME, "p": Command.PAUSE, "q": Command.QUIT,
    "k": Command.CORRECT,
}  # fmt: skip
"""One key each, in the terminal and in the browser."""

LABELS = frozenset({Command.SUCCESS, Command.FAIL, Command.SAFETY_STOP, Command.VOID})
OF_A_TRIAL = LABELS | {
    Command.CONFIRM_RESET, Command.START, Command.END, Command.MILESTONE, Command.INTERVENTION,
}  # fmt: skip
"""Orders that are only good for the trial and the phase in which they were given."""


STOP_QUESTION = (
    "STOP was pressed. Did the policy make it necessary? Then it is a safety stop; else void it, or label it."
)


@dataclass(frozen=True, slots=True)
class Status:
    """What the robot's side says at one moment.

    Attributes:
        now_s: Its clock.
        stop_cause: Why motion was stopped; empty while it is not.
        stopped_by_person: Whether somebody pressed STOP; why, only a person knows.
        policy_ended: Why the policy's run ended; empty while it runs.
        success: The simulation's judge calls the task done.
        failed: The judge calls it lost, with `reason`.
        reason: Detail of the above.
    """

    now_s: float
    stop_cause: str = ""
    stopped_by_person: bool = False
    policy_ended: str = ""
    success: bool = False
    failed: bool = False
    reason: str = ""


@dataclass(slots=True)
class Trial:
    """State of one trial.

    Attributes:
        time_limit_s: After which it ends.
        milestones: Names of the rubric.
        failure_codes: Allowed labels of a failure.
        automatic: Reset and judged by the simulation: nobody is asked, but why they pressed STOP.
        name: What orders call it; no two trials of a session have the same.
        attended: Whether somebody is there to be asked.
    """

    time_limit_s: float
    milestones: tuple[str, ...]
    failure_codes: tuple[str, ...]
    automatic: bool = False
    name: str = ""
    attended: bool = True
    phase: Phase = Phase.PREFLIGHT
    started_s: float = 0.0
    ended_s: float = 0.0
    end_reason: str = ""
    outcome: Outcome | None = None
    failure_code: str = ""
    note: str = ""
    void_reason: str = ""
    interventions: int = 0
    question: str = ""
    reached: dict[str, float] = field(default_factory=dict)

    def passed_preflight(self) -> None:
        """All checks are green: the arms move to the ready posture."""
        self._expect("preflight", Phase.PREFLIGHT)
        self.phase = Phase.HOMING

    def is_home(self) -> None:
        """The arms rest: the scene may be reset."""
        self._expect("home", Phase.HOMING)
        self.phase = Phase.RESET

    def homes_again(self) -> None:
        """The arms move once more; what was set up before that may have been knocked over."""
        self._expect("home", Phase.RESET, Phase.READY)
        self.phase = Phase.HOMING

    def was_reset(self) -> None:
        """The start state stands."""
        self._expect("reset", Phase.RESET)
        self.phase = Phase.READY

    def begin(self, now_s: float) -> None:
        """The policy runs from now on."""
        self._expect("begin", Phase.READY)
        self.phase, self.started_s = Phase.RUNNING, now_s

    def see(self, status: Status) -> None:
        """Take notice of the robot's side; ends the run when there is a reason."""
        if self.phase is not Phase.RUNNING:
            return
        if status.stop_cause and status.stopped_by_person:
            self._end_by_person(status)
        elif status.stop_cause:
            self._end(status.now_s, f"stopped: {status.stop_cause}", Outcome.SAFETY_STOP, "stopped")
        elif self.automatic and status.success:
            self._end(status.now_s, "success", Outcome.SUCCESS)
        elif self.automatic and status.failed:
            self._end(status.now_s, status.reason or "object lost", Outcome.FAIL, "object_lost")
        elif status.now_s - self.started_s >= self.time_limit_s:
            self._end(status.now_s, "time limit", Outcome.FAIL if self.automatic else None, "time_limit")
        elif status.policy_ended:
            self._end(status.now_s, f"policy ended: {status.policy_ended}", Outcome.FAIL if self.automatic else None)

    def apply(self, command: Command, now_s: float, text: str = "") -> None:
        """Carry out a person's command.

        Args:
            command: what.
            now_s: the robot's clock.
            text: failure code (fail), reason (void), name (milestone); a failure's note follows its code after a colon.

        Raises:
            RefusedError: it does not fit the phase.
            UnknownNameError: no such milestone or failure code.
        """
        match command:
            case Command.CONFIRM_RESET:
                self.was_reset()
            case Command.MILESTONE:
                self._expect(command, Phase.RUNNING)
                left = [m for m in self.milestones if m not in self.reached]
                name = text or (left[0] if left else "")
                if name not in self.milestones:
                    raise UnknownNameError("milestone", name, self.milestones)
                self.reached.setdefault(name, round(now_s - self.started_s, 3))
            case Command.INTERVENTION:
                self._expect(command, Phase.RUNNING)
                self.interventions += 1
            case Command.END:
                if self.phase is Phase.RUNNING:  # comes before every label with a text, in whatever phase
                    self._end(now_s, "ended by the evaluator", None)
            case Command.SUCCESS:
                self._label(command, now_s, Outcome.SUCCESS)
            case Command.FAIL:
                code, _, note = text.partition(":")
                self._check_code(code.strip())
                self._label(command, now_s, Outcome.FAIL, code.strip(), note.strip())
            case Command.SAFETY_STOP:
                self._label(command, now_s, Outcome.SAFETY_STOP, "stopped", text)
            case Command.VOID:
                self._expect(command, Phase.RUNNING, Phase.LABEL)
                if not text.strip():
                    raise RefusedError("Void needs a reason, e.g. 'bumped the table'.")
                self.void_reason = text.strip()
                self._label(command, now_s, self.outcome or Outcome.FAIL, "other")
            case _:
                raise RefusedError(f"'{command}' is not for a trial.")

    def saved(self) -> None:
        """The result is committed."""
        self._expect("save", Phase.SAVING)
        self.phase = Phase.FINISHED

    @property
    def duration_s(self) -> float:
        """How long the policy ran."""
        return max(0.0, self.ended_s - self.started_s)

    def _label(self, what: str, now_s: float, outcome: Outcome, code: str = "", note: str = "") -> None:
        self._expect(what, Phase.RUNNING, Phase.LABEL)
        if self.phase is Phase.RUNNING:
            self.ended_s, self.end_reason = now_s, f"{what} pressed"
        self.outcome, self.failure_code, self.note = outcome, code, note
        self.phase = Phase.SAVING

    def _end(self, now_s: float, reason: str, outcome: Outcome | None, code: str = "") -> None:
        self.ended_s, self.end_reason = now_s, reason
        self.outcome, self.failure_code = outcome, code
        # A person still labels what the machine saw; the simulation's own verdict needs nobody.
        self.phase = Phase.SAVING if self.automatic else Phase.LABEL

    def _end_by_person(self, status: Status) -> None:
        """A STOP that was pressed says nothing yet about the policy: whoever is there is asked."""
        self._end(status.now_s, f"stopped: {status.stop_cause}", None, "stopped")
        if self.attended:
            self.question = STOP_QUESTION
            self.phase = Phase.LABEL
        else:
            self.outcome, self.void_reason = Outcome.FAIL, "somebody pressed STOP, and nobody is there to say why"

    def _check_code(self, code: str) -> None:
        if code not in self.failure_codes:
            raise UnknownNameError("failure code", code, self.failure_codes)

    def _expect(self, what: str, *phases: Phase) -> None:
        if self.phase not in phases:
            raise RefusedError(
                f"'{what}' does not fit now: the trial is in phase '{self.phase}', not {' or '.join(phases)}."
            )
