"""The motion gate: who may move, when it stops, what latches."""

import pytest

from vitra_safety.motion_gate import MotionGate, MotionState, StopCause


class Bench:
    """A gate with a clock; whatever is switched on arrives at every millisecond."""

    def __init__(self) -> None:
        self.gate, self.now_s, self.epoch, self.at_rest = MotionGate(), 5.0, 1, True
        self.permit = self.allowed = self.feedback = self.command = True

    def run(self, seconds: float) -> MotionState:
        for _ in range(round(seconds * 1000)):
            self.now_s += 0.001
            if self.permit:
                self.gate.on_permit(self.epoch, self.allowed, self.now_s)
            if self.feedback:
                self.gate.on_feedback(self.now_s)
            if self.command and self.gate.accepts_commands(self.now_s):
                self.gate.on_command(self.now_s)
            self.gate.update(self.now_s, self.at_rest)
        return self.gate.state


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_it_holds_until_permit_feedback_and_command_are_there(bench: Bench) -> None:
    for missing in ("permit", "feedback", "command"):
        other = Bench()
        setattr(other, missing, False)
        assert other.run(0.2) is MotionState.HOLDING
    assert bench.run(0.02) is MotionState.MOVING


def test_waiting_for_the_first_command_never_latches(bench: Bench) -> None:
    bench.command = False
    assert bench.run(5.0) is MotionState.HOLDING
    bench.command = True
    assert bench.run(0.01) is MotionState.MOVING


@pytest.mark.parametrize(
    ("what", "limit_s", "cause"),
    [
        ("permit", 0.1, StopCause.PERMIT_MISSING),
        ("command", 0.1, StopCause.COMMAND_MISSING),
        ("feedback", 0.05, StopCause.FEEDBACK_MISSING),
    ],
)
def test_what_runs_out_stops_the_motion_in_time(bench: Bench, what: str, limit_s: float, cause: StopCause) -> None:
    bench.run(0.1)
    setattr(bench, what, False)
    bench.at_rest = False
    assert bench.run(limit_s - 0.002) is MotionState.MOVING
    assert bench.run(0.004) is MotionState.STOPPING
    assert bench.gate.cause is cause
    assert what in bench.gate.detail


def test_a_withdrawn_permit_stops_at_once(bench: Bench) -> None:
    bench.run(0.1)
    bench.allowed = False
    bench.at_rest = False
    assert bench.run(0.001) is MotionState.STOPPING
    assert bench.gate.cause is StopCause.PERMIT_DENIED


def test_a_short_gap_is_survived_after_coming_to_rest(bench: Bench) -> None:
    bench.run(0.1)
    bench.command, bench.at_rest = False, False
    assert bench.run(0.15) is MotionState.STOPPING
    bench.command = True
    assert bench.run(0.05) is MotionState.STOPPING  # never back to moving in mid-stop
    bench.at_rest = True
    assert bench.run(0.01) is MotionState.MOVING
    assert bench.gate.cause is None


def test_a_long_gap_latches_until_a_new_epoch(bench: Bench) -> None:
    bench.run(0.1)
    bench.command = False
    assert bench.run(0.65) is MotionState.LATCHED
    assert bench.gate.cause is StopCause.COMMAND_MISSING
    bench.command = True
    assert bench.run(1.0) is MotionState.LATCHED
    bench.epoch = 2
    assert bench.run(0.01) is MotionState.MOVING
    assert bench.gate.cause is None


def test_the_first_cause_is_kept(bench: Bench) -> None:
    bench.run(0.1)
    bench.feedback = False
    bench.run(0.06)
    bench.permit = False
    bench.run(0.6)
    assert bench.gate.cause is StopCause.FEEDBACK_MISSING


def test_a_fault_stops_and_latches_at_rest(bench: Bench) -> None:
    bench.run(0.1)
    bench.at_rest = False
    bench.gate.on_fault("collision (0x100D)")
    assert bench.run(0.02) is MotionState.STOPPING
    bench.at_rest = True
    assert bench.run(0.002) is MotionState.LATCHED
    assert (bench.gate.cause, bench.gate.detail) == (StopCause.FAULT, "collision (0x100D)")


