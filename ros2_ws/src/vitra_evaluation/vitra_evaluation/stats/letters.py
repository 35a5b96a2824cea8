"""Compact letter display: which of several policies differ, in one letter or a few for each."""

from __future__ import annotations

import string
from collections.abc import Collection, Sequence


def compact_letters(names: Sequence[str], different: Collection[frozenset[str]]) -> dict[str, str]:
    """Letters such that two names share one exactly when they are not among the different pairs.

    Insert and absorb, as in Piepho, "An algorithm for a letter-based representation of all-pairwise comparisons",
    J. Comput. Graph. Stat. 13 (2004).

    Args:
        names: best first; the first one gets an `a`.
        different: pairs that differ significantly.
    """
    columns: list[frozenset[str]] = [frozenset(names)]
    for pair in sorted(different, key=lambda p: sorted(names.index(n) for n in p)):
        split: list[frozenset[str]] = []
        for column in columns:
            split += [column - {name} for name in pair] if pair <= column else [column]
        columns = [c for i, c in enumerate(split) if not any(c < o or (c == o and j < i) for j, o in enumerate(split))]
    columns.sort(key=lambda column: sorted(names.index(name) for name in column))
    return {name: "".join(_letter(i) for i, column in enumerate(columns) if name in column) for name in names}


def _letter(index: int) -> str:
    """A to z, then a1, b1 and so on: enough for any number of columns."""
    turn, place = divmod(index, 26)
    return string.ascii_lowercase[place] + (str(turn) if turn else "")
