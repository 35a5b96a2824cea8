"""README and CONTRIBUTING: a test runs every command; this file runs the quick ones and knows who runs the others."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RUN_ELSEWHERE = {
    "make demo": "tests/test_demo.py",
    "make demo-many": "tests/test_demo.py (one episode of it)",
    "make test": "CI",
    "make sim": "tests/test_operate.py",
    "vitra-launch sim.launch.xml policy:=expert arms:=right": "tests/test_demo.py (demo.launch.xml includes it)",
}


def commands(page: str = "README.md") -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / page).read_text(), flags=re.S)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("command", sorted({*commands(), *commands("CONTRIBUTING.md")} - set(RUN_ELSEWHERE)))
def test_a_command_of_the_readme_works(command: str) -> None:
    if command.startswith("make "):  # takes minutes: its recipe has tests of its own
        command = command.replace("make ", "make --dry-run ", 1)
    environment = {**os.environ, "TERM": "dumb"}
    run = subprocess.run(
        ["bash", "-c", f"source requirements/env.sh && {command}"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, f"{command}\n{run.stdout[-1500:]}\n{run.stderr[-1500:]}"


@pytest.mark.parametrize("command", sorted(RUN_ELSEWHERE))
def test_a_command_that_runs_elsewhere_is_still_in_the_readme(command: str) -> None:
    assert command in commands()


def test_every_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    pages = [name for name in listed.stdout.split() if name != "CHANGELOG.md" and (ROOT / name).is_file()]
    named = {(page, one) for page in pages for one in re.findall(r"`make ([a-z-]+)", (ROOT / page).read_text())}
    assert sorted((page, one) for page, one in named if one not in targets) == []
