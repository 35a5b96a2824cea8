"""The trials that count, with the policy behind each, and what to count of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vitra_evaluation.plan.schedule import Slot
from vitra_evaluation.session.attempt import Attempt, Outcome, TrialResult
from vitra_evaluation.stats.intervals import Interval

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One trial that counts."""

    slot: Slot
    attempt: Attempt
    result: TrialResult
    policy: str

    @property
    def success(self) -> bool:
        """Whether it succeeded."""
        return self.result.outcome is Outcome.SUCCESS


def counts(rows: list[Row]) -> tuple[int, int]:
    """(successes, trials)."""
    return sum(row.success for row in rows), len(rows)


def bounds(interval: Interval) -> list[float]:
    """Both ends, rounded."""
    return [round(interval.low, 6), round(interval.high, 6)]
