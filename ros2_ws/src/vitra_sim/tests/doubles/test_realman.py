"""The controller double as the genuine vendor SDK sees it."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from vitra_sim.doubles.realman import SLOW_S, RealmanDouble
from vitra_sim.doubles.realman_kinematic import KinematicArm
from vitra_sim.doubles.realman_model import ArmModel, flange_pose

pytestmark = pytest.mark.realtime

sdk = pytest.importorskip("Robotic_Arm.rm_robot_interface", reason="vendor SDK: pip install Robotic_Arm==1.1.6")
START_DEG = [0.0, 20.0, 0.0, 40.0, 0.0, 30.0, 0.0]
DEADLINE_S = 5.0


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Any) -> bool:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition() and time.monotonic() < deadline_s:
        threading.Event().wait(0.005)
    return bool(condition())


@pytest.fixture(scope="module")
def udp_port() -> int:
    """One for all: the SDK never closes a UDP socket and opens five at most."""
    return free_udp_port()


@pytest.fixture(scope="module")
def first_sdk() -> Iterator[Any]:
    """The SDK starts its threads once per process."""
    yield sdk.RoboticArm(sdk.rm_thread_mode_e.RM_TRIPLE_MODE_E)
    sdk.RoboticArm.rm_destroy()


@pytest.fixture(scope="module")
def pushes(first_sdk: Any) -> Iterator[list[tuple[Any, ...]]]:
    """What the SDK's callback was given: address, joint 2 [deg], first error, position [m]."""
    seen: list[tuple[Any, ...]] = []

    def on_state(state: Any) -> None:
        joints, position = state.joint_status, state.waypoint.position
        seen.append((state.arm_ip, joints.joint_position[1], state.err.err[0], (position.x, position.y, position.z)))

    callback = sdk.rm_realtime_arm_state_callback_ptr(on_state)  # must outlive every connection
    first_sdk.rm_realtime_arm_state_call_back(callback)
    yield seen  # noqa: PT022 - keeps the callback alive


@pytest.fixture(params=[3, 4], ids=["generation3", "generation4"])
def double(request: pytest.FixtureRequest, udp_port: int) -> Iterator[RealmanDouble]:
    arm = KinematicArm(np.deg2rad(START_DEG))
    model = ArmModel(generation=request.param)
    with RealmanDouble(arm, tcp_port=0, udp_port=udp_port, model=model) as controller:
        yield controller


@pytest.fixture
def arm(first_sdk: Any, double: RealmanDouble) -> Iterator[Any]:
    robot = sdk.RoboticArm()
    assert robot.rm_create_robot_arm(double.ip, double.tcp_port, level=3).id > 0
    yield robot
    robot.rm_delete_robot_arm()


def test_the_sdk_learns_model_sensor_and_generation(arm: Any, double: RealmanDouble) -> None:
    code, info = arm.rm_get_robot_info()
    assert code == 0
    assert (info["arm_model"], info["force_type"], info["arm_dof"]) == ("RM_75", "6F", 7)
    assert info["robot_controller_version"] == double.controller.model.generation


def test_settings_come_back_as_they_were_set(arm: Any) -> None:
    assert arm.rm_set_collision_state(5) == 0
    assert arm.rm_get_collision_stage() == (0, 5)
    assert arm.rm_set_arm_max_line_speed(0.25) == 0
    assert arm.rm_get_arm_max_line_speed() == (0, 0.25)
    assert arm.rm_set_joint_max_speed(1, 90) == 0
    assert arm.rm_get_joint_max_speed()[1][:2] == [90.0, 180.0]
    assert arm.rm_set_avoid_singularity_mode(1) == 0
    assert arm.rm_get_avoid_singularity_mode() == (0, 1)
    assert arm.rm_set_self_collision_enable(True) == 0
    assert arm.rm_get_self_collision_enable() == (0, True)
    assert arm.rm_get_joint_max_pos()[1] == [178.0, 130.0, 178.0, 135.0, 178.0, 128.0, 360.0]
    assert arm.rm_get_arm_power_state() == (0, 1)
    assert arm.rm_get_arm_run_mode() == (0, 1)


def test_movej_blocks_until_the_arm_is_there(arm: Any, double: RealmanDouble) -> None:
    goal = [5.0, 25.0, -5.0, 40.0, 0.0, 30.0, 10.0]
    assert arm.rm_movej(goal, 50, 0, 0, 1) == 0
    assert wait_for(lambda: np.allclose(arm.rm_get_joint_degree()[1], goal, atol=2e-3))


