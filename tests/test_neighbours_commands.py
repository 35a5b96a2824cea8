"""The commands of the EgoSteer page, one after the other, in a folder of their own."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest


@pytest.mark.timeout(400)
def test_shards_are_made_checked_and_trained_on_as_the_page_says(repo_root: Path, tmp_path: Path) -> None:
    page = (repo_root / "docs/neighbours/egosteer.md").read_text()
    (block,) = re.findall(r"```bash\n(.*?)```", page, flags=re.S)
    said = ""
    for command in block.splitlines():
        run = subprocess.run(
            ["bash", "-c", f"source {repo_root}/requirements/env.sh && cd {tmp_path} && {command}"],
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert run.returncode == 0, f"{command}\n{run.stdout[-1500:]}\n{run.stderr[-1500:]}"
        said += run.stdout + run.stderr
    words = " ".join(said.split())
    assert "3 of 3 episodes" in words
    assert "0 broken" in words
    assert re.search(r"held out at step 2: loss \d+\.\d+", words)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("requirements/run-lerobot.sh lerobot-eval no/such/checkpoint", "no such checkpoint; 'vitra-policy new-mini'"),
        ("requirements/open-lerobot.sh tests", "no LeRobot data set (no meta/info.json); vitra-data convert"),
        ("requirements/open-lerobot.sh no/such/folder", "no LeRobot data set (no meta/info.json); vitra-data convert"),
        ("python requirements/try_openpi.py . --episodes 0", "--episodes 0: at least 1"),
    ],
)
def test_a_command_with_a_wrong_argument_says_so_before_it_begins(repo_root: Path, command: str, says: str) -> None:
    run = subprocess.run(
        ["bash", "-c", f"source requirements/env.sh && LEROBOT_ENV=/nowhere {command}"],
        cwd=repo_root, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode in (1, 2)
    assert says in run.stderr
