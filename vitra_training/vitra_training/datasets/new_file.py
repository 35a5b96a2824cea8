"""A file that a command is told to write: never in a bag, and never in the place of what no such command wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vitra_training.bags.writer import refuse_inside_bag
from vitra_training.datasets.errors import FileTakenError


def check_new_file(path: Path, is_earlier: Callable[[Any], bool] = lambda _: False) -> None:
    """Refuse a place before any work is done for it: episodes and recordings lie where reports may be asked for, too.

    Args:
        path: The file to write.
        is_earlier: Of the JSON in a file that is there: whether the same command wrote it, so that it may go.

    Raises:
        InsideBagError: it is in a bag.
        FileTakenError: another file is there.
    """
    refuse_inside_bag(path)
    if path.is_file() and not is_earlier(_json_of(path)):
        raise FileTakenError(path)


def is_report(content: Any) -> bool:
    """Whether JSON is a report of `vitra-bag check` or `vitra-data validate`."""
    return isinstance(content, list) and all(isinstance(one, dict) and "findings" in one for one in content)


def is_statistics(content: Any) -> bool:
    """Whether JSON is a file of `vitra-data stats`."""
    return isinstance(content, dict) and "dataset_name" in content


def _json_of(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
