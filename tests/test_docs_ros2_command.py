"""Pages that use `ros2` or `rviz2` say what to use on a machine that has neither, and that is there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE, SECTION = "docs/native_launch.md", "Where there is no ros2 command"
ANCHOR = "native_launch.md#where-there-is-no-ros2-command"
USED = re.compile(r"\bros2 (?:run|service|action|topic|node|param|bag|pkg)\b|\brviz2\b")
RUN = re.compile(r"\bros2 run (\w+) (\w+)")
SAYS_NOTHING = {
    "CHANGELOG.md": "what was",
}


def pages() -> list[str]:
    """Tracked pages that use such a command, but for the one that says what stands for it."""
    run = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = [name for name in run.stdout.split() if (ROOT / name).is_file()]
    return [name for name in names if name != PAGE and USED.search((ROOT / name).read_text(encoding="utf-8"))]


def section() -> str:
    """The rows that say what stands for which command."""
    text = (ROOT / PAGE).read_text(encoding="utf-8").split(f"\n## {SECTION}\n")[1]
    return text.split("\n## ")[0]


def programs() -> list[tuple[str, str]]:
    """Packages and programs that pages start with `ros2 run`."""
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in pages()]
    return sorted({(package, program) for text in texts for package, program in RUN.findall(text)})


@pytest.mark.parametrize("page", sorted(set(pages()) - set(SAYS_NOTHING)))
def test_a_page_that_uses_ros2_says_what_to_use_where_there_is_none(page: str) -> None:
    assert ANCHOR in (ROOT / page).read_text(encoding="utf-8"), f"link {PAGE}, '{SECTION}'"


def test_something_stands_for_every_command_that_pages_use() -> None:
    rows = "\n".join(line.split("|")[1] for line in section().splitlines() if line.startswith("| "))
    used = {found for name in pages() for found in USED.findall((ROOT / name).read_text(encoding="utf-8"))}
    assert sorted(one for one in used if one not in rows) == []


def test_what_stands_for_them_is_installed() -> None:
    described = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8") + "## vitra-launch\n"
    commands = set(re.findall(r"`(vitra-[a-z]+)", section()))
    assert commands
    assert sorted(one for one in commands if f"## {one}\n" not in described) == []


@pytest.mark.parametrize(("package", "program"), programs())
def test_a_program_that_ros2_run_starts_lies_where_the_page_says(package: str, program: str) -> None:
    assert "`ros2_ws/install/PACKAGE/lib/PACKAGE/PROGRAM ARGUMENTS`" in section()
    path = ROOT / f"ros2_ws/install/{package}/lib/{package}/{program}"
    assert os.access(path, os.X_OK), f"{path} is not there: make build"