def test_movej_beyond_a_limit_is_refused_and_named(arm: Any, double: RealmanDouble) -> None:
    assert arm.rm_movej([179.0, 20.0, 0.0, 40.0, 0.0, 30.0, 0.0], 50, 0, 0, 1) == 1
    assert arm.rm_get_current_arm_state()[1]["err"]["err"] == [str(0x1002)]
    assert arm.rm_clear_system_err() == 0
    assert arm.rm_get_current_arm_state()[1]["err"]["err"] == ["0"]


def test_a_latched_error_fails_a_blocking_move_at_once(arm: Any, double: RealmanDouble) -> None:
    double.raise_error(0x100D)
    assert arm.rm_movej([5.0, 20.0, 0.0, 40.0, 0.0, 30.0, 0.0], 50, 0, 0, 1) == 1
    arm.rm_clear_system_err()
    assert arm.rm_movej([1.0, 20.0, 0.0, 40.0, 0.0, 30.0, 0.0], 50, 0, 0, 1) == 0


def test_numbers_that_the_sdk_does_not_check_do_not_move_the_arm(arm: Any, double: RealmanDouble) -> None:
    targets = double.controller.port.targets
    assert arm.rm_movej_canfd([math.nan, *START_DEG[1:]], True, 0, 0, 0) == 0
    assert arm.rm_movej_canfd([500.0, *START_DEG[1:]], True, 0, 0, 0) == 0
    assert wait_for(lambda: double.controller.counts.get("movej_canfd") == 2)
    assert double.controller.error_codes() == [0x1002]
    assert double.controller.port.targets == targets


def test_stop_pause_and_continue_are_answered(arm: Any, double: RealmanDouble) -> None:
    assert arm.rm_movej([60.0, 20.0, 0.0, 40.0, 0.0, 30.0, 0.0], 20, 0, 0, 0) == 0
    assert arm.rm_set_arm_pause() == 0
    assert arm.rm_set_arm_continue() == 0
    assert arm.rm_set_arm_slow_stop() == 0
    assert wait_for(lambda: double.controller.motion.status == "idle")
    assert arm.rm_get_joint_degree()[1][0] < 50.0
    assert arm.rm_set_arm_stop() == 0
    assert arm.rm_set_delete_current_trajectory() == 0


def test_the_state_push_carries_position_errors_and_pose(
    arm: Any, double: RealmanDouble, pushes: list[tuple[Any, ...]], udp_port: int
) -> None:
    pushes.clear()
    arm.rm_set_realtime_push(sdk.rm_realtime_push_config_t(1, True, udp_port, -1, "127.0.0.1"))
    double.raise_error(0x100D)
    assert wait_for(lambda: pushes and pushes[-1][2] == 0x100D)
    ip, joint_2_deg, _, position_m = pushes[-1]
    assert ip == b"127.0.0.11"
    assert joint_2_deg == pytest.approx(20.0)
    expected_m, _, _ = flange_pose(np.deg2rad(START_DEG), double.controller.model.link_lengths_m)
    assert position_m == pytest.approx(expected_m, abs=2e-6)


@pytest.mark.parametrize(("variant", "force"), [("RM75-B", "RM_MODEL_RM_B_E"), ("RM75-6F", "RM_MODEL_RM_SF_E")])
def test_forward_kinematics_agree_with_the_vendors(variant: str, force: str) -> None:
    algorithm = sdk.Algo(sdk.rm_robot_arm_model_e.RM_MODEL_RM_75_E, getattr(sdk.rm_force_type_e, force))
    random = np.random.default_rng(7)
    for _ in range(50):
        q_deg = random.uniform(-120.0, 120.0, 7)
        pose = algorithm.rm_algo_forward_kinematics(q_deg.tolist(), 1)
        position_m, euler_rad, _ = flange_pose(np.deg2rad(q_deg), ArmModel(variant).link_lengths_m)
        assert position_m == pytest.approx(pose[:3], abs=1e-5)
        turn = (np.array(euler_rad) - pose[3:] + math.pi) % (2 * math.pi) - math.pi
        assert np.abs(turn).max() < 1e-3


class RawClient:
    """A client without the SDK."""

    def __init__(self, double: RealmanDouble) -> None:
        self.socket = socket.create_connection((double.ip, double.tcp_port), timeout=DEADLINE_S)
        self.lines = self.socket.makefile("rb")

    def send(self, **message: Any) -> None:
        self.socket.sendall(json.dumps(message).encode() + b"\r\n")

    def ask(self, **message: Any) -> dict[str, Any]:
        self.send(**message)
        return dict(json.loads(self.lines.readline()))


