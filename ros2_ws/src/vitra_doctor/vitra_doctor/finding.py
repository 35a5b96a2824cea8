"""What an examination says: findings with the command that mends them, and the report as text and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TypeVar

S = TypeVar("S")


class Level(StrEnum):
    """How bad a finding is."""

    WARNING = "warning"
    """The robot may move; somebody should know."""
    ERROR = "error"
    """The robot must not be armed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        check: Name of the check that found it.
        level: How bad it is.
        what: What was seen, and what is allowed.
        mend: The command, or the act, that mends it.
    """

    check: str
    level: Level
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.what} Mend: {self.mend}"


Complaint = tuple[Level, str, str]
"""Level, what, mend: a finding before it has the name of its check."""
Check = Callable[[S], Iterator[Complaint]]


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of an examination, the worst first.

    Attributes:
        findings: What was found.
        checks: Names of all checks that were made.
        took_s: How long looking and checking took.
    """

    findings: tuple[Finding, ...]
    checks: tuple[str, ...]
    took_s: float = 0.0

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What forbids arming."""
        return tuple(finding for finding in self.findings if finding.level is Level.ERROR)

    @property
    def is_green(self) -> bool:
        """Whether the robot may be armed."""
        return not self.errors

    def to_json(self) -> str:
        """The report for programs: `green`, `took_s`, `checks`, `findings`."""
        findings = [asdict(finding) for finding in self.findings]
        return json.dumps(
            {"green": self.is_green, "took_s": round(self.took_s, 2), "checks": self.checks, "findings": findings}
        )


def examine(subject: S, checks: Mapping[str, Check[S]]) -> Iterable[Finding]:
    """Make every check of one subject; a check that cannot be made is a finding too."""
    for name, check in checks.items():
        try:
            for level, what, mend in check(subject):
                yield Finding(name, level, what, mend)
        except Exception as error:  # a bug in one check must not hide what the others find
            what = f"The check '{name}' failed: {type(error).__name__}: {error}."
            yield Finding(name, Level.ERROR, what, "Report this with the output of vitra-doctor --json.")


def report(findings: Iterable[Finding], checks: Iterable[str], took_s: float) -> Report:
    """A report with errors before warnings.

    Args:
        findings: In any order.
        checks: Names of all checks that were made.
        took_s: How long they took.
    """
    ordered = sorted(findings, key=lambda finding: finding.level is not Level.ERROR)
    return Report(tuple(ordered), tuple(checks), took_s)
