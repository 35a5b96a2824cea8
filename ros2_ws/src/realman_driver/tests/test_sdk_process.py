"""The child process with the genuine vendor SDK against the controller double: the hazards of the SDK."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realman_driver import frames
from realman_driver.frames import LinkConfig, Operation
from realman_driver.link import LinkState, LinkTimes, SdkLink
from realman_driver.send_queue import SendQueue
from vitra_description.postures import home
from vitra_safety.setpoint_stream import Beginning
from vitra_sim.doubles.realman import RealmanDouble
from vitra_sim.doubles.realman_kinematic import KinematicArm

pytestmark = pytest.mark.realtime

pytest.importorskip("Robotic_Arm", reason="vendor SDK: pip install Robotic_Arm==1.1.6")
Wait = Callable[..., Any]


class Reader:
    """A link that is polled, and what it reported."""

    def __init__(self, config: LinkConfig, **options: Any) -> None:
        self.link = SdkLink(config, LinkTimes(**({"retry_s": 0.1} | options)))
        self.feedback: list[frames.Feedback] = []
        self.events: list[frames.Event] = []

    def poll(self) -> None:
        report = self.link.poll(0.005)
        if isinstance(report, frames.Feedback):
            self.feedback.append(report)
        elif isinstance(report, frames.Event):
            self.events.append(report)

    def until(self, condition: Callable[[], Any]) -> Callable[[], Any]:
        def polled() -> Any:
            self.poll()
            return condition()

        return polled

    def feeding(self) -> bool:
        return self.link.state is LinkState.UP and bool(self.feedback)


@pytest.fixture
def reader(link_config: LinkConfig) -> Iterator[Reader]:
    reader = Reader(link_config)
    yield reader
    reader.link.close()


@pytest.fixture
def feeding(reader: Reader, wait_for: Wait) -> Reader:
    assert wait_for(reader.until(reader.feeding)), reader.link.problem
    return reader


def test_the_arm_is_configured_and_reports_its_identity(feeding: Reader, double: RealmanDouble) -> None:
    assert feeding.link.identity.startswith("RM_75-6F, controller generation 3")
    controller = double.controller
    assert (controller.collision_stage, controller.line_speed_mm_s) == (5, 250)
    assert (controller.push.port, controller.push.cycle) == (feeding.link.config.udp_port, 1)


def test_setpoints_arrive_exact_to_the_millidegree(feeding: Reader, double: RealmanDouble, wait_for: Wait) -> None:
    start_rad = double.controller.port.target()
    goal_mdeg = np.round(np.rad2deg(start_rad) * 1000) + np.array([1, -1, 3, 7, -7, 12, -13])
    goal_rad = np.deg2rad(goal_mdeg / 1000).tolist()
    assert feeding.link.stream(goal_rad, judged_s=time.monotonic(), begins=Beginning.MEASURED)
    assert wait_for(feeding.until(lambda: feeding.feedback[-1].handled == 1))
    assert wait_for(lambda: double.controller.port.targets == 1)
    assert np.rad2deg(double.controller.port.target()) * 1000 == pytest.approx(goal_mdeg, abs=1e-6)


def test_a_stop_is_carried_out(feeding: Reader, double: RealmanDouble, wait_for: Wait) -> None:
    for operation, command in ((Operation.STOP, "set_arm_stop"), (Operation.SLOW_STOP, "set_arm_slow_stop")):
        assert feeding.link.request(operation)
        assert wait_for(feeding.until(lambda command=command: double.controller.counts.get(command)))
    assert feeding.link.state is LinkState.UP
    assert "set_arm_emergency_stop" not in double.controller.counts


def test_errors_are_pushed_and_cleared_on_request(feeding: Reader, double: RealmanDouble, wait_for: Wait) -> None:
    double.raise_error(0x100D)
    assert wait_for(feeding.until(lambda: feeding.feedback[-1].system_errors == (0x100D,)))
    feeding.link.request(Operation.CLEAR_ERRORS)
    assert wait_for(feeding.until(lambda: feeding.feedback[-1].system_errors == ()))


def test_pushes_of_another_arm_are_ignored(feeding: Reader, double: RealmanDouble, wait_for: Wait) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.99", 0))
        joints = {"joint_position": [90_000] * 7, "joint_current": [0] * 7, "joint_en_flag": [True] * 7}
        state = {"state": "realtime_arm_joint_state", "err": [0], "joint_status": {**joints, "joint_err_code": [0] * 7}}
        count = len(feeding.feedback)
        for _ in range(20):
            stranger.sendto(json.dumps(state).encode(), ("127.0.0.1", feeding.link.config.udp_port))
        assert wait_for(feeding.until(lambda: len(feeding.feedback) > count + 40))
    assert all(f.position_deg[0] != 90.0 for f in feeding.feedback)


def test_a_dropped_tcp_link_is_noticed_while_streaming_and_comes_back(
    feeding: Reader, double: RealmanDouble, wait_for: Wait
) -> None:
    position_rad = double.controller.port.target().tolist()
    double.drop_tcp()

    def streaming_ended() -> bool:
        feeding.link.stream(position_rad, judged_s=time.monotonic(), begins=Beginning.MEASURED)
        return feeding.link.state is LinkState.DOWN

    assert wait_for(feeding.until(streaming_ended))
    assert "-1 (the data could not be sent)" in feeding.link.problem
    assert wait_for(feeding.until(lambda: feeding.link.state is LinkState.UP))
    assert feeding.link.restarts == 2


def test_a_dropped_tcp_link_is_noticed_at_rest(feeding: Reader, double: RealmanDouble, wait_for: Wait) -> None:
    double.drop_tcp()
    assert wait_for(feeding.until(lambda: feeding.link.state is LinkState.DOWN))


def test_a_frozen_controller_is_given_up_and_found_again(
    feeding: Reader, double: RealmanDouble, wait_for: Wait
) -> None:
    double.faults.frozen = True
    assert wait_for(feeding.until(lambda: feeding.link.state is LinkState.DOWN))
    assert "no state push" in feeding.link.problem
    double.faults.frozen = False
    assert wait_for(feeding.until(lambda: feeding.link.state is LinkState.UP))


def test_an_unanswered_stop_ends_the_connection(feeding: Reader, double: RealmanDouble, wait_for: Wait) -> None:
    double.faults.unanswered = frozenset({"set_arm_stop"})
    feeding.link.request(Operation.STOP)
    assert wait_for(feeding.until(lambda: feeding.link.state is LinkState.DOWN))
    assert "stop" in feeding.link.problem


def test_two_arms_get_their_own_pushes_although_both_controllers_begin_with_one_port(
    double: RealmanDouble, link_config: LinkConfig, wait_for: Wait
) -> None:
    other = KinematicArm(home("right"))
    with RealmanDouble(other, ip="127.0.0.12", tcp_port=0, udp_port=double.controller.push.port) as right:
        right_config = LinkConfig(arm_ip=right.ip, tcp_port=right.tcp_port, udp_port=link_config.udp_port + 1)
        readers = [Reader(link_config), Reader(right_config)]

        def both_feed() -> bool:
            for reader in readers:
                reader.poll()
            return all(len(reader.feedback) > 100 for reader in readers)

        assert wait_for(both_feed)
        for reader, side in zip(readers, ("left", "right"), strict=True):
            assert reader.link.restarts == 1
            assert reader.feedback[-1].position_deg == pytest.approx(np.rad2deg(home(side)), abs=1e-3)
            reader.link.close()


def test_a_missing_sdk_is_named_with_the_command_that_installs_it(
    link_config: LinkConfig, wait_for: Wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Robotic_Arm.py").write_text("raise ImportError('not here')\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    reader = Reader(link_config)
    assert wait_for(reader.until(lambda: reader.events))
    assert "pip install Robotic_Arm" in reader.events[0].detail
    reader.link.close()


def test_an_arm_that_is_not_there_is_named_and_tried_again(
    link_config: LinkConfig, double: RealmanDouble, wait_for: Wait
) -> None:
    with socket.create_server(("127.0.0.13", 0)) as taken:
        nowhere = replace(link_config, arm_ip="127.0.0.13", tcp_port=taken.getsockname()[1])
    reader = Reader(nowhere)
    assert wait_for(reader.until(lambda: reader.link.restarts >= 2 and reader.link.state is LinkState.DOWN))
    assert "no Realman controller answers at 127.0.0.13" in reader.link.problem
    reader.link.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"force_type": "B"}, "is a RM_75-6F; the parameters arm_type and force_type say RM_75-B"),
        ({"power": False}, "power is off"),
        ({"real": False}, "simulation mode"),
    ],
)
def test_an_arm_that_is_not_as_expected_is_not_used(
    link_config: LinkConfig, double: RealmanDouble, wait_for: Wait, change: dict[str, Any], words: str
) -> None:
    motion = double.controller.motion
    motion.powered, motion.real = change.get("power", True), change.get("real", True)
    reader = Reader(replace(link_config, force_type=change.get("force_type", "6F")))
    assert wait_for(reader.until(lambda: reader.events))
    assert words in reader.events[0].detail
    reader.link.close()


def test_the_child_stops_the_arm_and_ends_when_the_driver_is_killed(
    link_config: LinkConfig, double: RealmanDouble, wait_for: Wait
) -> None:
    script = f"""
        import math, time
        from realman_driver import frames
        from realman_driver.link import SdkLink
        from vitra_safety.setpoint_stream import Beginning
        config = frames.LinkConfig({link_config.arm_ip!r}, {link_config.tcp_port}, udp_port={link_config.udp_port})
        link = SdkLink(config)
        child = None
        while True:
            report = link.poll(0.005)
            if isinstance(report, frames.Feedback):
                if not report.handled:  # by this child: it may be another one, if a busy machine cost the one before
                    start, number = [math.radians(degrees) for degrees in report.position_deg], 0
                number += 1
                moved = [start[0] + 0.001 * number, *start[1:]]
                link.stream(moved, judged_s=time.monotonic(), begins=Beginning(not report.handled))
                if link.pid != child:
                    child = link.pid
                    print(child, flush=True)
    """
    driver = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    try:
        children = driver.stdout.readline()
        assert wait_for(lambda: double.controller.counts.get("movej_canfd", 0) > 20)
    finally:
        driver.kill()
        driver.wait()
    children += driver.stdout.read()
    driver.stdout.close()
    assert wait_for(lambda: not any(is_running(int(child)) for child in children.split()))
    assert double.controller.counts["set_arm_stop"] >= 1
    streamed = double.controller.counts["movej_canfd"]
    double.call(lambda: None)
    assert double.controller.counts["movej_canfd"] == streamed
    assert math.isfinite(double.controller.port.target()[0])


def child_of(reader: Reader) -> int:
    """The process to be stopped; without one the signal would go to this test's own group."""
    assert reader.link.pid
    return reader.link.pid


