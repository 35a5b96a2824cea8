"""Files of a checkpoint that belong together: those of another can fit as well, and give actions another size."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from vitra_policy.checkpoint.errors import CheckpointFileError

CONFIG_FILE, STATISTICS_FILE, PROVENANCE_FILE = "config.json", "statistics.json", "provenance.json"
CONFIG_NOTE, STATISTICS_NOTE = "config_sha256", "statistics_sha256"


def sha256_of(path: Path) -> str:
    """Hash of a file.

    Args:
        path: The file.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()


def notes_for_weights(folder: Path, statistics_sha256: str) -> dict[str, str]:
    """What files of weights say of those that are written beside them.

    Args:
        folder: The checkpoint.
        statistics_sha256: Hash of its statistics; empty: it has none.
    """
    return {CONFIG_NOTE: sha256_of(folder / CONFIG_FILE), STATISTICS_NOTE: statistics_sha256}


def check_weights(weights: Path, noted: Mapping[str, str], statistics_sha256: str) -> None:
    """Weights are those of the files beside them; what earlier versions wrote notes nothing.

    Args:
        weights: Their file.
        noted: Texts of its header.
        statistics_sha256: Hash of the statistics that the provenance names; empty: any may lie there, unless the
            provenance itself is lost.

    Raises:
        CheckpointFileError: they were written with others.
    """
    if noted.get(STATISTICS_NOTE) and not (weights.parent / PROVENANCE_FILE).exists():
        check_statistics(weights.parent, noted[STATISTICS_NOTE])
    for name, note, digest in (
        (CONFIG_FILE, CONFIG_NOTE, sha256_of(weights.parent / CONFIG_FILE)),
        (STATISTICS_FILE, STATISTICS_NOTE, statistics_sha256),
    ):
        if digest and noted.get(note, digest) != digest:
            raise CheckpointFileError(f"{weights} was written with another {name}. Copy all of it again.")


def check_statistics(folder: Path, sha256: str) -> None:
    """Statistics are those that the provenance names.

    Args:
        folder: The checkpoint.
        sha256: Their hash; empty: nobody knows.

    Raises:
        CheckpointFileError: they are missing, or others.
    """
    path = folder / STATISTICS_FILE
    if not sha256:
        return
    if not path.is_file():
        raise CheckpointFileError(
            f"{path} is missing, though it was written with the weights. Copy the checkpoint again."
        )
    if sha256_of(path) != sha256:
        raise CheckpointFileError(
            f"{path} is not the file that was written with the weights. Copy the checkpoint again; if other statistics "
            f"are meant, let {folder / PROVENANCE_FILE} say no '{STATISTICS_NOTE}'."
        )
