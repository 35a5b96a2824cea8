"""Small file helpers."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from vitra_evaluation.errors import DiskFullError

_BLOCK = 1 << 20


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that readers see the old or the new content, never half of it."""
    temporary = path.with_name(path.name + ".new")
    with room_for(path):
        write_durably(temporary, text)
        temporary.replace(path)


def write_durably(path: Path, text: str) -> None:
    """Write a file that survives a power cut."""
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def room_for(path: Path) -> Iterator[None]:
    """A full disk by its name.

    Raises:
        DiskFullError: no space left, or a quota.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"{path} cannot be written: {error.strerror}. Make room on its disk, then vitra-eval resume; what was "
                "committed is safe."
            ) from error
        raise


def file_sha256(path: Path, length: int | None = None) -> str:
    """Hash of a file, or of its first bytes."""
    digest, left = hashlib.sha256(), length
    with path.open("rb") as file:
        while block := file.read(_BLOCK if left is None else min(_BLOCK, left)):
            digest.update(block)
            left = None if left is None else left - len(block)
    return digest.hexdigest()


def _raise(error: OSError) -> None:
    raise error


def tree_hashes(folder: Path) -> dict[str, str]:
    """Hash of every file below a folder, linked folders too, by its path from there; none without the folder.

    What is neither a file nor a folder (a pipe, a link to nothing) is there by its name, with no hash.

    Raises:
        OSError: a folder or file cannot be read.
    """
    if not folder.exists():
        return {}
    found: dict[str, str] = {}
    visited: set[Path] = set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
        here = Path(parent)
        folders[:] = sorted(name for name in folders if (here / name).resolve() not in visited)
        visited |= {(here / name).resolve() for name in folders}
        for path in (here / name for name in names):
            found[path.relative_to(folder).as_posix()] = file_sha256(path) if path.is_file() else ""
    return dict(sorted(found.items()))


def prefix_of(path: Path) -> dict[str, int | str] | None:
    """What a growing file holds by now: its length and the hash of it; None without a file."""
    if not path.is_file():
        return None
    length = path.stat().st_size
    return {"bytes": length, "sha256": file_sha256(path, length)}
