"""Recovers a recording that was split into several MCAP files, part by part."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from vitra_training.bags.errors import NoBagError, NotOneRecordingError
from vitra_training.bags.mcap_recovery import Recovery, recover
from vitra_training.bags.one_recording import contradictions
from vitra_training.bags.own_account import join_texts

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
        NotOneRecordingError: several whose names are not those of the parts of one recording.
    """
    if path.is_file() and path.suffix == ".mcap":
        return [path]
    if not (files := sorted([*path.glob("*.mcap"), *path.glob("*/*.mcap")]) if path.is_dir() else []):
        raise NoBagError(path)
    if len(files) == 1:
        return files
    parts = [match for file in files if (match := _PART.fullmatch(file.name))]
    same = len({(file.parent, match["name"]) for file, match in zip(files, parts, strict=False)}) == 1
    if len(parts) < len(files) or not same:
        names = ", ".join(str(file.relative_to(path)) for file in files[:5])
        raise NotOneRecordingError(path, [f"parts are named NAME_0.mcap, NAME_1.mcap, ..., not {names}"])
    return sorted(files, key=_number)


def recover_parts(files: Sequence[Path], named: bool = False) -> Recovery:
    """Everything readable in all parts of a recording, in order of time; damages name their part.

    Args:
        files: In the order they were recorded.
        named: Whether metadata name them as one recording, which then may have paused between two parts.

    Raises:
        NotOneRecordingError: they are of several recordings.
        OSError: one cannot be opened.
    """
    if len(files) == 1:
        return recover(files[0])
    parts = {file.name: recover(file) for file in files}
    neighbours = [(a.name, b.name) for a, b in pairwise(files) if not named and _number(b) - _number(a) == 1]
    if reasons := contradictions(parts, neighbours):
        raise NotOneRecordingError(files[0].parent, reasons)
    whole = Recovery(complete=True, about=join_texts(*(part.about for part in parts.values())))
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
