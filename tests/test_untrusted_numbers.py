"""Numbers from outside may be larger than any float: whoever expects something else than a number expects that too."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from vitra_description.calibration import CalibrationError, calibration_path, load_calibration

ROOT = Path(__file__).parents[1]
HUGE = "1" + "0" * 400
"""No float, though JSON and YAML read it: `float` and NumPy raise OverflowError, which is no ValueError."""


def handlers() -> Iterator[tuple[Path, ast.ExceptHandler]]:
    for folder in ("vitra_policy", "vitra_training", "urdf", "launch", "ros2_ws/src", "neighbours"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "tests" in path.parts or "build" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Tuple):
                    yield path, node


def test_who_catches_wrong_types_and_values_of_numbers_catches_those_too_large_for_a_float() -> None:
    missing = []
    for path, node in handlers():
        assert isinstance(node.type, ast.Tuple)
        names = {ast.unparse(name) for name in node.type.elts}
        if {"TypeError", "ValueError"} <= names and not names & {"OverflowError", "ArithmeticError"}:
            missing.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not missing, "add OverflowError: float(10**400) raises it"


def test_a_calibration_with_a_number_too_large_for_a_float_is_refused_by_name(tmp_path: Path) -> None:
    text = calibration_path("sim").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.strip().startswith("fx_px:"))
    path = tmp_path / "huge.yaml"
    path.write_text(text.replace(line, line.split(":")[0] + f": {HUGE}"), encoding="utf-8")
    with pytest.raises(CalibrationError, match="fx_px"):
        load_calibration(path)