def test_a_fault_at_rest_latches_at_once(bench: Bench) -> None:
    bench.gate.on_fault("over-temperature")
    assert bench.gate.state is MotionState.LATCHED


@pytest.mark.parametrize("allowed", [True, False])
def test_an_epoch_that_goes_back_is_a_second_supervisor_and_latches(bench: Bench, allowed: bool) -> None:
    bench.epoch = 3
    bench.run(0.1)
    assert not bench.gate.on_permit(2, allowed, bench.now_s)
    assert bench.run(0.005) is MotionState.LATCHED
    assert bench.gate.cause is StopCause.SECOND_SUPERVISOR
    assert "epoch 2 after one of 3" in bench.gate.detail


def test_a_second_supervisor_cannot_undo_a_stop_and_is_named(bench: Bench) -> None:
    bench.run(0.1)
    bench.allowed = False
    bench.run(0.05)
    for _ in range(500):
        bench.gate.on_permit(9, True, bench.now_s, source=77)
        assert bench.run(0.01) is not MotionState.MOVING
    assert bench.gate.epoch == 1
    assert bench.gate.cause is StopCause.SECOND_SUPERVISOR
    assert "run only one" in bench.gate.detail


def test_a_supervisor_that_takes_the_place_of_a_silent_one_may_arm(bench: Bench) -> None:
    bench.run(0.1)
    bench.permit = False
    bench.run(0.7)
    assert not bench.gate.on_permit(2, False, bench.now_s, source=77)
    assert bench.gate.on_permit(3, True, bench.now_s, source=77)
    assert bench.gate.epoch == 3


def test_a_new_epoch_waits_until_there_has_been_one_supervisor_for_a_while(bench: Bench) -> None:
    bench.gate.on_permit(5, False, bench.now_s, source=77)
    bench.run(0.3)
    assert bench.gate.epoch == 0
    bench.epoch = 2
    assert bench.run(0.8) is MotionState.MOVING


def test_an_epoch_older_than_the_last_never_permits_whoever_says_it(bench: Bench) -> None:
    bench.epoch = 8
    bench.run(0.1)
    bench.permit = False
    bench.run(1.0)
    assert not bench.gate.on_permit(4, True, bench.now_s, source=77)
    assert not bench.gate.accepts_commands(bench.now_s)


def test_a_fault_after_another_stop_keeps_both_names(bench: Bench) -> None:
    bench.run(0.1)
    bench.feedback, bench.at_rest = False, False
    bench.run(0.06)
    bench.gate.on_fault("no connection")
    assert bench.gate.cause is StopCause.FAULT
    assert bench.gate.detail.startswith("no connection (first: feedback_missing")
    bench.gate.on_fault("something else")
    assert bench.gate.detail.startswith("no connection")


def test_a_new_epoch_while_moving_stops_first(bench: Bench) -> None:
    bench.run(0.1)
    bench.epoch, bench.at_rest = 2, False
    assert bench.run(0.01) is MotionState.STOPPING
    assert bench.gate.epoch == 1
    bench.at_rest = True
    assert bench.run(0.01) is MotionState.MOVING
    assert bench.gate.epoch == 2


def test_a_denied_permit_of_a_new_epoch_clears_nothing(bench: Bench) -> None:
    bench.gate.on_fault("x")
    bench.allowed, bench.epoch = False, 7
    assert bench.run(0.1) is MotionState.LATCHED


@pytest.mark.parametrize("age_s", [0.11, 5.0, -0.01, float("nan")])
def test_a_permit_that_was_on_its_way_for_too_long_permits_nothing(bench: Bench, age_s: float) -> None:
    bench.permit = False
    for _ in range(50):
        bench.gate.on_permit(1, True, bench.now_s, age_s=age_s)
        assert bench.run(0.01) is MotionState.HOLDING
    assert bench.gate.epoch == 0


