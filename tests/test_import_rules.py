"""Who may import whom (the layers of the repository)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROS = {"rclpy", "sensor_msgs", "std_msgs", "geometry_msgs", "std_srvs", "rcl_interfaces", "builtin_interfaces",
       "diagnostic_msgs", "visualization_msgs", "lifecycle_msgs", "vitra_msgs", "vitra_runtime",
       "tf2_msgs", "control_msgs", "trajectory_msgs"}  # fmt: skip
ROS_PACKAGES = sorted(p.parent.name for p in (ROOT / "ros2_ws/src").glob("*/package.xml"))
WIRING = {
    "vitra_control/executor_messages.py",  # messages to steps, setpoints and states to messages
    "vitra_control/feedback.py",  # subscriptions with an executor of their own
    "vitra_doctor/listener.py",  # what came in while somebody listened
    "vitra_inference/messages.py",  # serialised messages to arrays
    "vitra_recorder/images.py",  # serialised images to compressed ones
}
SIMULATED = {
    "vitra_evaluation": "simulated sessions: scenes, judge, lockstep environment",
    "vitra_teleop": "simulated operator: ground truth of the world",
    "vitra_console": "names of the simulated tasks",
}
"""Packages that may also use the pure part of vitra_sim, and what for."""
SHARED_BY_NODES = {"vitra_msgs", "vitra_runtime"}
MAY_ALSO_IMPORT = {
    "vitra_evaluation": {"vitra_sim", "vitra_console"},  # lockstep sessions and layouts of simulated plans; web parts
    "vitra_sim": {"vitra_control", "vitra_retarget"},  # lockstep runs the robot's own executor and retargeting
}
AUDIT = "vitra_training/vitra_training/labeling/audit/"
AUDIT_MAY_IMPORT = {
    "vitra_console.web.access": "a token for the link",
    "vitra_console.web.private_app": "who may open a page",
    "vitra_console.web.server": "the look that all pages share",
    "vitra_evaluation.stats.intervals": "Wilson's interval",
    "vitra_evaluation.stats.agreement": "kappa of two judges",
}
"""Pure modules of ROS packages that the page of `vitra-label audit` shares; it is loaded by that command only."""


def imports(folder: Path) -> Iterator[tuple[Path, int, str]]:
    """Every imported top-level module below a folder, tests left out."""
    for path in sorted(folder.rglob("*.py")):
        if "tests" in path.parts or path.name == "setup.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names = [node.module]
            for name in names:
                yield path.relative_to(ROOT), node.lineno, name


def offences(folder: str, forbidden: set[str]) -> list[str]:
    return [f"{p}:{line} imports {n}" for p, line, n in imports(ROOT / folder) if n.split(".")[0] in forbidden]


def test_the_policy_imports_neither_ros_nor_training_nor_simulation() -> None:
    assert offences("vitra_policy", ROS | {"vitra_training", "vitra_sim", "vitra_description", *ROS_PACKAGES}) == []


def test_training_never_imports_ros() -> None:
    found = offences("vitra_training", ROS | set(ROS_PACKAGES) - {"vitra_sim"})
    allowed = tuple(f"{AUDIT}{{}} imports {name}" for name in AUDIT_MAY_IMPORT)
    assert [one for one in found if not any(fits(one, pattern) for pattern in allowed)] == []


def fits(offence: str, pattern: str) -> bool:
    folder, module = pattern.split("{}")
    return offence.startswith(folder) and offence.endswith(module)


def test_the_description_imports_neither_ros_nor_simulation() -> None:
    assert offences("urdf/vitra_description", ROS | {"vitra_training", "mujoco", *ROS_PACKAGES}) == []


@pytest.mark.parametrize("package", [p for p in ROS_PACKAGES if p != "vitra_msgs"])
def test_a_ros_package_imports_no_other_ros_package(package: str) -> None:
    others = set(ROS_PACKAGES) - SHARED_BY_NODES - {package} - MAY_ALSO_IMPORT.get(package, set())
    if package in SIMULATED:
        others -= {"vitra_sim"}
    assert offences(f"ros2_ws/src/{package}/{package}", others | {"vitra_training"}) == []


@pytest.mark.parametrize("package", [p for p in ROS_PACKAGES if p not in SHARED_BY_NODES])
def test_pure_modules_of_a_ros_package_run_without_rclpy(package: str) -> None:
    """Only node modules (`*node.py`) and the wiring listed above import rclpy."""
    for path, line, name in imports(ROOT / f"ros2_ws/src/{package}/{package}"):
        if name.split(".")[0] == "rclpy":
            assert path.stem.endswith("node") or "/".join(path.parts[-2:]) in WIRING, f"{path}:{line} imports rclpy"
