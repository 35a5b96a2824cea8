"""What a training run by imitation may be told, and what of it cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from vitra_policy.command_options import OptionValueError, check_numbers, check_positive, check_whole_numbers

_LEAST = {
    "seeing_steps": 0, "steps": 1, "seeing_batch": 1, "batch": 1, "repeats": 1, "think_every": 1, "held_out": 2,
    "save_every": 1, "seed": 0, "threads": 1, "workers": 1,
}  # fmt: skip
_SHARES = ("seeing_stills", "stills", "told")


@dataclass(frozen=True)
class Args:
    """Imitation of the scripted expert: where things are first, then the diffusion loss on its chunks."""

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of demonstrations; they need features, unless the tower learns."""
    out: Path = Path("runs/imitation")
    """Where the run's state and the checkpoint go."""
    model: str = "mini-lite0"
    """Preset of the network."""
    seeing_steps: int = 1500
    """Steps of the first stage, which learns where things are."""
    steps: int = 4000
    """Steps of both stages; the second learns what to do."""
    seeing_batch: int = 32
    """Looks per step of the first stage."""
    batch: int = 128
    """Looks per step of the second stage."""
    seeing_stills: float = 0.7
    """Share of single looks at distinct scenes in a batch of the first stage."""
    stills: float = 0.2
    """The same in the second stage."""
    repeats: int = 1
    """Noise levels per look."""
    think_every: int = 4
    """Every so many-th step of the first stage trains the trunk too."""
    told: float = 0.4
    """Share of looks in the second stage that are told the true places; 1 needs no seeing."""
    said_off_m: float = 0.003
    """Deviation of the noise on places that are not told: how far off they are in scenes that were not learned."""
    learning_rate: float = 1e-3
    """At its highest; in each stage it warms up and falls to nothing."""
    seeing_from: Path | None = None
    """Folder of a run whose weights the first stage starts with."""
    acting_from: Path | None = None
    """Checkpoint whose action expert the second stage starts with, and whose scales of hands hold."""
    held_out: int = 25
    """Every so many-th episode is held out."""
    save_every: int = 500
    """Steps between two saves."""
    seed: int = 0
    """Seed of everything."""
    threads: int = 1
    """CPU threads."""
    device: str = "cpu"
    """Where it trains: cpu, cuda, or auto, which takes a GPU where there is one."""
    tower: Literal["frozen", "learns"] = "frozen"
    """Whether the image tower stays as it came; one that learns needs no features, but a GPU that holds all images."""
    tower_rate: float = 0.3
    """Learning rate of a tower that learns, relative to the others'."""
    workers: int = 1
    """Processes that read the demonstrations."""


def check_args(args: Args) -> None:
    """Refuse numbers that cannot be, before anything is read.

    Raises:
        OptionValueError: one of them; it is named.
    """
    check_numbers(args)
    check_whole_numbers(args, _LEAST)
    check_positive(args, "learning_rate")
    for name in _SHARES:
        if not 0 <= getattr(args, name) <= 1:
            raise OptionValueError(name, getattr(args, name), "from 0 to 1")
    for name in ("said_off_m", "tower_rate"):
        if getattr(args, name) < 0:
            raise OptionValueError(name, getattr(args, name), "at least 0")
