"""Cases, and what came of them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True)
class Case(Generic[Subject]):
    """One thing that goes wrong on real robots.

    Attributes:
        name: Short name.
        why: What happens to a robot whose client or policy gets it wrong.
        run: Complaints about a subject; none when it conforms, None when the case does not apply to it.
    """

    name: str
    why: str
    run: Callable[[Subject], list[str] | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a case found."""

    name: str
    why: str
    applies: bool
    complaints: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Nothing to complain about."""
        return not self.complaints


def judge(cases: tuple[Case[Subject], ...], subject: Subject, limit_s: float = 120.0) -> list[Verdict]:
    """Run every case, all in one thread; a subject that raises has failed it, and one that hangs this and the rest.

    Args:
        cases: What to run.
        subject: Other people's code.
        limit_s: How long a case may take.
    """
    done: queue.SimpleQueue[Verdict] = queue.SimpleQueue()
    given_up = threading.Event()

    def work() -> None:
        for case in cases:
            if not given_up.is_set():
                done.put(_verdict(case, subject))

    threading.Thread(target=work, name="conformance", daemon=True).start()
    verdicts: list[Verdict] = []
    try:
        while len(verdicts) < len(cases):
            verdicts.append(done.get(timeout=limit_s))
    except queue.Empty:
        stuck = cases[len(verdicts)]
        verdicts.append(Verdict(stuck.name, stuck.why, True, (f"did not end within {limit_s:g} s",)))
        rest = cases[len(verdicts) :]
        verdicts += [Verdict(case.name, case.why, True, (f"not begun: '{stuck.name}' did not end",)) for case in rest]
    finally:
        given_up.set()
    return verdicts


def _verdict(case: Case[Subject], subject: Subject) -> Verdict:
    try:
        complaints = case.run(subject)
    except BaseException as error:  # the subject is other people's code; one that exits has not passed
        complaints = [f"raised {type(error).__name__}: {error}"]
    return Verdict(case.name, case.why, complaints is not None, tuple(complaints or ()))
