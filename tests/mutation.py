"""Put small faults into the rooms that must not fail, one at a time, and see whether their tests notice.

    python tests/mutation.py --number 25 --seed 1                     # of all rooms together
    python tests/mutation.py --number 25 --seed 1 --room safety       # of one

A fault changes one comparison, operator, number or word of a copy of the package, which stands before the true one on
the path; nothing in the checkout changes. Tests named like the file run first, the room's others only if those have
not noticed. Ends with 1 when fewer than 90 % are noticed, and names the others. (mutmut and cosmic-ray want one package
with its tests; here rooms of several packages are tested by each other's tests.)
"""

from __future__ import annotations

import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.progress import track

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Room:
    """Modules that faults are put into, and the tests that are to notice."""

    package: str
    """Folder of the package that is copied, relative to the root."""
    files: str
    """Modules in it, as a glob."""
    tests: tuple[str, ...]
    """Files or folders of tests."""


_ROS = "ros2_ws/src"
ROOMS = {
    "safety": Room(
        "urdf/vitra_safety", "*.py", ("urdf/tests/safety", f"{_ROS}/realman_driver/tests/test_arm_driver.py")
    ),
    "chunks": Room("vitra_policy/vitra_policy", "chunks/*.py", ("vitra_policy/tests/chunks",)),
    "control": Room(
        f"{_ROS}/vitra_control/vitra_control",
        "*.py",
        tuple(
            f"{_ROS}/vitra_control/tests/test_{name}.py"
            for name in (
                "generator",
                "tracking_watch",
                "supervisor",
                "following",
                "home",
                "home_request",
                "joint_follower",
                "joint_path",
                "joint_trajectory",
                "path_kept",
                "small_parts",
                "driver_watch",
                "process_watch",
                "collisions",
            )
        ),  # fmt: skip
    ),
    "arm_driver": Room(
        f"{_ROS}/realman_driver/realman_driver",
        "arm_driver.py",
        tuple(f"{_ROS}/realman_driver/tests/test_{name}.py" for name in ("arm_driver", "held_setpoint", "parameters")),
    ),
    "worker": Room(
        f"{_ROS}/vitra_inference/vitra_inference",
        "worker.py",
        tuple(f"{_ROS}/vitra_inference/tests/test_{name}.py" for name in ("worker_time", "worker", "session")),
    ),
    "retarget": Room(
        f"{_ROS}/vitra_retarget/vitra_retarget", "retarget.py", (f"{_ROS}/vitra_retarget/tests/test_retarget.py",)
    ),
    "bags": Room(
        "vitra_training/vitra_training",
        "bags/[at][lr]*.py",
        tuple(
            f"vitra_training/tests/bags/test_{name}.py"
            for name in ("aligned", "trim", "true_time", "episodes", "video_bags", "check")
        ),
    ),
    "captions": Room(
        "vitra_training/vitra_training",
        "datasets/samples/captions.py",
        ("vitra_training/tests/datasets/test_colour_and_captions.py",),
    ),
    "evidence": Room(
        f"{_ROS}/vitra_evaluation/vitra_evaluation",
        "session/trial_record.py",
        (f"{_ROS}/vitra_evaluation/tests/session/test_trial_record.py",),
    ),
    "metrics": Room(
        "vitra_training/vitra_training",
        "training/metrics_logger.py",
        ("vitra_training/tests/training/test_metrics_logger.py",),
    ),
}
"""The pure rooms of safety and chunks, and files in which a hand-made trial found faults that nobody noticed."""
LEFT_OUT = ("__init__.py", "fuzz.py", "node.py", "feedback.py", "executor_messages.py", "check_plot.py")
_COMPARE = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
            ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In}  # fmt: skip
_ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
_WORDS = {ast.And: ast.Or, ast.Or: ast.And}
console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Args:
    """Mutate and test."""

    number: int = 40
    """Faults, drawn at random from all."""
    seed: int = 0
    """Of the draw."""
    room: str = ""
    """Only this room; empty: all."""
    timeout_s: float = 300.0
    """A test run that takes longer has noticed (an endless loop)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One change in one file: the `place`-th node that can be changed."""

    room: str
    file: str
    place: int
    line: int
    change: str


