"""Of which storage a bag is, MCAP or SQLite, and what to run when it cannot be read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from vitra_policy.bag_metadata import METADATA_NAME
from vitra_training.bags.errors import MixedStorageError, sqlite_advice
from vitra_training.bags.find import is_closed
from vitra_training.bags.own_account import named_files, stated_storage


class Storage(StrEnum):
    """Value: as `storage_identifier` of the metadata says it."""

    MCAP = "mcap"
    SQLITE = "sqlite3"


_SUFFIXES = {".mcap": Storage.MCAP, ".db3": Storage.SQLITE}


def storage_of(bag: Path) -> Storage | None:
    """Storage of a bag; None where no file of any is in the folder itself.

    Where files of both are there, those that metadata name count, then the storage that they state.

    Raises:
        MixedStorageError: files of both, and no metadata that say which of them are the recording.
    """
    found = {storage for suffix, storage in _SUFFIXES.items() if _files(bag, suffix)}
    named = {_SUFFIXES[suffix] for name in named_files(bag) if (suffix := Path(name).suffix) in _SUFFIXES}
    for candidates in (found, named, found & {stated_storage(bag)}):
        if len(candidates) == 1:
            return Storage(next(iter(candidates)))
    if found:
        raise MixedStorageError(bag)
    return None


def missing_files(bag: Path) -> list[str]:
    """Files that a bag's metadata name and that are not there."""
    return [name for name in named_files(bag) if not (bag / name).is_file()]


def advice(bag: Path) -> str:
    """What to do with a bag that cannot be read to its end; whatever it names helps with this storage."""
    if is_closed(bag):
        return "Get the right to read and enter that folder."
    missing = missing_files(bag)
    try:
        sqlite = storage_of(bag) is Storage.SQLITE
    except MixedStorageError as error:
        return str(error)
    if sqlite:
        return sqlite_advice(bag, missing)
    if missing and not _files(bag, ".mcap"):
        return f"{', '.join(missing)}, which {METADATA_NAME} names, is missing: copy it there; nothing else is left."
    lost = f"{', '.join(missing)}, which {METADATA_NAME} names, is missing: copy it there, or go on without. "
    return f"{lost if missing else ''}Run `vitra-bag repair {bag}`."


def _files(bag: Path, suffix: str) -> list[Path]:
    """Files only: a folder may be called like one."""
    return [file for file in bag.glob(f"*{suffix}") if not file.is_dir()]