def test_a_late_permit_that_denies_still_stops(bench: Bench) -> None:
    bench.run(0.1)
    bench.at_rest = False
    bench.gate.on_permit(1, False, bench.now_s, age_s=3.0)
    bench.gate.update(bench.now_s, False)
    assert bench.gate.state is MotionState.STOPPING


def test_feedback_that_comes_after_the_look_at_the_clock_has_no_negative_age(bench: Bench) -> None:
    """Two threads: a worker that hears the device, and the one that reports."""
    bench.gate.on_feedback(7.02)
    assert bench.gate.feedback_age_s(7.0) == 0.0


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("permit", "last permit 140 ms ago, allowed 100 ms"),
        ("feedback", "last feedback 140 ms ago, allowed 50 ms"),
        ("command", "last command 140 ms ago, allowed 100 ms"),
    ],
)
def test_why_it_may_not_move_is_said_with_its_age_and_what_is_allowed(bench: Bench, missing: str, said: str) -> None:
    setattr(bench, missing, False)
    assert "never" in bench.gate.explain(bench.now_s)
    setattr(bench, missing, True)
    for what in ("permit", "feedback", "command"):
        getattr(bench.gate, f"on_{what}")(*((1, True, 5.0) if what == "permit" else (5.0,)))
    if missing != "permit":
        bench.gate.on_permit(1, True, 5.14)
    if missing != "feedback":
        bench.gate.on_feedback(5.14)
    if missing != "command":
        bench.gate.on_command(5.14)
    assert bench.gate.explain(5.14) == said


def test_a_latched_gate_says_that_it_wants_a_re_arm_and_a_stopping_one_does_not(bench: Bench) -> None:
    bench.run(0.1)
    bench.at_rest = False
    bench.gate.on_fault("hot")
    assert bench.gate.explain(bench.now_s) == "stopping after fault: hot"
    bench.at_rest = True
    bench.run(0.002)
    assert bench.gate.explain(bench.now_s) == "latched after fault: hot; re-arm to move again"


def test_may_move_is_said_only_when_all_is_fresh(bench: Bench) -> None:
    bench.run(0.05)
    assert bench.gate.explain(bench.now_s) == "may move"
    bench.allowed = False
    bench.gate.on_permit(1, False, bench.now_s)
    assert bench.gate.explain(bench.now_s) == "the supervisor gives no permit"


@pytest.mark.parametrize(("what", "limit_s"), [("permit", 0.1), ("feedback", 0.05), ("command", 0.1)])
def test_an_input_as_old_as_allowed_still_counts(what: str, limit_s: float) -> None:
    gate, begin_s = MotionGate(), 64.0  # ages are exact there
    gate.on_permit(1, True, begin_s)
    gate.on_feedback(begin_s)
    gate.on_command(begin_s)
    assert gate.update(begin_s, True) is MotionState.MOVING
    now_s = begin_s + limit_s
    if what != "permit":
        gate.on_permit(1, True, now_s)
    if what != "feedback":
        gate.on_feedback(now_s)
    if what != "command":
        gate.on_command(now_s)
    assert gate.update(begin_s + limit_s * 0.999, False) is MotionState.MOVING
    assert gate.update(begin_s + limit_s * 1.001, False) is MotionState.STOPPING


def test_half_a_second_after_the_loss_it_latches_and_not_before(bench: Bench) -> None:
    bench.run(0.1)
    bench.permit = False
    assert bench.run(0.102) is MotionState.HOLDING
    assert bench.run(0.497) is MotionState.HOLDING
    assert bench.run(0.004) is MotionState.LATCHED


def test_while_the_stop_is_under_way_it_does_not_latch(bench: Bench) -> None:
    bench.run(0.1)
    bench.permit = bench.at_rest = False
    assert bench.run(1.0) is MotionState.STOPPING
    bench.at_rest = True
    assert bench.run(0.002) is MotionState.LATCHED
