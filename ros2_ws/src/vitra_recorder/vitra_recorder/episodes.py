"""Names and places of episodes: numbered, one bag each, discarded ones apart, nothing ever overwritten."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from vitra_recorder.bag import BagError, unused
from vitra_runtime.exclusive import DeviceBusyError, DeviceLock

DISCARDED = "discarded"
_NUMBER = re.compile(r"episode_(\d+)")
_SLUG_LENGTH = 40


class RecorderBusyError(BagError):
    """Another recorder writes into the same folder."""


class FolderNotWritableError(BagError):
    """A folder that bags cannot be written into."""


class NoInstructionError(BagError):
    """An episode that nobody said the purpose of."""


class MissingStreamError(BagError):
    """A stream without which the episode would be worthless is silent."""


def slug(instruction: str) -> str:
    """A short piece of a folder name for an instruction; of two hands only those that act."""
    acting = re.sub(r"(Left|Right) hand:\s*(None\.?)?", " ", instruction)
    words = re.sub(r"[^a-z0-9]+", "-", acting.lower()).strip("-")
    return words[:_SLUG_LENGTH].strip("-") or "unnamed"


def next_episode(folder: Path, instruction: str) -> Path:
    """A new path `episode_000123__slug`; numbers of saved, discarded and cut off episodes are not used again."""
    places = [folder, folder / DISCARDED, folder / "originals"]
    found = [_NUMBER.match(path.name) for place in places if place.is_dir() for path in place.iterdir()]
    number = 1 + max((int(match[1]) for match in found if match), default=0)
    return folder / f"episode_{number:06d}__{slug(instruction)}"


def discarded_path(path: Path) -> Path:
    """Where a bag goes that is not wanted."""
    return unused(path.parent / DISCARDED / path.name)


def lock_folder(folder: Path) -> DeviceLock:
    """Hold a folder for one recorder, until released or the end of the process.

    Raises:
        FolderNotWritableError: bags cannot be written there.
        RecorderBusyError: another recorder of this machine holds it.
    """
    _check_writable(folder)
    key = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    try:
        return DeviceLock(f"recorder-{key}")
    except DeviceBusyError as error:
        owner = re.search(r"process (\w+)", str(error))
        raise RecorderBusyError(
            f"Another recorder{f' (process {owner[1]})' if owner else ''} writes into {folder}. Stop it, or give this "
            "one another folder (output_dir)."
        ) from None


def _check_writable(folder: Path) -> None:
    probe = folder / f".probe{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise FolderNotWritableError(
            f"Cannot record into {folder}: {error.strerror or error}. Choose another folder (output_dir), or let this "
            "user write there."
        ) from error
