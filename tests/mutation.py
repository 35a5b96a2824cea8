"""Put small faults into the safety and chunk rooms, one at a time, and see whether their tests notice.

    python tests/mutation.py --number 100 --seed 0

A fault changes one comparison, operator, number or word of a copy of the package, which stands before the true one on
the path; nothing in the checkout changes. Ends with 1 when fewer than 90 % are noticed, and names the others. (mutmut
and cosmic-ray want one package with its tests; here three rooms in three packages are tested by each other's tests.)
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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.progress import track

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {
    "urdf/vitra_safety": ["urdf/tests/safety", "ros2_ws/src/realman_driver/tests/test_arm_driver.py"],
    "vitra_policy/vitra_policy/chunks": ["vitra_policy/tests/chunks"],
    "ros2_ws/src/vitra_control/vitra_control": ["ros2_ws/src/vitra_control/tests"],
}
"""Folder of modules -> tests that are to notice."""
LEFT_OUT = ("__init__.py", "fuzz.py", "node.py", "feedback.py")
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
    """Only files whose path contains this."""
    timeout_s: float = 300.0
    """A test run that takes longer has noticed (an endless loop)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One change in one file: the `place`-th node that can be changed."""

    file: str
    place: int
    line: int
    change: str


def changeable(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Nodes that a fault can be put into, in a fixed order, with the fault in words."""
    for node in ast.walk(tree):
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
    """Every fault that can be put into the rooms."""
    found = []
    for folder in ROOMS:
        for path in sorted((ROOT / folder).glob("*.py")):
            name = str(path.relative_to(ROOT))
            if path.name.endswith(LEFT_OUT) or room not in name:
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found += [Fault(name, i, n.lineno, change) for i, (n, change) in enumerate(changeable(tree))]  # type: ignore[attr-defined]
    return found


def is_noticed(fault: Fault, timeout_s: float) -> bool:
    """Whether the room's tests fail on a copy with the fault."""
    folder = next(folder for folder in ROOMS if fault.file.startswith(folder + "/"))
    package = folder.split("/")[-1] if "chunks" not in folder else "vitra_policy"
    origin = ROOT / (folder if "chunks" not in folder else "vitra_policy/vitra_policy")
    with tempfile.TemporaryDirectory() as site:
        shutil.copytree(origin, Path(site) / package, ignore=shutil.ignore_patterns("__pycache__"))
        changed = Path(site) / package / Path(ROOT / fault.file).relative_to(origin)
        changed.write_text(put_in(changed.read_text(encoding="utf-8"), fault.place), encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": site + os.pathsep + os.environ.get("PYTHONPATH", "")}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-m",
            "not slow and not gpu and not graph",
            *ROOMS[folder],
        ]
        try:
            return (
                subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=timeout_s).returncode
                == 1
            )
        except subprocess.TimeoutExpired:
            return True


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
