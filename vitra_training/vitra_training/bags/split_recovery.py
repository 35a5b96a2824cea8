"""Recovers a recording that was split into several MCAP files, part by part."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vitra_training.bags.errors import NoBagError
from vitra_training.bags.mcap_recovery import Recovery, recover

_PART = re.compile(r"(?P<name>.+)_(?P<number>\d+)\.mcap")
"""How every recorder of rosbag2 names the parts of a recording."""
_NUMBERS = 1 << 16
"""Numbers of schemas and channels in a file have 16 bits; those of another part mean others."""


def mcap_files(path: Path) -> list[Path]:
    """The MCAP files of a bag folder, whole or cut off, in the order they were recorded.

    Args:
        path: The folder, one `*.partial` around it, or the file.

    Raises:
        NoBagError: there is none, or several that are no parts of one recording.
    """
    if path.is_file() and path.suffix == ".mcap":
        return [path]
    files = sorted([*path.glob("*.mcap"), *path.glob("*/*.mcap")]) if path.is_dir() else []
    if len(files) == 1:
        return files
    parts = [match for file in files if (match := _PART.fullmatch(file.name))]
    same = len({(file.parent, match["name"]) for file, match in zip(files, parts, strict=False)}) == 1
    if not parts or len(parts) < len(files) or not same:
        raise NoBagError(path)
    numbers = {file: int(match["number"]) for file, match in zip(files, parts, strict=True)}
    return sorted(files, key=numbers.__getitem__)


def recover_parts(files: Sequence[Path]) -> Recovery:
    """Everything readable in all parts of a recording, in order of time; damages name their part.

    Args:
        files: In the order they were recorded.

    Raises:
        OSError: one cannot be opened.
    """
    if len(files) == 1:
        return recover(files[0])
    whole = Recovery(complete=True)
    for number, file in enumerate(files):
        part, first = recover(file), number * _NUMBERS
        whole.schemas |= {first + key: schema for key, schema in part.schemas.items()}
        whole.channels |= {
            first + key: replace(channel, schema=first + channel.schema) for key, channel in part.channels.items()
        }
        whole.messages += [replace(message, channel=first + message.channel) for message in part.messages]
        whole.about |= part.about
        whole.damages += [replace(damage, detail=f"{damage.detail}, in {file.name}") for damage in part.damages]
        whole.complete &= part.complete
    whole.messages.sort(key=lambda message: message.log_time_ns)
    return whole
