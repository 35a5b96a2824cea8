"""Recovers a recording that was split into several MCAP files, part by part."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from vitra_policy.bag_metadata import METADATA_NAME
from vitra_training.bags.errors import NoBagError, NothingToRecoverError, NotOneRecordingError
from vitra_training.bags.find import PARTIAL
from vitra_training.bags.mcap_recovery import Damage, DamageKind, Recovery, recover
from vitra_training.bags.one_recording import contradictions
from vitra_training.bags.own_account import join_texts, named_files
from vitra_training.bags.storage_kind import missing_files

_PART = re.compile(r"(?P<name>.+)_(?P<number>0|[1-9]\d*)\.mcap")
"""How every recorder of rosbag2 names the parts of a recording: without leading zeros, as episodes have them."""
_NUMBERS = 1 << 16
"""Numbers of schemas and channels in a file have 16 bits; those of another part mean others."""


def mcap_files(path: Path) -> list[Path]:
    """The MCAP files of a bag folder, whole or cut off, in the order they were recorded.

    Args:
        path: The folder, one `*.partial` around it, or the file.

    Raises:
        NoBagError: there is none.
        NothingToRecoverError: there is none, and metadata name some, or a recorder made the folder.
        NotOneRecordingError: several whose names are not those of the parts of one recording.
    """
    if path.is_file() and path.suffix == ".mcap":
        return [path]
    found = [*path.glob("*.mcap"), *path.glob("*/*.mcap")] if path.is_dir() else []
    if not (files := sorted(file for file in found if not file.is_dir())):
        if lost := missing_files(path):
            words = f"{', '.join(lost)}, which {METADATA_NAME} names, is missing: copy it there"
            raise NothingToRecoverError(path, words)
        if path.name.endswith(PARTIAL) and path.is_dir():
            raise NothingToRecoverError(path, "no .mcap file")
        raise NoBagError(path)
    if named := [path / name for name in named_files(path) if path / name in files]:
        return named  # what else lies there is of another recording
    if len(files) == 1:
        return files
    parts = [match for file in files if (match := _PART.fullmatch(file.name))]
    same = len({(file.parent, match["name"]) for file, match in zip(files, parts, strict=False)}) == 1
    if len(parts) < len(files) or not same:
        names = ", ".join(str(file.relative_to(path)) for file in files[:5])
        raise NotOneRecordingError(path, [f"parts are named NAME_0.mcap, NAME_1.mcap, ..., not {names}"])
    return sorted(files, key=_number)


def missing_parts(files: Sequence[Path]) -> list[Damage]:
    """Parts of a recording that are not there: metadata name them, or without metadata the numbers skip them.

    The last ones are missed only where metadata name them.

    Args:
        files: What is there, in the order they were recorded.
    """
    bag = files[0].parent
    if named_files(bag):
        lost = missing_files(bag)
        return [Damage(DamageKind.MISSING_PART, 0, f"{name}, which {METADATA_NAME} names") for name in lost]
    match = _PART.fullmatch(files[0].name)
    if not match or (len(files) == 1 and files[0].stem == bag.name):  # a bag in one file has its folder's name
        return []
    lost = []
    for before, number in pairwise([-1, *map(_number, files)]):
        names = [f"{match['name']}_{n}.mcap" for n in sorted({before + 1, number - 1}) if before < n < number]
        lost += [" to ".join(names)] if names else []
    return [Damage(DamageKind.MISSING_PART, 0, f"{name}, by the numbers of the others") for name in lost]


def recover_parts(files: Sequence[Path]) -> Recovery:
    """Everything readable in all parts of a recording, in order of time; damages name their part.

    Args:
        files: In the order they were recorded.

    Raises:
        NotOneRecordingError: they are of several recordings.
        OSError: one cannot be opened.
    """
    if len(files) == 1:
        found = recover(files[0])
        found.damages += missing_parts(files)
        return found
    parts = {file.name: recover(file) for file in files}
    named = set(named_files(files[0].parent))  # as parts of one recording, which then may have paused between two
    successive = [(a, b) for a, b in pairwise(files) if _number(b) - _number(a) == 1]
    neighbours = [(a.name, b.name) for a, b in successive if not {a.name, b.name} <= named]
    if reasons := contradictions(parts, neighbours):
        raise NotOneRecordingError(files[0].parent, reasons)
    whole = Recovery(complete=True, about=join_texts(*(part.about for part in parts.values())))
    whole.damages += missing_parts(files)
    for number, (name, part) in enumerate(parts.items()):
        first = number * _NUMBERS
        whole.schemas |= {first + key: schema for key, schema in part.schemas.items()}
        whole.channels |= {
            first + key: replace(channel, schema=first + channel.schema) for key, channel in part.channels.items()
        }
        whole.messages += [replace(message, channel=first + message.channel) for message in part.messages]
        whole.damages += [replace(damage, detail=f"{damage.detail}, in {name}") for damage in part.damages]
        whole.complete &= part.complete
    whole.messages.sort(key=lambda message: message.log_time_ns)
    return whole


def _number(file: Path) -> int:
    match = _PART.fullmatch(file.name)
    return int(match["number"]) if match else 0