@pytest.fixture
def raw(double: RealmanDouble) -> Iterator[RawClient]:
    client = RawClient(double)
    yield client
    client.lines.close()
    client.socket.close()


def test_six_joints_or_no_json_at_all_do_no_harm(raw: RawClient, double: RealmanDouble) -> None:
    raw.socket.sendall(b"hello\r\n{}\r\n[1]\r\n")
    raw.send(command="movej_canfd", joint=[0] * 6, follow=True)
    assert raw.ask(command="movej", joint=[0] * 6, v=20) == {"command": "movej", "receive_state": False}
    assert double.controller.port.targets == 0
    assert double.controller.error_codes() == [0x1002]


def test_a_command_may_arrive_in_pieces(raw: RawClient) -> None:
    raw.socket.sendall(b'{"command":"get_joint')
    raw.socket.sendall(b'_degree"}\r\n')
    assert json.loads(raw.lines.readline())["joint"] == [round(q * 1000) for q in START_DEG]


def test_a_dropped_client_may_come_back(raw: RawClient, double: RealmanDouble) -> None:
    raw.ask(command="get_arm_power_state")
    double.drop_tcp()
    assert raw.lines.readline() == b""
    assert RawClient(double).ask(command="get_arm_power_state")["power_state"] == 1


def test_a_frozen_controller_neither_answers_nor_pushes(raw: RawClient, double: RealmanDouble) -> None:
    double.faults.frozen = True
    raw.socket.settimeout(0.1)
    raw.send(command="get_joint_degree")
    with pytest.raises(TimeoutError):
        raw.socket.recv(1)
    pushes = double.pushes
    with pytest.raises(TimeoutError):
        raw.socket.recv(1)
    assert double.pushes == pushes


def test_a_stalled_connection_is_not_read_while_the_push_goes_on(raw: RawClient, double: RealmanDouble) -> None:
    double.faults.tcp_stalled = True
    double.call(lambda: None)
    pushes = double.pushes
    raw.send(command="get_arm_power_state")
    raw.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        raw.socket.recv(1, socket.MSG_PEEK)
    assert double.pushes > pushes
    double.faults.tcp_stalled = False
    raw.socket.settimeout(DEADLINE_S)
    assert json.loads(raw.lines.readline())["power_state"] == 1


def test_a_cut_connection_is_closed_and_so_is_the_next_one(raw: RawClient, double: RealmanDouble) -> None:
    double.faults.tcp_cut = True
    assert raw.lines.readline() == b""
    with pytest.raises((ConnectionError, ValueError)):
        RawClient(double).ask(command="get_arm_power_state")
    double.faults.tcp_cut = False
    double.call(lambda: None)
    assert RawClient(double).ask(command="get_arm_power_state")["power_state"] == 1


def test_a_slow_controller_obeys_in_turn_and_late(raw: RawClient, double: RealmanDouble) -> None:
    double.faults.slow = True
    began_s = time.monotonic()
    raw.send(command="set_collision_stage", collision_stage=3)
    raw.send(command="get_collision_stage")
    answers = [json.loads(raw.lines.readline()) for _ in range(2)]
    assert time.monotonic() - began_s >= SLOW_S
    assert answers[1]["collision_stage"] == 3


def test_an_unanswered_command_is_still_carried_out(raw: RawClient, double: RealmanDouble) -> None:
    double.faults.unanswered = frozenset({"set_collision_stage"})
    raw.send(command="set_collision_stage", collision_stage=7)
    assert raw.ask(command="get_collision_stage")["collision_stage"] == 7


def test_the_push_can_be_silenced_redirected_and_slowed(raw: RawClient, double: RealmanDouble) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(DEADLINE_S)
        push = {"enable": True, "cycle": 2, "port": ear.getsockname()[1], "ip": "127.0.0.1"}
        assert raw.ask(command="set_realtime_push", **push)["state"] is True
        data, sender = ear.recvfrom(4096)
        assert sender[0] == double.ip
        state = json.loads(data)
        assert state["joint_status"]["joint_position"] == [round(q * 1000) for q in START_DEG]
        assert state["joint_status"]["joint_en_flag"] == [True] * 7
        assert state["err"] == [0]
        double.faults.udp_silent = True
        double.call(lambda: None)
        pushes = double.pushes
        raw.ask(command="get_joint_degree")
        assert double.pushes == pushes
