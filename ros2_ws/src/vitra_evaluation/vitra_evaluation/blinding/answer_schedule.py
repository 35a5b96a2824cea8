"""One answer schedule for a whole session: whoever answers, the answer goes out the same time after it was asked for.

A pace that follows the policies (the slowest one's latest answers, say) tells them apart: by its spread, by the first
answer, by what it learns in between. So the time is fixed once, with room for the slowest policy, and kept in the
session's folder: a resumed session, or another computer, goes on with it.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vitra_evaluation.session.files import write_atomically
from vitra_policy.policies.policy import PolicyError

SCHEDULE_NAME = "answer_schedule.json"
ROOM = 1.5
"""The schedule is this much longer than the slowest answer of the warm-up."""
SHORTEST_S = 0.05
"""No schedule is shorter: room for what a policy only does with a real scene before it."""
_GRID_S = 0.01


class AnswerSchedule:
    """Holds every answer back until its time.

    Args:
        period_s: from the question to the answer; 0 lets answers go at once.
        clock: monotonic seconds.
        sleep: waits.
    """

    def __init__(
        self,
        period_s: float,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.period_s, self._clock, self._sleep = period_s, clock, sleep

    def now_s(self) -> float:
        """The clock questions are timed by."""
        return self._clock()

    def wait(self, begun_s: float) -> int:
        """Wait for the time of the answer to a question; returns how many times it was missed.

        An answer that is late goes out at the next multiple of the period: how late it was does not show, only that.
        """
        if self.period_s <= 0:
            return 0
        took_s = self._clock() - begun_s
        missed = max(0, math.ceil(took_s / self.period_s) - 1)
        left_s = begun_s + (missed + 1) * self.period_s - self._clock()
        if left_s > 0:
            self._sleep(left_s)
        return missed


def fixed_period_s(folder: Path, slowest_s: Mapping[str, Sequence[float]], declared_s: float | None) -> float:
    """The session's answer time: the one it has, else the plan's, else what the warm-up asks for.

    Args:
        folder: of the session.
        slowest_s: answer times of the warm-up by policy.
        declared_s: of the plan.

    Raises:
        PolicyError: a policy is slower than the time that the plan declares.
    """
    if (known := known_period_s(folder)) is not None:
        return known
    longest_s = max((max(times) for times in slowest_s.values() if times), default=0.0)
    if declared_s is not None and longest_s > declared_s:
        raise PolicyError(
            f"A policy takes {longest_s:.2f} s to answer; the plan's answer_s of {declared_s:g} s is too short for it "
            "and would tell the policies apart. Declare a longer one, or leave it out: it is measured then."
        )
    period_s = declared_s or max(SHORTEST_S, math.ceil(ROOM * longest_s / _GRID_S - 1e-9) * _GRID_S)
    write_atomically(folder / SCHEDULE_NAME, json.dumps({"answer_s": round(period_s, 4)}) + "\n")
    return round(period_s, 4)


def known_period_s(folder: Path) -> float | None:
    """The session's answer time, if it was fixed already.

    Raises:
        PolicyError: the file is damaged.
    """
    path = folder / SCHEDULE_NAME
    if not path.is_file():
        return None
    try:
        return float(json.loads(path.read_text())["answer_s"])
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise PolicyError(f"{path} cannot be read ({error}); restore it from a copy of the session.") from error
