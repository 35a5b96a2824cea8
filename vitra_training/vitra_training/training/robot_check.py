"""Whether the robot takes a checkpoint: loaded through the policy registry as the policy node does, and asked once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitra_policy.action_space import HAND, SIDES, TRANSLATION, Hands
from vitra_policy.checkpoint.store import open_checkpoint
from vitra_policy.policies.policy import make_example_observation
from vitra_policy.policies.registry import create_policy
from vitra_policy.statistics import HandKind
from vitra_training.training.errors import TrainingConfigError


@dataclass(frozen=True, slots=True)
class RobotCheck:
    """What the loaded policy answered."""

    checkpoint: str
    policy: str
    hands: tuple[str, ...]
    """Hands that it has learned to move."""
    chunk_shape: tuple[int, ...]
    finite: bool
    largest_step_m: float
    """Largest wrist translation of one step."""
    infer_s: float
    launch: str
    """Command that runs it on the simulated robot."""


def check_on_robot(checkpoint: Path) -> RobotCheck:
    """Load a checkpoint as policy `vitra` and ask it for one chunk.

    Raises:
        TrainingConfigError: the checkpoint was not trained on a robot's hands.
        VitraError: it cannot be loaded.
    """
    statistics = open_checkpoint(checkpoint).statistics
    if statistics is None or statistics.kind is not HandKind.XHAND:
        raise TrainingConfigError(
            f"{checkpoint} was not trained on robot hands. Fine-tune it: `vitra-train finetune --model.initial ...`."
        )
    policy = create_policy("vitra", {"checkpoint": str(checkpoint), "seed": "0"})
    try:
        policy.warm_up()
        hands = Hands(**{side: side in statistics.present for side in SIDES})
        start = time.perf_counter()
        chunk = policy.infer(make_example_observation(hands=hands))
        elapsed_s = time.perf_counter() - start
    finally:
        policy.close()
    moves = [chunk.actions[:, HAND[side]][:, TRANSLATION] for side in hands.active]
    arms = "right" if hands.right else "left"
    return RobotCheck(
        checkpoint=str(checkpoint),
        policy=chunk.policy_id,
        hands=tuple(hands.active),
        chunk_shape=chunk.actions.shape,
        finite=bool(np.isfinite(chunk.actions).all()),
        largest_step_m=float(np.linalg.norm(moves, axis=-1).max()),
        infer_s=elapsed_s,
        launch=f"vitra-launch sim.launch.xml policy:=vitra checkpoint:={checkpoint} arms:={arms}",
    )
