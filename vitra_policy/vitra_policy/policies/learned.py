"""The `learned` policy: a checkpoint that imitation in simulation made, with the settings it was trained for."""

from __future__ import annotations

from pathlib import Path

from vitra_policy.checkpoint.errors import CheckpointFileError
from vitra_policy.checkpoint.store import open_checkpoint
from vitra_policy.policies.registry import PolicyOptionError
from vitra_policy.policies.true_places import TruePlaces
from vitra_policy.policies.vitra import VitraPolicy, VitraSettings

SHIPPED = Path(__file__).parents[1] / "checkpoints" / "place"
"""The checkpoint that comes with the package; its README says how it was made and what it reaches."""
EXECUTED_STEPS = 4
"""At some places the expert rests for a moment; whoever executes less of a chunk than this rest never gets past it."""
_TRAIN = "python -m vitra_training.imitation.train"


def make_learned_policy(
    checkpoint: str = "",
    mode: str = "fast",
    steps: str = "10",
    seed: str = "",
    threads: str = "0",
    places: str = "seen",
) -> VitraPolicy:
    """Factory of `learned`; `places=true` tells it where things are, which judges its acting apart from its seeing.

    Args:
        checkpoint: Folder that `vitra_training.imitation.train` wrote; empty: the one that comes with the package.
        mode: `fast` or `parity`.
        steps: Denoising steps.
        seed: Of the noise; empty: drawn.
        threads: Of PyTorch; 0: its own choice.
        places: `seen`, or `true`: from the simulator.

    Raises:
        CheckpointFileError: there is no such checkpoint.
        PolicyOptionError: an option is no number, or the checkpoint does not say how long its steps are.
    """
    folder = Path(checkpoint) if checkpoint else SHIPPED
    if not folder.is_dir():
        raise CheckpointFileError(
            f"No learned policy in {folder}. Train one ({_TRAIN} --help) and give its folder: checkpoint=FOLDER."
        )
    training = open_checkpoint(folder).provenance.training
    step_s = training.get("step_s")
    if not isinstance(step_s, float):
        raise PolicyOptionError(
            f"{folder} does not say how long its steps are, so it is not of {_TRAIN}. Use policy 'vitra' for it."
        )
    try:
        ddim_steps, cores, noise = int(steps), int(threads), int(seed) if seed else None
    except ValueError as error:
        raise PolicyOptionError(f"Policy 'learned': an option is no whole number: {error}.") from error
    if places not in ("seen", "true"):
        raise PolicyOptionError(f"Policy 'learned': places is '{places}'; expected seen or true.")
    told = places == "true"
    return VitraPolicy(
        folder,
        "parity" if told else mode,
        settings=VitraSettings(
            ddim_steps, 1.0, cores, noise, step_s, executed_steps=EXECUTED_STEPS, policy_id=f"learned:{folder.name}"
        ),
        told=TruePlaces.of_training(folder, training) if told else None,
    )
