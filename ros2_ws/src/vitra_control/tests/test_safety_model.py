"""The model check of STOP, permit, epoch, latch and orders: green on the code, red for a fault in each rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from safety_model import Checker

from vitra_control.stop_reason import StopCause, StopReason
from vitra_control.supervisor import OrderState, RearmResult, SafetyPhase, Supervisor
from vitra_safety.motion_gate import MotionGate, MotionState


def test_no_interleaving_of_seven_events_breaks_a_promise() -> None:
    checker = Checker(depth=7)
    assert checker.run() is None
    assert checker.states > 5000
    assert checker.moving > 20, "the robot moves in the model at all"


@pytest.mark.slow
def test_no_interleaving_of_twelve_events_breaks_a_promise(record_property: Callable[[str, object], None]) -> None:
    checker = Checker(depth=12)
    assert checker.run() is None
    record_property("states", checker.states)
    record_property("transitions", checker.transitions)


class ForgetsWhenOrdersWereGiven(Supervisor):
    def rearm(self, now_s: float, given: OrderState | None = None) -> RearmResult:
        return super().rearm(now_s, None if given is None else OrderState(self.epoch, self.stops))


class LetsTheLastReasonWin(Supervisor):
    def stop(self, cause: StopCause, source: str, detail: str, now_s: float) -> bool:
        super().stop(cause, source, detail, now_s)
        self.reason = StopReason(cause, source, detail, now_s)
        return True


class PermitsWhileStopped(Supervisor):
    @property
    def motion_allowed(self) -> bool:
        return self.phase is not SafetyPhase.DISARMED


class ArmsInTheOldEpoch(Supervisor):
    def rearm(self, now_s: float, given: OrderState | None = None) -> RearmResult:
        result = super().rearm(now_s, given)
        self.epoch -= result.message.startswith("armed")
        return result


class ObeysEverySupervisor(MotionGate):
    def _conflict(self, epoch: int, allowed: bool, now_s: float, source: int) -> str:
        return ""


class TakesAnyEpoch(ObeysEverySupervisor):
    def on_permit(self, epoch: int, allowed: bool, now_s: float, source: int = 0, age_s: float = 0.0) -> bool:
        begins = super().on_permit(epoch, allowed, now_s, source, age_s)
        self.epoch = epoch
        return begins


class NeverFindsAPermitTooOld(MotionGate):
    def _missing(self, now_s: float, commands: bool) -> object:  # type: ignore[override]
        self._permit_s = max(self._permit_s, now_s if self._allowed else self._permit_s)
        return super()._missing(now_s, commands)


class LeavesALatchByItself(MotionGate):
    def update(self, now_s: float, at_rest: bool) -> MotionState:
        if self.state is MotionState.LATCHED:
            self.state = MotionState.HOLDING
        return super().update(now_s, at_rest)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (ForgetsWhenOrdersWereGiven, "a re-arm given before a STOP undoes it"),
        (LetsTheLastReasonWin, "the first reason of a stop is lost"),
        (PermitsWhileStopped, "a STOP that arrived does not stop|a permit allows what is not armed"),
        (ArmsInTheOldEpoch, "arming begins no new epoch"),
        (ObeysEverySupervisor, "a second supervisor arms beside the first"),
        (TakesAnyEpoch, "an epoch goes back|a second supervisor arms beside the first"),
        (NeverFindsAPermitTooOld, "the robot moves though the supervisor has not permitted it for long"),
        (LeavesALatchByItself, "a latched driver moves in its old epoch"),
    ],
)
def test_a_fault_planted_in_a_rule_is_found(fault: type, rule: str) -> None:
    machines = {"make_supervisor": fault} if issubclass(fault, Supervisor) else {"make_gate": fault}
    found = Checker(depth=9, **machines).run()
    assert found is not None
    assert found.rule in rule.split("|"), found
