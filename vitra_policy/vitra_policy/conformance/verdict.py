"""Cases, and what came of them."""

from __future__ import annotations

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


def judge(cases: tuple[Case[Subject], ...], subject: Subject) -> list[Verdict]:
    """Run every case; a subject that raises has failed it."""
    verdicts = []
    for case in cases:
        try:
            complaints = case.run(subject)
        except Exception as error:  # the subject is other people's code
            complaints = [f"raised {type(error).__name__}: {error}"]
        verdicts.append(Verdict(case.name, case.why, complaints is not None, tuple(complaints or ())))
    return verdicts
