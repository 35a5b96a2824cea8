"""Votes of a study: a top three per participant and item, appended to a CSV file and never changed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vitra_evaluation.study.material import Study, StudyError
from vitra_policy.row_file import RowFileError, append_row, mend_last_line, read_rows

RANKS = 3


@dataclass(frozen=True, slots=True)
class Vote:
    """One page of one participant; `second` and `third` are empty when there are fewer models."""

    at: str
    participant: str
    item: str
    first: str
    second: str
    third: str

    @property
    def ranked(self) -> tuple[str, ...]:
        """The models from best on."""
        return tuple(m for m in (self.first, self.second, self.third) if m)


class VoteBook:
    """The file of votes.

    Args:
        path: created with the first vote.
        study: what may be voted on.
    """

    def __init__(self, path: Path, study: Study) -> None:
        self._path, self._study, self._lock = path, study, threading.Lock()
        self._votes = read_votes(path) if path.is_file() else []
        mend_last_line(path)

    @property
    def votes(self) -> list[Vote]:
        """All votes so far."""
        return list(self._votes)

    def voted(self, participant: str) -> set[str]:
        """Items this participant has voted on."""
        return {v.item for v in self._votes if v.participant == participant}

    def add(self, participant: str, item: int, positions: list[int]) -> Vote:
        """Record a ranking given by positions on the participant's page.

        Args:
            participant: Who votes.
            item: Number of the page.
            positions: Places on it, counted from 0, of the best videos, best first.

        Raises:
            StudyError: not a ranking of that page, or a second vote on it.
        """
        order = self._study.video_order(participant, item)
        wanted = min(RANKS, len(order))
        if len(positions) != wanted or len(set(positions)) != wanted or not all(0 <= p < len(order) for p in positions):
            raise StudyError(f"Rank {wanted} different videos of {len(order)}, got {positions}.")
        name = self._study.items[item].name
        with self._lock:
            if name in self.voted(participant):
                raise StudyError(f"Participant '{participant}' has ranked '{name}' already.")
            models = [order[p] for p in positions] + [""] * (RANKS - wanted)
            vote = Vote(datetime.now(UTC).isoformat(timespec="seconds"), participant, name, *models)
            append_row(self._path, vote)
            self._votes.append(vote)
        return vote


def read_votes(path: Path) -> list[Vote]:
    """Votes of a file; an incomplete last line (power cut) is left out.

    Raises:
        StudyError: not a file of votes.
    """
    try:
        rows = read_rows(path, Vote)
    except RowFileError as error:
        raise StudyError(f"{path} is not a file of votes ({error}).") from error
    return [Vote(*row) for row in rows]
