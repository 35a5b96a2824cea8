"""Puts looking and checking together: machine first, then graph, devices, calibration and image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vitra_description.calibration import Calibration, CalibrationError, calibration_path, load_calibration
from vitra_description.hardware import RobotKind
from vitra_doctor import machine
from vitra_doctor.checks.graph_checks import GRAPH_CHECKS, Listened
from vitra_doctor.checks.identity_checks import IDENTITY_CHECKS, Answering
from vitra_doctor.checks.image_checks import IMAGE_CHECKS, Seen
from vitra_doctor.checks.machine_checks import MACHINE_CHECKS, Post
from vitra_doctor.finding import Finding, examine
from vitra_doctor.graph import Graph, devices_of, sides_of
from vitra_policy.errors import UnknownNameError
from vitra_runtime.domain import arm_push_port

ALL_CHECKS = (*MACHINE_CHECKS, *GRAPH_CHECKS, *IDENTITY_CHECKS, *IMAGE_CHECKS)
_ALWAYS = ("calibration_publisher", "retarget", "executor", "safety_supervisor")


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be examined.

    Attributes:
        arms: left, right or both.
        calibration: Name or path of the calibration.
        robot: sim or real; empty: what the calibration says.
        xhand_sdk: Python module of the hands' SDK.
        folder: Where episodes are written.
        table_height_m: Table over base_link; below 0: no table.
        camera_hz: Nominal rate of the head camera.
        nodes: Nodes that must beat; empty: those of every graph.
        domain: ROS domain.
    """

    arms: str = "right"
    calibration: str = "sim"
    robot: str = ""
    xhand_sdk: str = ""
    folder: Path = Path("runs/episodes")
    table_height_m: float = 0.75
    camera_hz: float = 30.0
    nodes: tuple[str, ...] = ()
    domain: int = 0

    @property
    def required_nodes(self) -> tuple[str, ...]:
        """Names of nodes that must give a sign of life."""
        return self.nodes or (*_ALWAYS, *(f"{device}_driver" for device in devices_of(self.arms)))


@dataclass(frozen=True, slots=True)
class _Known:
    calibration: Calibration | None
    problem: str

    def is_real(self, robot: str) -> bool:
        if robot or self.calibration is None:
            return robot == RobotKind.REAL
        return self.calibration.hardware.robot is RobotKind.REAL


def _read(name: str) -> _Known:
    try:
        return _Known(load_calibration(calibration_path(name)), "")
    except (CalibrationError, UnknownNameError) as error:
        return _Known(None, str(error))


def examine_machine(subject: Subject) -> Iterator[Finding]:
    """Look at the computer and judge it."""
    real = _read(subject.calibration).is_real(subject.robot)
    sdk = subject.xhand_sdk or ("xhand_controller" if real else "vitra_sim.doubles.xhand_sdk")
    ports = [arm_push_port(side, subject.domain) for side in sides_of(subject.arms)]
    seen = machine.look(folder=subject.folder, xhand_sdk=sdk, udp_ports=ports)
    yield from examine(Post(seen, real, subject.domain), MACHINE_CHECKS)


def examine_graph(subject: Subject, heard: Graph) -> Iterator[Finding]:
    """Judge what was heard of a graph, and whether it is the one that the calibration describes."""
    known = _read(subject.calibration)
    listened = Listened(heard, subject.arms, subject.required_nodes, subject.camera_hz)
    yield from examine(listened, GRAPH_CHECKS)
    real = known.is_real(subject.robot)
    answering = Answering(known.calibration, known.problem, subject.calibration, heard, subject.arms, real)
    yield from examine(answering, IDENTITY_CHECKS)
    if known.calibration is not None:
        joints = dict(heard.joints_rad)
        seen = Seen(heard.images, known.calibration, subject.arms, joints, subject.table_height_m)
        yield from examine(seen, IMAGE_CHECKS)
