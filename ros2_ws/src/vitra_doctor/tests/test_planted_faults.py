"""The doctor is content with a healthy robot, and finds each planted fault by the check that is meant for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import healthy
import numpy as np
import pytest

from vitra_description.calibration import Calibration, default_calibration
from vitra_description.hardware import Hardware, RobotKind
from vitra_description.names import ArmVariant
from vitra_doctor.checks.graph_checks import GRAPH_CHECKS, Listened
from vitra_doctor.checks.identity_checks import IDENTITY_CHECKS, Answering
from vitra_doctor.checks.image_checks import IMAGE_CHECKS, Seen
from vitra_doctor.checks.machine_checks import MACHINE_CHECKS, Post
from vitra_doctor.finding import Finding, Level, examine
from vitra_doctor.graph import Beat, Graph, Images, Stream
from vitra_doctor.machine import Machine, Port, StackProcess

HARDWARE = Hardware(
    RobotKind.REAL, ArmVariant.RM75_6F, "192.168.1.19", "192.168.1.18", "SERIAL-left", "SERIAL-right"
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A real robot in every respect that the checks look at."""

    machine: Machine
    graph: Graph
    calibration: Calibration

    def findings(self) -> Iterator[Finding]:
        yield from examine(Post(self.machine, real=True), MACHINE_CHECKS)
        yield from examine(Listened(self.graph, healthy.ARMS, healthy.NODES), GRAPH_CHECKS)
        answering = Answering(self.calibration, "", "lab", self.graph, healthy.ARMS, real=True)
        yield from examine(answering, IDENTITY_CHECKS)
        joints = dict(self.graph.joints_rad)
        yield from examine(Seen(self.graph.images, self.calibration, healthy.ARMS, joints, 0.75), IMAGE_CHECKS)


@pytest.fixture(scope="module")
def images() -> Images:
    return healthy.images()


@pytest.fixture
def case(images: Images) -> Case:
    calibration = replace(default_calibration(), hardware=HARDWARE)
    return Case(healthy.machine(), healthy.graph(images), calibration)


def on(case: Case, **changes: object) -> Case:
    return replace(case, machine=replace(case.machine, **changes))


def heard(case: Case, **changes: object) -> Case:
    return replace(case, graph=replace(case.graph, **changes))


def topic(case: Case, name: str, stream: Stream) -> Case:
    return heard(case, streams={**case.graph.streams, name: stream})


def said(case: Case, device: str, **values: str) -> Case:
    devices = {**case.graph.devices, device: {**case.graph.devices[device], **values}}
    return heard(case, devices=devices)


def beat(case: Case, node: str, beat: Beat | None) -> Case:
    beats = {name: known for name, known in case.graph.beats.items() if name != node}
    return heard(case, beats=beats if beat is None else {**beats, node: beat})


def imaged(case: Case, **changes: object) -> Case:
    return heard(case, images=replace(case.graph.images, **changes))


def camera(case: Case, moved: Callable[[np.ndarray], np.ndarray]) -> Case:
    pose = moved(case.calibration.base_from_head_camera.copy())
    return replace(case, calibration=replace(case.calibration, base_from_head_camera=pose))


def raised(pose: np.ndarray) -> np.ndarray:
    pose[2, 3] += 0.06
    return pose


def swapped_arms(case: Case) -> Case:
    calibration = replace(case.calibration, left=case.calibration.right, right=case.calibration.left)
    return replace(case, calibration=calibration)


def variant(case: Case) -> Case:
    return replace(
        case, calibration=replace(case.calibration, hardware=replace(HARDWARE, arm_variant=ArmVariant.RM75_B))
    )


def gap() -> Stream:
    times = healthy.stream(200.0).times_s
    return Stream(times[:200] + tuple(t + 0.2 for t in times[200:]), (0.004,) * len(times))