class Motion:
    """Streams a steady motion of joint 1 at 200 Hz, as a driver does, and remembers what reached the arm."""

    def __init__(self, reader: Reader, double: RealmanDouble, speed_rad_s: float) -> None:
        self._link, self._poll, self._speed_rad_s = reader.link, reader.poll, speed_rad_s
        self._rad, self._speed, self._begins = double.controller.port.target(), 0.0, True
        self._next_s = time.monotonic()
        self.arrived = [self._rad.copy()]
        take = double.controller.port.set_target

        def remember(position_rad: np.ndarray) -> None:
            self.arrived.append(np.array(position_rad))
            take(position_rad)

        double.controller.port.set_target = remember

    def run(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._poll()
            while self._link.state is LinkState.UP and time.monotonic() >= self._next_s:
                self._next_s += 0.005
                self._speed = min(self._speed + 8.0 * 0.005, self._speed_rad_s)
                self._rad[0] += self._speed * 0.005
                self._link.stream(self._rad.tolist(), judged_s=time.monotonic(), begins=Beginning(self._begins))
                self._begins = False

    @property
    def largest_step_deg(self) -> float:
        return float(np.abs(np.diff(np.rad2deg(np.array(self.arrived)), axis=0)).max())


def test_a_child_that_stood_still_makes_nothing_leap(feeding: Reader, double: RealmanDouble) -> None:
    motion = Motion(feeding, double, speed_rad_s=1.0)
    motion.run(0.3)
    os.kill(child_of(feeding), signal.SIGSTOP)
    motion.run(0.2)
    os.kill(child_of(feeding), signal.SIGCONT)
    motion.run(0.1)
    assert any("would leap" in event.detail for event in feeding.events)
    assert motion.largest_step_deg <= 0.5


def test_a_child_that_stood_still_for_a_moment_catches_up_within_limits(feeding: Reader, double: RealmanDouble) -> None:
    motion = Motion(feeding, double, speed_rad_s=0.5)
    motion.run(0.3)
    os.kill(child_of(feeding), signal.SIGSTOP)
    motion.run(0.04)
    os.kill(child_of(feeding), signal.SIGCONT)
    motion.run(0.3)
    assert motion.largest_step_deg <= 0.5


@pytest.mark.parametrize("joints", [[], [0] * 7, [90_000] * 6, [2**31 - 1] * 7])
def test_a_push_with_impossible_positions_is_no_feedback(
    feeding: Reader, double: RealmanDouble, wait_for: Wait, joints: list[int]
) -> None:
    double.call(lambda: setattr(double.faults, "udp_silent", True))
    while feeding.link.poll(0.05) is not None:
        pass  # what was on its way
    count = len(feeding.feedback)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as same_address:
        same_address.bind((double.ip, 0))
        status = {"joint_position": joints, "joint_current": [0] * 7, "joint_en_flag": [True] * 7}
        status |= {"joint_err_code": [0] * 7}
        state = {"state": "realtime_arm_joint_state", "err": [0], "joint_status": status}
        same_address.sendto(json.dumps(state).encode(), ("127.0.0.1", feeding.link.config.udp_port))
    feeding.link.request(Operation.CLEAR_ERRORS)  # answered after the datagram was read
    assert wait_for(feeding.until(lambda: not feeding.link._pending))
    assert len(feeding.feedback) == count
    double.faults.udp_silent = False
    assert wait_for(feeding.until(lambda: len(feeding.feedback) > count + 5))
    assert feeding.feedback[-1].position_deg == pytest.approx(np.rad2deg(home("left")), abs=1e-3)


def test_the_queue_of_a_connection_is_found_and_grows_while_its_peer_does_not_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert SendQueue("127.0.0.1", port).waiting_bytes() == 0
        with socket.create_connection(("127.0.0.1", port)) as client:
            peer, _ = listener.accept()
            with peer:
                queue = SendQueue("127.0.0.1", port)
                client.setblocking(False)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                with contextlib.suppress(BlockingIOError):
                    while client.send(b"x" * 4096):
                        pass
                assert queue.waiting_bytes() > 2048


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
