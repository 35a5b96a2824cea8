"""mypy checks every package, and what ruff lets pass is a foreign interface."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
MOST_IGNORES = 55
"""`type: ignore` outside tests; only ever less."""
LINES, MOST_LONG = 300, 19
"""A module has one concept and no more lines than this (CONTRIBUTING.md); how many are longer, only ever less."""
FOREIGN = {
    "vitra_policy/vitra_policy/engine/onnx_graphs.py": {"forward"},
    "vitra_policy/vitra_policy/policies/vitra.py": {"make_vitra_policy"},
    "vitra_policy/vitra_policy/serving/client.py": {"make_remote_policy"},
    "vitra_policy/vitra_policy/serving/egosteer_client.py": {"make_egosteer_policy"},
}
"""Functions that others call with more than six arguments: torch.onnx exports those of `forward` one by one; a factory
gets the options of its policy by name."""


def packages() -> set[str]:
    """Folders of Python packages, relative to the root."""
    inits = [*(ROOT / "ros2_ws/src").glob("*/*/__init__.py")]
    for folder in ("urdf", "launch", "vitra_policy", "vitra_training"):
        inits += (ROOT / folder).glob("*/__init__.py")
    return {str(path.parent.relative_to(ROOT)) for path in inits if path.parent.name not in ("tests", "benchmarks")}


def test_mypy_is_strict_over_every_package() -> None:
    mypy = SETTINGS["mypy"]
    assert mypy["strict"]
    assert set(mypy["files"]) == packages()
    assert not any(override.get("ignore_errors") for override in mypy["overrides"])


def test_mypy_finds_every_package_where_it_stands() -> None:
    assert {str(Path(name).parent) for name in SETTINGS["mypy"]["files"]} == set(SETTINGS["mypy"]["mypy_path"])


def test_every_ignore_says_what_it_ignores_and_there_are_no_more_than_before() -> None:
    found = []
    for name in sorted(packages()):
        for path in sorted((ROOT / name).rglob("*.py")):
            found += [f"{path.relative_to(ROOT)}: {line.strip()}" for line in path.read_text().splitlines()
                      if re.search(r"#\s*type:\s*ignore", line)]  # fmt: skip
    assert [line for line in found if "type: ignore[" not in line] == []
    assert len(found) <= MOST_IGNORES, f"{len(found)}:\n" + "\n".join(found)


def test_there_are_no_more_long_modules_than_before() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for name in packages()
        for path in (ROOT / name).rglob("*.py")
        if "tests" not in path.parts
    }
    long = [f"{name}: {length}" for name, length in sorted(lengths.items()) if length > LINES]
    assert len(long) <= MOST_LONG, "split one:\n" + "\n".join(long)


def test_only_foreign_interfaces_have_more_than_six_arguments() -> None:
    most = SETTINGS["ruff"]["lint"]["pylint"]["max-args"]
    command = ["ruff", "check", "--isolated", "--select=PLR0913", f"--config=lint.pylint.max-args={most}"]
    ran = subprocess.run([*command, "--output-format=json", "."], cwd=ROOT, capture_output=True, text=True)
    found: dict[str, set[str]] = {}
    for one in json.loads(ran.stdout):
        path = Path(one["filename"]).relative_to(ROOT)
        if "tests" not in path.parts:
            line = (ROOT / path).read_text(encoding="utf-8").splitlines()[one["location"]["row"] - 1]
            found.setdefault(str(path), set()).add(re.split(r"def |\(", line)[1])
    excused = {name for name, rules in SETTINGS["ruff"]["lint"]["per-file-ignores"].items() if rules == ["PLR0913"]}
    assert most == 6
    assert found == FOREIGN
    assert excused == set(FOREIGN)
