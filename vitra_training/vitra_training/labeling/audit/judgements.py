"""What judges said, appended to a CSV file and never changed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vitra_policy.row_file import RowFileError, append_row, mend_last_line, read_rows
from vitra_training.labeling.errors import AuditError

ANSWERS = ("yes", "no")


@dataclass(frozen=True, slots=True)
class AuditJudgement:
    """One episode in the eyes of one judge."""

    at: str
    judge: str
    episode: str
    segment: str
    """yes: one action, from its beginning to its end."""
    caption: str
    """yes: the words say what the named hand does."""

    @property
    def accepted(self) -> bool:
        """Both are right."""
        return self.segment == self.caption == "yes"


class JudgementBook:
    """The file of judgements.

    Args:
        path: made with the first one.
        episodes: that may be judged.
    """

    def __init__(self, path: Path, episodes: tuple[str, ...]) -> None:
        self._path, self._episodes, self._lock = path, frozenset(episodes), threading.Lock()
        self._all = read_judgements(path) if path.is_file() else []
        mend_last_line(path)

    @property
    def all(self) -> list[AuditJudgement]:
        """Everything judged so far."""
        return list(self._all)

    def judged(self, judge: str) -> set[str]:
        """Episodes that a judge has judged."""
        return {one.episode for one in self._all if one.judge == judge}

    def add(self, judge: str, episode: str, segment: str, caption: str) -> AuditJudgement:
        """Record a judgement.

        Args:
            judge: Who.
            episode: Id.
            segment: Whether the cut is right, `yes` or `no`.
            caption: Whether the words are right, `yes` or `no`.

        Raises:
            AuditError: another answer than yes or no, no episode of the sample, or judged already.
        """
        if segment not in ANSWERS or caption not in ANSWERS:
            raise AuditError(f"Answers are yes or no, got segment '{segment}' and caption '{caption}'")
        if episode not in self._episodes:
            raise AuditError(f"'{episode}' is not in the sample")
        with self._lock:
            if episode in self.judged(judge):
                raise AuditError(f"Judge '{judge}' has judged '{episode}' already")
            one = AuditJudgement(datetime.now(UTC).isoformat(timespec="seconds"), judge, episode, segment, caption)
            append_row(self._path, one)
            self._all.append(one)
        return one


def read_judgements(path: Path) -> list[AuditJudgement]:
    """Judgements of a file; an incomplete last line (power cut) is left out.

    Raises:
        AuditError: not a file of judgements.
    """
    try:
        rows = read_rows(path, AuditJudgement)
    except RowFileError as error:
        raise AuditError(f"{path} is not a file of judgements ({error})") from error
    return [AuditJudgement(*row) for row in rows if set(row[3:]) <= set(ANSWERS)]
