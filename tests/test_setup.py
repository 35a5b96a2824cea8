"""`make setup` refuses what cannot work before it does anything, and the environment is right wherever HOME is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def setup(tmp_path: Path, repo_root: Path):
    """Runs setup.sh of an empty project; gives what it said."""

    def run(name: str = "project", **environment: str) -> str:
        project = tmp_path / name
        shutil.copytree(repo_root / "requirements", project / "requirements")
        plain = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        done = subprocess.run(
            [project / "requirements/setup.sh"], env=plain | environment, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert not (project / ".venv").exists()
        return done.stderr

    return run


def test_a_folder_with_a_space_is_refused_because_ros_cannot_build_there(setup) -> None:
    assert "has a space in its name" in setup("my project")


def test_a_python_that_is_none_is_refused(setup) -> None:
    assert "PYTHON=/bin/false" in setup(PYTHON="/bin/false")


def test_a_python_of_another_version_is_refused_by_name(setup, tmp_path: Path) -> None:
    other = tmp_path / "python3.10"
    other.write_text('#!/bin/sh\ncase "$1" in --version) echo Python 3.10.13;; *) exit 1;; esac\n')
    other.chmod(0o755)
    said = setup(PYTHON=str(other))
    assert "Python 3.10.13" in said
    assert "3.11 and 3.12" in said


@pytest.mark.parametrize(
    ("environment", "folder"),
    [({"HOME": "/nonexistent"}, "runs/ros_log"), ({"HOME": "/tmp"}, ""), ({"HOME": "/x", "ROS_LOG_DIR": "/y"}, "/y")],
)
def test_ros_logs_go_where_they_can_be_written(
    repo_root: Path, tmp_path: Path, environment: dict[str, str], folder: str
) -> None:
    shutil.copytree(repo_root / "requirements", tmp_path / "requirements")
    line = f". {tmp_path}/requirements/env.sh; echo $ROS_LOG_DIR"
    done = subprocess.run(
        ["bash", "-c", line], env={"PATH": os.environ["PATH"]} | environment, capture_output=True, text=True
    )
    expected = folder if folder.startswith("/") or not folder else f"{tmp_path}/{folder}"
    assert done.stdout.strip() == expected
