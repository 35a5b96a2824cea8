"""What can stop a training run, one class per cause."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from vitra_policy.errors import VitraError


class TrainingConfigError(VitraError):
    """Settings that cannot go together, or that lack something; the message names the flag."""


class NotFiniteTrainingError(VitraError):
    """A loss or gradient that is NaN or infinite; no weight was touched by it."""

    def __init__(self, what: str, step: int, samples: Sequence[str], kept: Path | None) -> None:
        shown = ", ".join(samples[:4]) + (", ..." if len(samples) > 4 else "")
        resume = f"The checkpoint before it is {kept}." if kept else "No checkpoint was written yet."
        super().__init__(
            f"The {what} of step {step} is not finite. Samples of the batch on this process: {shown or 'unknown'}. "
            f"{resume} Check these episodes with `vitra-data validate`, or lower --optimizer.lr-expert, and resume."
        )


class ResumeMismatchError(VitraError):
    """A run directory that was started with other settings."""

    def __init__(self, run: Path, differences: Sequence[str]) -> None:
        super().__init__(
            f"{run} was started with other settings: {'; '.join(differences)}. Give the same settings to resume it, "
            "or another --run.name (or --run.resume never, into an empty folder) to start anew."
        )


class ForeignCheckpointError(VitraError):
    """Initial weights of another network than the one asked for."""

    def __init__(self, checkpoint: Path, differences: Sequence[str]) -> None:
        super().__init__(
            f"Checkpoint {checkpoint} is of another network: {'; '.join(differences)}. Leave out the --model flags "
            "that ask for something else, or name a checkpoint of that network."
        )


class BrokenTrainingStateError(VitraError):
    """Optimizer state or progress of a training checkpoint that cannot be read or does not belong to it."""

    def __init__(self, path: Path, detail: object) -> None:
        super().__init__(f"Cannot resume from {path}: {detail}. Delete that checkpoint to resume from the one before.")


def is_full(error: OSError) -> bool:
    """Whether the disk, or what this account may use of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


class DiskFullError(VitraError):
    """No room for a checkpoint; nothing half-written is left."""

    def __init__(self, folder: Path, step: int, kept: Path | None) -> None:
        newest = f"The newest complete one is {kept}." if kept else "None was written before."
        super().__init__(
            f"No space left for the checkpoint of step {step} in {folder}. {newest} Free some space, or keep fewer "
            "with --run.keep; the same command then goes on from there."
        )
