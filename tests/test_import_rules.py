"""Who may import whom (the layers of the repository)."""

from __future__ import annotations

import ast
import subprocess
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from functools import cache
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


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports_of(path: Path) -> list[tuple[int, str]]:
    """Line and name of every module that a file imports."""
    found = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.append((node.lineno, node.module))
    return found


def imports(folder: Path) -> Iterator[tuple[Path, int, str]]:
    """Every imported top-level module below a folder, tests left out."""
    for path in sorted(folder.rglob("*.py")):
        if "tests" in path.parts or path.name == "setup.py":
            continue
        for line, name in imports_of(path):
            yield path.relative_to(ROOT), line, name


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


def own_modules() -> dict[str, Path]:
    """Dotted name -> file of every module in a package of this project, tests left out."""
    run = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    named = {}
    for name in run.stdout.split():
        path = ROOT / name
        if "tests" in path.relative_to(ROOT).parts or not path.is_file():
            continue
        folder, parts = path.parent, [] if path.stem == "__init__" else [path.stem]
        while (folder / "__init__.py").is_file():
            folder, parts = folder.parent, [folder.name, *parts]
        if len(parts) > 1 or path.stem == "__init__":
            named[".".join(parts)] = path
    return named


def at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs when a module is imported: not the inside of functions, nor what only type checkers read."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            waiting += ast.iter_child_nodes(node)


def imported(nodes: Iterable[ast.AST], known: Collection[str]) -> set[str]:
    """Modules of this project that are imported there."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names} & set(known)
            names |= whole or {node.module}
    return names & set(known)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Names from which a circle is reached; none: []."""
    left = {name: others - {name} for name, others in graph.items()}
    while ends := {name for name, others in left.items() if not others & left.keys()}:
        left = {name: others for name, others in left.items() if name not in ends}
    return sorted(left)


def test_no_packages_import_each_other() -> None:
    known, graph = own_modules(), defaultdict(set)
    for name, path in known.items():
        graph[name.split(".")[0]] |= {other.split(".")[0] for other in imported(ast.walk(parsed(path)), known)}
    assert circle(graph) == []


def test_no_modules_import_each_other_while_they_are_imported() -> None:
    known = own_modules()
    assert circle({name: imported(at_import(parsed(path)), known) for name, path in known.items()}) == []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]


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
