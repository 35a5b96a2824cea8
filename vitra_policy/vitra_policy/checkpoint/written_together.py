"""Files of a checkpoint that belong together: those of another can fit as well, and give actions another size."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vitra_policy.checkpoint.errors import CheckpointFileError

CONFIG_FILE, STATISTICS_FILE, PROVENANCE_FILE = "config.json", "statistics.json", "provenance.json"
CONFIG_NOTE, STATISTICS_NOTE, WEIGHTS_NOTE = "config_sha256", "statistics_sha256", "weights_sha256"


def sha256_of(path: Path) -> str:
    """Hash of a file.

    Args:
        path: The file.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashes_of(files: Sequence[Path]) -> dict[str, str]:
    """Hash of each file by its name; several files at once, since gigabytes are read.

    Args:
        files: Files of one folder.
    """
    with ThreadPoolExecutor(max_workers=4) as pool:
        return dict(zip((file.name for file in files), pool.map(sha256_of, files), strict=True))


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


def check_contents(files: Sequence[Path], sha256: Mapping[str, str]) -> None:
    """Weights are, bit for bit, those that were written: a flipped one moves an arm elsewhere and is seen by nobody.

    Args:
        files: Their files.
        sha256: Hash by name of file, of the provenance; of a file without one nobody knows (earlier versions).

    Raises:
        CheckpointFileError: some are others.
    """
    known = [file for file in files if file.name in sha256]
    changed = [name for name, digest in hashes_of(known).items() if sha256[name] != digest]
    if changed:
        folder = files[0].parent
        raise CheckpointFileError(
            f"{', '.join(changed)} in {folder} is not what was written: damaged, or changed since. Copy the checkpoint "
            f"again; if the change is meant, let {folder / PROVENANCE_FILE} say no '{WEIGHTS_NOTE}'."
        )


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
