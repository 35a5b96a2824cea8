"""An episode that was demonstrated in simulation is replayed there, through the guard, along the same path.

The place is cleared for it: a replay does not look, and cuts corners that the demonstration took around the box.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from light_graph import light_config
from numpy.typing import NDArray

from vitra_bringup.bag_report import messages, open_bag
from vitra_bringup.graph_client import GraphClient
from vitra_bringup.graph_run import GraphRun
from vitra_bringup.teleop_demo import Args, Demonstrations
from vitra_description.kinematics import ArmModel
from vitra_msgs.msg import ArmCommand
from vitra_runtime import qos

pytestmark = [pytest.mark.graph, pytest.mark.slow, pytest.mark.timeout(400)]

COMMAND = "right_arm/command"
FREE_WORLD = ("sweep_cubes_onto_mat_left", 0)
"""Task and seed of a world with nothing tall where the right arm goes."""
NEAR_M = 0.02
CORNER_M = 0.10
"""The replay gives up beyond this; smoothing cuts corners by less."""


@dataclass
class Replayed:
    """What a replay did."""

    code: int
    words: str
    stops: int
    recorded_m: NDArray[np.float64]
    """(N, 3) where the episode's commands put the wrist."""
    commanded_m: NDArray[np.float64]
    """(M, 3) where the replay's did."""


def wrist_positions_m(commands: list[list[float]]) -> NDArray[np.float64]:
    """(N, 3) in the arm's base, thinned out to 50 Hz."""
    model = ArmModel()
    return np.stack([model.fk(np.asarray(q))[:3, 3] for q in commands[::4]])


def recorded_commands(bag: Path) -> list[list[float]]:
    with open_bag(bag) as reader:
        return [list(message.position_rad) for _, _, message in messages(reader, (COMMAND,))]


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    folder, domain = tmp_path_factory.mktemp("replay"), 30 + os.getpid() % 60
    args = Args(out=folder, episodes=1, discard=False, domain_id=domain)
    arguments = args.launch_arguments(folder / "episodes") | {"config": light_config(folder)}
    with GraphRun("teleop.launch.xml", arguments, folder / "launch.log", domain) as run:
        run.wait_ready()
        demonstrations = Demonstrations(run.client, args)
        demonstrations.record()
        assert demonstrations.saved == 1, (folder / "launch.log").read_text()[-3000:]
        (bag,) = (path for path in (folder / "episodes").glob("episode_*") if path.is_dir())
        demonstrations.go_home()
        run.client.reset_sim(*FREE_WORLD)
        yield replay(run.client, bag, domain)


def replay(client: GraphClient, bag: Path, domain: int) -> Replayed:
    commands: list[list[float]] = []
    client.watch(ArmCommand, COMMAND, qos.SETPOINT, lambda message: commands.append(list(message.position_rad)))
    stops = len(client.stops)
    run = subprocess.run(
        [sys.executable, "-m", "vitra_teleop.replay_episode_node", str(bag), "--speed", "0.8"],
        env={**os.environ, "ROS_DOMAIN_ID": str(domain)}, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    return Replayed(
        run.returncode, run.stderr + run.stdout, len(client.stops) - stops,
        wrist_positions_m(recorded_commands(bag)), wrist_positions_m(commands),
    )  # fmt: skip


def test_it_reaches_its_end_without_a_stop(replayed: Replayed) -> None:
    assert (replayed.code, replayed.stops) == (0, 0), replayed.words


def test_the_arm_is_led_along_the_recorded_path(replayed: Replayed) -> None:
    apart = np.linalg.norm(replayed.recorded_m[:, None] - replayed.commanded_m[None], axis=2).min(axis=1)
    assert np.quantile(apart, 0.9) < NEAR_M
    assert apart.max() < CORNER_M
    assert np.ptp(replayed.recorded_m, axis=0).max() > 5 * NEAR_M, "the path is more than a point"