PLANTED: dict[str, tuple[str, Level, Callable[[Case], Case]]] = {
    "Python too new": ("python", Level.ERROR, lambda c: on(c, python=(3, 14, 0))),
    "another ROS": ("versions", Level.ERROR, lambda c: on(c, packages={**c.machine.packages, "rclpy": "9.1.1"})),
    "another arm SDK": (
        "versions", Level.ERROR,
        lambda c: on(c, packages={**c.machine.packages, "Robotic_Arm": "1.0.9"}),
    ),
    "no hand SDK": ("hand_sdk", Level.ERROR, lambda c: on(c, xhand_sdk=False)),
    "another middleware": ("middleware", Level.WARNING, lambda c: on(c, middleware="rmw_cyclonedds_cpp")),
    "no DDS profile": ("dds_profile", Level.ERROR, lambda c: on(c, dds_profile="", dds_segment_bytes=0)),
    "a DDS profile of another project": ("dds_profile", Level.ERROR, lambda c: on(c, dds_segment_bytes=512 << 10)),
    "shared memory full": ("shared_memory", Level.ERROR, lambda c: on(c, shared_free_bytes=20 << 20)),
    "dead segments": ("shared_memory", Level.WARNING, lambda c: on(c, dead_segment_bytes=600 << 20)),
    "no real-time rights": ("realtime_rights", Level.ERROR, lambda c: on(c, realtime_priority=0)),
    "a saving governor": ("cpu_governor", Level.WARNING, lambda c: on(c, governors=frozenset({"powersave"}))),
    "a busy machine": ("load", Level.WARNING, lambda c: on(c, load=40.0)),
    "no memory": ("memory", Level.ERROR, lambda c: on(c, memory_free_bytes=200 << 20)),
    "disk full": ("disk", Level.ERROR, lambda c: on(c, disk_free_bytes=1 << 30)),
    "a free-running clock": ("clock", Level.WARNING, lambda c: on(c, clock_synchronised=False)),
    "a port taken": ("ports", Level.ERROR, lambda c: on(c, ports=(Port(8091, 9, "python other.py"),))),
    "a node that outlived its launch": (
        "stale_processes", Level.ERROR,
        lambda c: on(c, processes=(*c.machine.processes, StackProcess(9, "realman_driver", 1, 0, True))),
    ),
    "two launches": (
        "stale_processes", Level.ERROR,
        lambda c: on(c, processes=(*c.machine.processes, StackProcess(9, "vitra_control", 8, 0, False))),
    ),
    "a node missing": ("nodes", Level.ERROR, lambda c: beat(c, "retarget", None)),
    "a node with a fault": ("nodes", Level.ERROR, lambda c: beat(c, "executor", Beat(2, "no joints", (("robot", 1),)))),
    "a node inactive": ("nodes", Level.ERROR, lambda c: beat(c, "executor", Beat(0, "", (("robot", 1),)))),
    "two nodes of a name": (
        "node_doubles", Level.ERROR, lambda c: beat(c, "executor", Beat(1, "", (("robot", 1), ("robot", 2))))
    ),
    "a second commander": (
        "second_sources", Level.ERROR,
        lambda c: heard(c, publishers={**c.graph.publishers, "right_arm/command": ["/executor", "/mine"]}),
    ),
    "no camera": ("streams", Level.ERROR, lambda c: topic(c, "head_camera/color/image_raw", Stream())),
    "a slow camera": ("rates", Level.ERROR, lambda c: topic(c, "head_camera/color/image_raw", healthy.stream(12.0))),
    "an arm that is a little slow": (
        "rates", Level.WARNING,
        lambda c: topic(c, "left_arm/joint_states", healthy.stream(170.0)),
    ),
    "feedback that pauses": ("jitter", Level.WARNING, lambda c: topic(c, "right_arm/joint_states", gap())),
    "a clock ahead": (
        "clock_offsets", Level.ERROR, lambda c: topic(c, "head_camera/color/image_raw", healthy.stream(30.0, -0.4))
    ),
    "a clock behind": ("clock_offsets", Level.ERROR, lambda c: topic(c, "permit", healthy.stream(50.0, 2.0))),
    "a driver's fault": (
        "driver_faults", Level.ERROR, lambda c: heard(c, driver_faults={"right_arm": "joints 3 are not enabled"})
    ),
    "a joint beyond its limit": (
        "joint_positions", Level.ERROR,
        lambda c: heard(c, joints_rad={**c.graph.joints_rad, "right_arm": (0.0, 2.6, 0.0, 0.0, 0.0, 0.0, 0.0)}),
    ),
    "six joints": (
        "joint_positions", Level.ERROR,
        lambda c: heard(c, joints_rad={**c.graph.joints_rad, "left_arm": (0.0,) * 6}),
    ),
    "the simulator's calibration": (
        "calibration", Level.ERROR,
        lambda c: replace(c, calibration=replace(c.calibration, hardware=replace(HARDWARE, robot=RobotKind.SIM))),
    ),
    "another arm variant": ("controller_identity", Level.ERROR, variant),
    "controllers swapped": (
        "controller_identity", Level.ERROR,
        lambda c: said(c, "right_arm", hardware_id="192.168.1.19:8080"),
    ),
    "a silent controller": ("controller_identity", Level.ERROR, lambda c: said(c, "right_arm", arm="")),
    "hands swapped": (
        "hand_identity", Level.ERROR,
        lambda c: said(c, "left_hand", hardware_id="SERIAL-right on /dev/ttyUSB1"),
    ),
    "another hand": (
        "hand_identity", Level.ERROR,
        lambda c: said(c, "left_hand", hardware_id="SERIAL-9 on /dev/ttyUSB1"),
    ),
    "a lens cap": ("camera_light", Level.ERROR, lambda c: imaged(c, colour=np.zeros((120, 212, 3), np.uint8))),
    "a frozen camera": ("camera_frozen", Level.WARNING, lambda c: imaged(c, distinct=1)),
    "another lens": (
        "camera_lens", Level.ERROR,
        lambda c: imaged(c, camera_matrix=c.graph.images.camera_matrix * np.array([[1.5], [1.5], [1.0]])),
    ),
    "a camera that was raised": ("camera_sees_table", Level.ERROR, lambda c: camera(c, raised)),
    "an inverted camera pose": ("camera_sees_table", Level.ERROR, lambda c: camera(c, np.linalg.inv)),
    "arms of the wrong sides": ("camera_sees_hands", Level.ERROR, swapped_arms),
}  # fmt: skip


def test_nothing_is_found_on_a_healthy_robot(case: Case) -> None:
    assert list(case.findings()) == []


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found_and_its_mend_is_said(case: Case, fault: str) -> None:
    check, level, plant = PLANTED[fault]
    findings = list(plant(case).findings())
    assert (check, level) in {(finding.check, finding.level) for finding in findings}, findings
    assert all(finding.mend and finding.what.endswith((".", "?")) for finding in findings)


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on() -> None:
    def broken(_: object) -> Iterator[tuple[Level, str, str]]:
        raise ZeroDivisionError("no")
        yield

    def sound(_: object) -> Iterator[tuple[Level, str, str]]:
        yield Level.WARNING, "It is late.", "sleep"

    found = list(examine(None, {"broken": broken, "sound": sound}))
    assert [(finding.check, finding.level) for finding in found] == [("broken", Level.ERROR), ("sound", Level.WARNING)]
