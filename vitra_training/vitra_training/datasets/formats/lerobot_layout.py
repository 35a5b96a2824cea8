"""What LeRobotDataset v3's own tables must hold before anything in them is used as a number, a name or a path."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vitra_training.datasets.errors import BrokenFileError, WrongShapeError

CLIP_COLUMNS = ("chunk_index", "file_index", "from_timestamp")
_COUNTS = ("episode_index", "length", "dataset_from_index", "data/chunk_index", "data/file_index")
_LARGEST = 10**9
_TEMPLATE = re.compile(r"(?:[^{}]|\{(?:video_key|(?:chunk|file)_index(?::0?\d{1,2}d?)?)\})*")
"""Of a path: nothing that writes more than a few digits, or looks into an object."""


def episode_columns(cameras: Sequence[str]) -> list[str]:
    """What `meta/episodes` must say of an episode."""
    return [*_COUNTS, *(f"videos/{camera}/{column}" for camera in cameras for column in CLIP_COLUMNS)]


def check_features(path: Path, features: Mapping[str, Any]) -> None:
    """Every feature is a map with a type in words and a list of sizes.

    Raises:
        WrongShapeError: one is not.
    """
    for name, about in features.items():
        said = about if isinstance(about, dict) else {}
        if not isinstance(said.get("dtype"), str) or not isinstance(said.get("shape"), list):
            raise WrongShapeError(f"{path}: features: {ascii(name)}", ascii(about)[:60], "a map with dtype and shape")


def check_row(path: Path, row: Mapping[str, Any], cameras: Sequence[str]) -> None:
    """Counters of an episode are whole numbers, times are seconds.

    Args:
        path: The table.
        row: One episode.
        cameras: Whose columns are there too.

    Raises:
        WrongShapeError: names the column.
    """
    for column in episode_columns(cameras):
        value, whole = row[column], not column.endswith("from_timestamp")
        known = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not known or not math.isfinite(value) or not 0 <= value < _LARGEST:
            wanted = "a whole number" if whole else "seconds"
            raise WrongShapeError(f"{path}: {column}", ascii(value)[:60], f"{wanted} from 0 to {_LARGEST:g}")


def check_counter(path: Path, name: str, values: NDArray[Any], length: int) -> NDArray[Any]:
    """A counter (length,) of an episode's rows.

    Args:
        path: The table.
        name: Its column.
        values: As read.
        length: Rows.

    Raises:
        WrongShapeError: it is not one number a row.
    """
    if values.dtype.kind not in "iuf" or values.size != length:
        raise WrongShapeError(f"{path}: {name}", f"{values.dtype} {values.shape}", f"a number in each of {length} rows")
    return values.reshape(length)


def task_of(path: Path, values: NDArray[Any], tasks: Mapping[int, str]) -> str:
    """The task that an episode's counter names.

    Args:
        path: The table.
        values: `task_index` (length,).
        tasks: `meta/tasks.parquet`.

    Raises:
        WrongShapeError: there is none of that number.
    """
    number = float(values[0])
    if number not in tasks:
        raise WrongShapeError(f"{path}: task_index", f"{number:g}", f"one of the {len(tasks)} of meta/tasks.parquet")
    return tasks[int(number)]


def read_tasks(path: Path, numbers: Sequence[Any], words: Sequence[Any]) -> dict[int, str]:
    """Tasks by number.

    Args:
        path: The table.
        numbers: Its `task_index`.
        words: Its `task`.

    Raises:
        WrongShapeError: a number is none.
    """
    if bad := [number for number in numbers if not isinstance(number, int)]:
        raise WrongShapeError(f"{path}: task_index", ascii(bad[0])[:60], "a whole number")
    return {number: str(task) for number, task in zip(numbers, words, strict=True)}


def file_of(root: Path, template: str, place: Mapping[str, int | str]) -> Path:
    """A file of the data set.

    Args:
        root: Folder of the data set.
        template: Its path, as `info.json` says.
        place: What stands for the names in it.

    Raises:
        BrokenFileError: the template names something else, or a file outside of the folder.
    """
    info = root / "meta" / "info.json"
    if not _TEMPLATE.fullmatch(template):
        what = "a path may name chunk_index, file_index and video_key"
        raise BrokenFileError(info, "LeRobot data set", f"{what}, not {ascii(template)[:80]}")
    try:
        path = root / template.format(**place)
        inside = path.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError, RuntimeError, KeyError) as cause:
        raise BrokenFileError(info, ascii(template)[:80], cause) from None
    if not inside:
        raise BrokenFileError(info, template, f"{path} is outside of the data set")
    return path