def changeable(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Nodes that a fault can be put into, in a fixed order, with the fault in words."""
    of_classes = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for word in node.decorator_list
        for part in ast.walk(word)
    }  # frozen, slots: kept by mypy, not by tests
    for node in ast.walk(tree):
        if id(node) in of_classes:
            continue
        if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARE:
            yield node, f"{type(node.ops[0]).__name__} -> {_COMPARE[type(node.ops[0])].__name__}"
        elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            yield node, f"{type(node.op).__name__} -> {_ARITHMETIC[type(node.op)].__name__}"
        elif isinstance(node, ast.BoolOp):
            yield node, f"{type(node.op).__name__} -> {_WORDS[type(node.op)].__name__}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield node, f"{node.value} -> {not node.value}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            yield node, f"{node.value} -> {node.value * 2 + 1}"


def put_in(source: str, place: int) -> str:
    """The source with one fault."""
    tree = ast.parse(source)
    node = copy.copy(list(changeable(tree))[place][0])
    target = list(changeable(tree))[place][0]
    if isinstance(node, ast.Compare):
        target.ops = [_COMPARE[type(node.ops[0])](), *node.ops[1:]]  # type: ignore[attr-defined]
    elif isinstance(node, ast.BinOp):
        target.op = _ARITHMETIC[type(node.op)]()  # type: ignore[attr-defined]
    elif isinstance(node, ast.BoolOp):
        target.op = _WORDS[type(node.op)]()  # type: ignore[attr-defined]
    elif isinstance(node, ast.Constant):
        value = node.value
        target.value = (not value) if isinstance(value, bool) else value * 2 + 1  # type: ignore[attr-defined,operator]
    return ast.unparse(tree)


def faults(room: str) -> list[Fault]:
    """Every fault that can be put into a room, or into all."""
    found = []
    for name in [room] if room else list(ROOMS):
        for path in sorted((ROOT / ROOMS[name].package).glob(ROOMS[name].files)):
            if path.name.endswith(LEFT_OUT):
                continue
            file, tree = str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))
            found += [Fault(name, file, i, n.lineno, change) for i, (n, change) in enumerate(changeable(tree))]  # type: ignore[attr-defined]
    return found


def is_noticed(fault: Fault, timeout_s: float) -> bool:
    """Whether the room's tests fail on a copy with the fault."""
    room, file = ROOMS[fault.room], ROOT / fault.file
    with tempfile.TemporaryDirectory() as site:
        package = Path(site) / Path(room.package).name
        shutil.copytree(ROOT / room.package, package, ignore=shutil.ignore_patterns("__pycache__"))
        changed = package / file.relative_to(ROOT / room.package)
        changed.write_text(put_in(changed.read_text(encoding="utf-8"), fault.place), encoding="utf-8")
        own = [str(path) for path in _test_files(room) if path.name.startswith(f"test_{file.stem}")]
        return (bool(own) and _fail(own, site, timeout_s)) or _fail(room.tests, site, timeout_s)


def _test_files(room: Room) -> Iterator[Path]:
    """Every file of tests of a room."""
    for tests in room.tests:
        path = ROOT / tests
        yield from sorted(path.rglob("test_*.py")) if path.is_dir() else [path]


def _fail(tests: Sequence[str], site: str, timeout_s: float) -> bool:
    """Whether one of the tests fails with the copy first on the path."""
    which = ["--hypothesis-profile", "mutation", "-m", "not slow and not gpu and not graph"]
    command = [sys.executable, "-m", "pytest", "-q", "-x", *which, *tests]
    environment = {**os.environ, "PYTHONPATH": site + os.pathsep + os.environ.get("PYTHONPATH", "")}
    try:
        ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return True
    return ran.returncode in (1, 2)  # 2: it cannot even be imported


def main() -> int:
    """Entry point; 0 when at least 90 % are noticed."""
    args = tyro.cli(Args, description=__doc__)
    every = faults(args.room)
    drawn = random.Random(args.seed).sample(every, min(args.number, len(every)))
    survived = [fault for fault in track(drawn, "testing", console=console) if not is_noticed(fault, args.timeout_s)]
    for fault in survived:
        console.print(f"[yellow]not noticed[/] {fault.file}:{fault.line}: {fault.change}")
    share = 1 - len(survived) / max(len(drawn), 1)
    console.print(f"{len(drawn) - len(survived)} of {len(drawn)} noticed ({share:.0%}), drawn from {len(every)}")
    return 0 if share >= 0.9 else 1


if __name__ == "__main__":
    sys.exit(main())
