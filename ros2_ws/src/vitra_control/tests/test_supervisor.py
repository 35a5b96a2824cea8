"""The safety supervisor: latched stop with the first cause, re-arm only when all is ready, one permit for all."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitra_control.stop_reason import StopCause, StopReason
from vitra_control.supervisor import OrderState, SafetyPhase, Supervisor
from vitra_control.supervisor_heard import BeatState, DeviceReport
from vitra_control.supervisor_settings import SupervisorSettings, devices_of

SETTINGS = SupervisorSettings(nodes=("/executor", "retarget"), devices=("right_arm",))
HEALTHY = DeviceReport("holding", "", 0.004, 0)


class World:
    """A supervisor with everything it requires alive, and the clock."""

    def __init__(self, settings: SupervisorSettings = SETTINGS) -> None:
        self.now_s = 50.0
        self.supervisor = Supervisor(settings, self.now_s, first_epoch=7)
        self.silent: set[str] = set()
        self.takes_permits = True
        self.beats = {"/executor": BeatState.ACTIVE, "/retarget": BeatState.ACTIVE, "/operator": BeatState.ACTIVE}
        self.device = HEALTHY

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            self.now_s += 0.02
            for node, state in self.beats.items():
                if node not in self.silent:
                    self.supervisor.beat(node, state, "", self.now_s)
            if "right_arm" not in self.silent:
                taken = max(self.device.epoch, self.supervisor.epoch * self.supervisor.motion_allowed)
                device = dataclasses.replace(self.device, epoch=taken) if self.takes_permits else self.device
                self.supervisor.report("right_arm", device, self.now_s)
            self.supervisor.tick(self.now_s)

    def armed(self) -> World:
        self.run(0.1)
        assert self.supervisor.rearm(self.now_s).success
        self.run(0.1)
        assert self.supervisor.motion_allowed
        return self

    def order(self) -> OrderState:
        return OrderState(self.supervisor.epoch, self.supervisor.stops)


def test_it_starts_disarmed_and_nothing_moves_without_a_rearm() -> None:
    world = World()
    world.run(1.0)
    assert world.supervisor.phase is SafetyPhase.DISARMED
    assert not world.supervisor.motion_allowed
    assert world.supervisor.reason is None


def test_every_rearm_begins_a_new_epoch_and_arming_twice_does_not() -> None:
    world = World().armed()
    assert world.supervisor.epoch == 8
    assert "already" in world.supervisor.rearm(world.now_s).message
    assert world.supervisor.epoch == 8
    world.supervisor.stop(StopCause.OPERATOR_STOP, "operator", "", world.now_s)
    world.run(0.4)
    assert world.supervisor.rearm(world.now_s).success
    assert world.supervisor.epoch == 9


def test_rearm_is_refused_with_everything_that_is_not_ready() -> None:
    world = World(dataclasses.replace(SETTINGS, require_operator=True))
    world.silent = {"/executor", "/operator"}
    world.beats["/retarget"] = BeatState.INACTIVE
    world.device = dataclasses.replace(HEALTHY, fault="over-temperature", feedback_age_s=3.0)
    world.run(0.2)
    result = world.supervisor.rearm(world.now_s)
    assert not result.success
    for words in (
        "executor: no heartbeat yet",
        "retarget: is not active",
        "over-temperature",
        "3.00 s old",
        "operator",
    ):
        assert words in result.message
    assert world.supervisor.epoch == 7


def test_a_dead_node_stops_the_robot_and_is_named() -> None:
    world = World().armed()
    world.silent.add("/executor")
    world.run(0.18)
    assert world.supervisor.motion_allowed
    world.run(0.06)
    assert not world.supervisor.motion_allowed
    reason = world.supervisor.reason
    assert (reason.cause, reason.source) == (StopCause.HEARTBEAT_LOST, "executor")
    assert "0.2" in reason.detail


def test_the_stop_stays_when_the_node_comes_back_and_rearm_then_works() -> None:
    world = World().armed()
    world.silent.add("/executor")
    world.run(0.4)
    assert not world.supervisor.rearm(world.now_s).success
    world.silent.clear()
    world.run(1.0)
    assert world.supervisor.phase is SafetyPhase.STOPPED
    assert world.supervisor.rearm(world.now_s).success
    assert world.supervisor.reason is None


@pytest.mark.parametrize(
    ("change", "cause", "source"),
    [
        ({"fault": "joint 3 over-current"}, StopCause.DRIVER_FAULT, "right_arm"),
        ({"state": "fault"}, StopCause.DRIVER_FAULT, "right_arm"),
        ({"feedback_age_s": 0.6}, StopCause.FEEDBACK_LOST, "right_arm"),
        ({"feedback_age_s": float("nan")}, StopCause.FEEDBACK_LOST, "right_arm"),
        ({"state": "latched", "epoch": 8}, StopCause.DRIVER_LATCHED, "right_arm"),
        ({"violations": 61, "last_refusal": "velocity"}, StopCause.COMMANDS_REFUSED, "right_arm"),
    ],
)
def test_a_sick_device_stops_the_robot(change: dict[str, object], cause: StopCause, source: str) -> None:
    world = World().armed()
    world.device = dataclasses.replace(HEALTHY, **change)
    world.run(0.1)
    assert (world.supervisor.reason.cause, world.supervisor.reason.source) == (cause, source)


@pytest.mark.parametrize("change", [{"violations": 50}, {"state": "moving"}])
def test_what_is_normal_does_not_stop_the_robot(change: dict[str, object]) -> None:
    world = World().armed()
    world.device = dataclasses.replace(HEALTHY, **change)
    world.run(0.5)
    assert world.supervisor.motion_allowed


def test_refusals_are_counted_within_a_window_and_a_restarted_driver_counts_anew() -> None:
    world = World().armed()
    for refused in range(0, 400, 2):  # 40 a second
        world.device = dataclasses.replace(HEALTHY, violations=refused)
        world.run(0.05)
    assert world.supervisor.motion_allowed
    world.device = dataclasses.replace(HEALTHY, violations=0)
    world.run(0.5)
    world.device = dataclasses.replace(HEALTHY, violations=59)
    world.run(0.5)
    assert world.supervisor.motion_allowed


def test_refusals_before_a_rearm_are_forgotten() -> None:
    world = World().armed()
    world.device = dataclasses.replace(HEALTHY, violations=100)
    world.run(0.1)
    assert world.supervisor.reason.cause is StopCause.COMMANDS_REFUSED
    world.run(0.4)
    assert world.supervisor.rearm(world.now_s).success
    world.run(1.0)
    assert world.supervisor.motion_allowed


@pytest.mark.parametrize(
    ("state", "cause"), [(BeatState.FAULT, StopCause.NODE_FAULT), (BeatState.INACTIVE, StopCause.NODE_INACTIVE)]
)
def test_a_node_that_is_not_active_stops_the_robot(state: BeatState, cause: StopCause) -> None:
    world = World().armed()
    world.beats["/retarget"] = state
    world.run(0.1)
    assert (world.supervisor.reason.cause, world.supervisor.reason.source) == (cause, "retarget")


def test_a_heartbeat_of_an_unknown_state_counts_as_a_fault() -> None:
    world = World().armed()
    world.beats["/retarget"] = 77
    world.run(0.1)
    assert world.supervisor.reason.cause is StopCause.NODE_FAULT


def test_nodes_that_are_not_required_may_come_and_go() -> None:
    world = World().armed()
    world.supervisor.beat("/console", BeatState.FAULT, "", world.now_s)
    world.run(2.0)
    assert world.supervisor.motion_allowed


def test_a_silent_operator_stops_the_robot_only_where_one_is_required() -> None:
    for required in (False, True):
        world = World(dataclasses.replace(SETTINGS, require_operator=required)).armed()
        world.silent.add("/operator")
        world.run(1.2)
        assert world.supervisor.motion_allowed is not required
    assert world.supervisor.reason.cause is StopCause.OPERATOR_LOST


@given(st.lists(st.sampled_from(list(StopCause)), min_size=1, max_size=5))
def test_the_first_writer_wins(causes: list[StopCause]) -> None:
    world = World().armed()
    kept = [world.supervisor.stop(cause, f"source {i}", "", world.now_s) for i, cause in enumerate(causes)]
    assert kept == [True] + [False] * (len(causes) - 1)
    assert world.supervisor.reason.source == "source 0"
    assert world.supervisor.reason.cause is causes[0]


def test_a_stall_of_the_supervisor_itself_is_not_held_against_the_others() -> None:
    world = World().armed()
    world.now_s += 0.7
    world.supervisor.tick(world.now_s)
    assert world.supervisor.motion_allowed
    world.silent.add("/executor")
    world.run(0.3)
    assert world.supervisor.reason.source == "executor"


def test_device_names_follow_the_sides() -> None:
    assert devices_of(("left", "right")) == ("left_arm", "left_hand", "right_arm", "right_hand")
    assert devices_of(("right",), hands=False) == ("right_arm",)


def test_a_node_whose_process_ended_stops_the_robot_at_once_and_is_named() -> None:
    world = World().armed()
    world.supervisor.process_ended("/retarget", world.now_s)
    assert not world.supervisor.motion_allowed
    reason = world.supervisor.reason
    assert reason is not None
    assert (reason.cause, reason.source, reason.detail) == (StopCause.HEARTBEAT_LOST, "retarget", "its process ended")


def test_a_process_that_ended_counts_until_its_successor_beats() -> None:
    world = World().armed()
    world.supervisor.process_ended("/retarget", world.now_s)
    assert world.supervisor.not_ready(world.now_s) == ["retarget: its process ended"]
    world.supervisor.beat("/retarget", BeatState.ACTIVE, "", world.now_s)
    assert world.supervisor.rearm(world.now_s, world.order()).success


def test_a_rearm_given_before_a_stop_never_arms() -> None:
    world = World().armed()
    world.supervisor.stop(StopCause.OPERATOR_STOP, "operator", "", world.now_s)
    world.run(1.0)
    order = world.order()
    world.supervisor.stop(StopCause.OPERATOR_STOP, "operator", "again, although stopped", world.now_s)
    world.run(1.0)
    refused = world.supervisor.rearm(world.now_s, order)
    assert not refused.success
    assert "STOP" in refused.message
    assert world.supervisor.rearm(world.now_s, world.order()).success


def test_a_rearm_without_a_state_is_refused_so_soon_after_a_stop_that_it_was_on_its_way() -> None:
    world = World().armed()
    world.supervisor.stop(StopCause.OPERATOR_STOP, "operator", "", world.now_s)
    world.now_s += 0.006
    assert not world.supervisor.rearm(world.now_s).success
    world.run(0.3)
    assert world.supervisor.rearm(world.now_s).success


def test_an_order_of_another_epoch_is_refused() -> None:
    world = World().armed()
    assert not world.supervisor.rearm(world.now_s, OrderState(7, 0)).success


def test_a_supervisor_whose_clock_is_behind_arms_above_every_epoch_its_drivers_know() -> None:
    world = World()
    world.device = dataclasses.replace(HEALTHY, epoch=5000)
    world.run(0.1)
    assert world.supervisor.rearm(world.now_s).success
    assert world.supervisor.epoch == 5001


def test_epochs_that_are_used_up_arm_nobody() -> None:
    world = World()
    world.device = dataclasses.replace(HEALTHY, epoch=0xFFFFFFFF)
    world.run(0.1)
    assert not world.supervisor.rearm(world.now_s).success


def test_a_driver_that_does_not_take_the_permit_stops_the_robot_by_name() -> None:
    world = World().armed()
    world.takes_permits = False
    world.device = dataclasses.replace(HEALTHY, epoch=3, stop_cause="second_supervisor: permits of a second one")
    world.run(0.5)
    assert world.supervisor.motion_allowed
    world.run(0.7)
    assert world.supervisor.reason.cause is StopCause.PERMIT_NOT_TAKEN
    assert "second_supervisor" in world.supervisor.reason.detail


@pytest.mark.parametrize(
    ("why", "cause"),
    [
        ("fault: overspeed limit (0x1009)", StopCause.DRIVER_FAULT),
        ("second_commander: a second commander", StopCause.SECOND_SOURCE),
        ("second_supervisor: two", StopCause.SECOND_SOURCE),
        ("command_missing: last command 100 ms ago", StopCause.DRIVER_LATCHED),
    ],
)
def test_the_first_cause_of_a_driver_that_stopped_by_itself_reaches_the_operator(why: str, cause: StopCause) -> None:
    world = World().armed()
    world.device = dataclasses.replace(HEALTHY, state="latched", stop_cause=why)
    world.run(0.1)
    assert world.supervisor.reason.cause is cause
    assert world.supervisor.reason.detail == why
    assert "re-arm" in world.supervisor.reason.mend


def test_every_cause_has_a_step_that_mends_it() -> None:
    for cause in StopCause:
        assert StopReason(cause, "right_arm", "", 0.0).mend
    assert "right_arm_driver/clear_errors" in StopReason(StopCause.DRIVER_FAULT, "right_arm", "", 0.0).mend


@pytest.mark.parametrize("age_s", [-0.5, -1e-3, float("-inf")])
def test_feedback_from_the_future_is_no_feedback(age_s: float) -> None:
    world = World().armed()
    world.device = dataclasses.replace(HEALTHY, feedback_age_s=age_s)
    world.run(0.1)
    assert world.supervisor.reason.cause is StopCause.FEEDBACK_LOST


def test_a_machine_that_starves_the_supervisor_again_and_again_stretches_no_timeout_twice() -> None:
    world = World().armed()
    last_s = world.now_s
    for _ in range(40):  # a dead node, and ticks every 90 ms instead of every 20
        world.now_s += 0.09
        world.supervisor.report("right_arm", dataclasses.replace(HEALTHY, epoch=8), world.now_s)
        world.supervisor.beat("/retarget", BeatState.ACTIVE, "", world.now_s)
        if not world.supervisor.tick(world.now_s):
            break
    assert world.supervisor.reason.source == "executor"
    assert world.now_s - last_s <= SETTINGS.heartbeat_timeout_s + SETTINGS.excuse_s + 2 * 0.09


def test_two_publishers_of_what_only_one_may_publish_stop_the_robot_by_name() -> None:
    world = World().armed()
    world.supervisor.publishers({"robot_chunk": ["/retarget"], "permit": ["/safety_supervisor"]})
    world.run(0.1)
    assert world.supervisor.motion_allowed
    world.supervisor.publishers({"robot_chunk": ["/retarget", "/_ros2cli_77"]})
    world.run(0.02)
    reason = world.supervisor.reason
    assert (reason.cause, reason.source) == (StopCause.SECOND_SOURCE, "robot_chunk")
    assert "/_ros2cli_77, /retarget" in reason.detail
    world.run(0.5)
    assert not world.supervisor.rearm(world.now_s).success


def test_two_processes_of_one_name_are_told_from_one_that_was_restarted() -> None:
    world = World().armed()
    beat = world.supervisor.beat
    for pid in (11, 11, 12, 12, 13):
        beat("/policy", BeatState.ACTIVE, "", world.now_s, process=(pid, "pc"))
    world.run(0.02)
    assert world.supervisor.motion_allowed
    beat("/policy", BeatState.ACTIVE, "", world.now_s, process=(12, "pc"))
    world.run(0.02)
    assert world.supervisor.reason.cause is StopCause.SECOND_SOURCE
    assert "13 and 12" in world.supervisor.reason.detail


@pytest.mark.parametrize(("said", "kept"), [("image_frozen", "image_frozen"), ("nonsense", "node_fault")])
def test_a_node_may_name_the_cause_of_its_fault(said: str, kept: str) -> None:
    world = World().armed()
    world.supervisor.beat("/retarget", BeatState.FAULT, "the image stands still", world.now_s, cause=said)
    world.supervisor.tick(world.now_s)
    assert world.supervisor.reason.cause == kept


def test_a_supervisor_that_is_about_to_end_stops_the_robot_and_arms_nothing_any_more() -> None:
    world = World().armed()
    world.supervisor.retire(StopCause.LAUNCHER_LOST, "launcher", "process 7 ended", world.now_s)
    assert not world.supervisor.motion_allowed
    assert str(world.supervisor.reason) == "launcher_lost (launcher): process 7 ended"
    answer = world.supervisor.rearm(world.now_s)
    assert not answer.success
    assert "about to end: process 7 ended" in answer.message


def test_the_end_of_the_launcher_is_no_stop_where_nothing_moves() -> None:
    world = World()
    world.supervisor.retire(StopCause.LAUNCHER_LOST, "launcher", "process 7 ended", world.now_s)
    assert world.supervisor.phase is SafetyPhase.DISARMED


def test_what_a_device_lost_before_a_node_felt_it_is_said_with_the_nodes_fault() -> None:
    world = World().armed()
    world.device = dataclasses.replace(HEALTHY, state="holding", stop_cause="feedback_missing: last feedback 52 ms ago")
    world.run(0.1)
    world.beats["/executor"] = BeatState.FAULT
    world.run(0.1)
    reason = world.supervisor.reason
    assert reason is not None
    assert (reason.cause, reason.source) == (StopCause.NODE_FAULT, "executor")
    assert reason.detail.endswith("; right_arm stopped before: feedback_missing: last feedback 52 ms ago")


@pytest.mark.parametrize(
    "device",
    [
        dataclasses.replace(HEALTHY, state="moving", stop_cause="feedback_missing: once, and over"),
        dataclasses.replace(HEALTHY, state="holding", stop_cause="permit_denied: the supervisor gives no permit"),
        dataclasses.replace(HEALTHY, state="holding", stop_cause="command_missing: last command 104 ms ago"),
    ],
)
def test_a_device_that_moves_or_only_obeyed_is_not_blamed_for_a_nodes_fault(device: DeviceReport) -> None:
    world = World().armed()
    world.device = device
    world.run(0.1)
    world.beats["/executor"] = BeatState.FAULT
    world.run(0.1)
    assert world.supervisor.reason is not None
    assert world.supervisor.reason.detail == "reports a fault"
