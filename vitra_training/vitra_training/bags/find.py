"""Where the bags of a folder are, whole or not: none is overlooked, and links to bags are followed."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from vitra_policy.bag_metadata import METADATA_NAME
from vitra_training.bags.errors import NoBagError
from vitra_training.datasets.names import text_of

PARTIAL = ".partial"
"""Ending of the folder of a recording that is not complete."""
DISCARDED, ORIGINALS = "discarded", "originals"
"""Folders beside episodes whose bags are no episodes."""
_BAG_FILES = (".mcap", ".db3")
_PART = re.compile(r"(_\d+)?")
"""What a recorder puts behind the name of a bag in the names of its files."""
_OF_SYSTEMS = (".", "lost+found")
"""How folders begin that systems put onto disks, for themselves only."""


def folders(path: Path, leave: Collection[str] = (DISCARDED, ORIGINALS)) -> Iterator[Path]:
    """A folder and those below it, each once however many links lead there; nothing within a `*.partial`.

    Folders that nobody may look into come last.

    Args:
        path: The folder.
        leave: Names of folders below it that are left out.
    """
    seen, closed = set(), list[Path]()
    for place, below, _ in os.walk(path, onerror=lambda error: closed.append(Path(error.filename)), followlinks=True):
        real = os.path.realpath(place)
        below[:] = sorted(name for name in below if name not in leave)
        if real in seen or place.endswith(PARTIAL):
            below.clear()
        if real not in seen:
            yield Path(place)
        seen.add(real)
    yield from (place for place in closed if is_closed(place) and not place.name.startswith(_OF_SYSTEMS))


def is_closed(folder: Path) -> bool:
    """Whether nobody may look into a folder, so that it may well be a bag."""
    return folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK)


def holds_bag_files(folder: Path) -> bool:
    """Whether files of a bag, of any storage, are in the folder itself; a folder may be called like one."""
    return any(file.suffix in _BAG_FILES and not file.is_dir() for file in folder.iterdir())


def is_damaged(folder: Path) -> bool:
    """Whether a folder is a recording of which one sees at once that it is cut off, closed, or lost its metadata."""
    if folder.name.endswith(PARTIAL) or is_closed(folder):
        return True
    return not (folder / METADATA_NAME).is_file() and holds_bag_files(folder)


def is_cut_off(folder: Path) -> bool:
    """Whether files of a bag are in a folder and, by their names, are its own, though no metadata say so."""
    name = folder.name.removesuffix(PARTIAL)
    places = (folder, folder / name) if folder.name.endswith(PARTIAL) else (folder,)
    files = (file for place in places for ending in _BAG_FILES for file in place.glob(f"*{ending}"))
    return any(_PART.fullmatch(file.stem.removeprefix(name)) for file in files if file.stem.startswith(name))


def find_bags(path: Path) -> list[Path]:
    """The bag directories at or below a path, without unfinished (`*.partial`), discarded and replaced ones."""
    if not is_closed(path) and (path / METADATA_NAME).is_file():
        return [path]
    return [folder for folder in folders(path) if not is_damaged(folder) and (folder / METADATA_NAME).is_file()]


def all_bags(path: Path) -> list[Path]:
    """Bags at or below a path; those that were cut off or lost their metadata are among them, so none is overlooked.

    Raises:
        NoBagError: there is none.
    """
    found = sorted({*find_bags(path), *filter(is_damaged, folders(path))})  # the check says what is wrong with them
    if not found:
        raise NoBagError(path)
    return found


def unique_names(root: Path, paths: Sequence[Path]) -> list[str]:
    """Names of bags; with the folders above them where two have the same one, and numbers where that is not enough.

    Args:
        root: Folder of the bags, or the only one.
        paths: The bags.
    """
    own = [text_of(path.name if path.name not in ("", "..") else path.resolve().name) for path in paths]
    times, names = Counter(own), list[str]()
    for path, name in zip(paths, own, strict=True):
        full = name if times[name] == 1 else text_of("__".join(path.relative_to(root).parts))
        taken, number, unique = {*names, *(times.keys() - {name})}, 1, full
        while unique in taken:
            number += 1
            unique = f"{full}_{number}"
        names.append(unique)
    return names
