"""The safety supervisor: latched stop with the first cause, re-arm only when all is ready, one permit for all."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitra_control.stop_reason import StopCause
from vitra_control.supervisor import (
    BeatState,
    DeviceReport,
    SafetyPhase,
    Supervisor,
    SupervisorSettings,
    devices_of,
)

SETTINGS = SupervisorSettings(nodes=("/executor", "retarget"), devices=("right_arm",))
HEALTHY = DeviceReport("holding", "", 0.004, 0)


class World:
    """A supervisor with everything it requires alive, and the clock."""

    def __init__(self, settings: SupervisorSettings = SETTINGS) -> None:
        self.now_s = 50.0
        self.supervisor = Supervisor(settings, self.now_s, first_epoch=7)
        self.silent: set[str] = set()
        self.beats = {"/executor": BeatState.ACTIVE, "/retarget": BeatState.ACTIVE, "/operator": BeatState.ACTIVE}
        self.device = HEALTHY

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            self.now_s += 0.02
            for node, state in self.beats.items():
                if node not in self.silent:
                    self.supervisor.beat(node, state, "", self.now_s)
            if "right_arm" not in self.silent:
                self.supervisor.report("right_arm", self.device, self.now_s)
            self.supervisor.tick(self.now_s)

    def armed(self) -> World:
        self.run(0.1)
        assert self.supervisor.rearm(self.now_s).success
        self.run(0.1)
        assert self.supervisor.motion_allowed
        return self


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
        ({"refused": 61, "last_refusal": "velocity"}, StopCause.COMMANDS_REFUSED, "right_arm"),
    ],
)
def test_a_sick_device_stops_the_robot(change: dict[str, object], cause: StopCause, source: str) -> None:
    world = World().armed()
    world.device = dataclasses.replace(HEALTHY, **change)
    world.run(0.1)
    assert (world.supervisor.reason.cause, world.supervisor.reason.source) == (cause, source)


@pytest.mark.parametrize("change", [{"refused": 50}, {"state": "latched", "epoch": 7}, {"state": "moving"}])
def test_what_is_normal_does_not_stop_the_robot(change: dict[str, object]) -> None:
    world = World().armed()
    world.device = dataclasses.replace(HEALTHY, **change)
    world.run(0.5)
    assert world.supervisor.motion_allowed


def test_refusals_are_counted_within_a_window_and_a_restarted_driver_counts_anew() -> None:
    world = World().armed()
    for refused in range(0, 400, 2):  # 40 a second
        world.device = dataclasses.replace(HEALTHY, refused=refused)
        world.run(0.05)
    assert world.supervisor.motion_allowed
    world.device = dataclasses.replace(HEALTHY, refused=0)
    world.run(0.5)
    world.device = dataclasses.replace(HEALTHY, refused=59)
    world.run(0.5)
    assert world.supervisor.motion_allowed


def test_refusals_before_a_rearm_are_forgotten() -> None:
    world = World().armed()
    world.device = dataclasses.replace(HEALTHY, refused=100)
    world.run(0.1)
    assert world.supervisor.reason.cause is StopCause.COMMANDS_REFUSED
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
    assert world.supervisor.rearm(world.now_s).success


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
