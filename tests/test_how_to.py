"""Every page of docs/how_to is followed: its files are written, its package is installed, its commands succeed.

`pip install -e .` is done here as pip does it for an editable package: the folder goes onto the path, and the entry
points of `pyproject.toml` into a `.dist-info` folder beside it. That needs no network.
"""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs/how_to").glob("add_a*.md"))
BLOCK = re.compile(r"^```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$", re.M | re.S)
INSTALL = "pip install -e ."
GROUPS = {
    "add_a_policy": "vitra_policy.policies",
    "add_a_robot_arm": "vitra_description.arms",
    "add_a_hand": "vitra_description.hands",
    "add_a_camera": "vitra_camera.cameras",
    "add_a_task": "vitra_sim.tasks",
    "add_a_teleop_input": "vitra_teleop.inputs",
    "add_a_data_format": "vitra_training.formats",
    "add_a_labeling_stage": "vitra_training.labeling_stages",
}


def install(package: Path, site: Path) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in points.items()) for group, points in groups]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def test_there_is_a_page_for_every_door_and_an_index_that_names_it() -> None:
    assert {page.stem for page in PAGES} == set(GROUPS)
    index = (ROOT / "docs/how_to/index.md").read_text()
    for name, group in GROUPS.items():
        assert f"({name}.md)" in index
        assert f"`{group}`" in index


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_can_be_followed(page: Path, tmp_path: Path) -> None:
    package, site = tmp_path / "package", tmp_path / "site"
    package.mkdir()
    blocks = [match.groupdict() for match in BLOCK.finditer(page.read_text())]
    commands = [line for one in blocks if one["kind"] == "bash" for line in one["text"].splitlines()]
    assert any(command.startswith("pytest") for command in commands), "a page ends in a test of its own"
    assert INSTALL in commands
    for one in blocks:
        if one["title"]:
            path = package / one["title"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(one["text"])
    assert f'[project.entry-points."{GROUPS[page.stem]}"]' in (package / "pyproject.toml").read_text()
    python_path = os.pathsep.join([str(package), str(site), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "TERM": "dumb", "PYTHONPATH": python_path, "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    for command in commands:
        if command == INSTALL:
            install(package, site)
            continue
        run = subprocess.run(
            ["bash", "-c", f"cd '{ROOT}' && . requirements/env.sh && export PYTHONPATH='{python_path}':\"$PYTHONPATH\" "
             f"&& cd '{package}' && {command}"],
            env=environment, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert run.returncode == 0, f"{command}\n{run.stdout[-2500:]}\n{run.stderr[-2500:]}"
