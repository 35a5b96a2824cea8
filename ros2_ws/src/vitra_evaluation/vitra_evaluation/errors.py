"""What can be wrong with a session, one class per cause."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vitra_policy.errors import VitraError


class PlanError(VitraError):
    """A plan with mistakes; every one is listed with its line."""

    def __init__(self, file: Path | str, problems: Sequence[tuple[int, str]]) -> None:
        self.problems = sorted(problems)
        lines = "\n".join(f"  {file}:{line}: {reason}" for line, reason in self.problems)
        count = len(self.problems)
        super().__init__(f"The plan has {count} mistake{'s' if count > 1 else ''}; nothing was started:\n{lines}")


class SessionError(VitraError):
    """A session folder that cannot be used that way."""


class SessionHeldError(SessionError):
    """Another program has the session in hand."""


class UnsealedError(SessionError):
    """The names are open: what would change a result comes too late."""


class JournalBusyError(SessionError):
    """Another program keeps the journal locked."""


class DiskFullError(SessionError):
    """No room for the record."""


class DamagedError(SessionError):
    """A file of the session that is not what was written."""


class SealError(VitraError):
    """The seal is broken, missing, or must not be opened yet."""


class RefusedError(VitraError):
    """A command that does not fit the present phase of the trial."""


class NotRecordingError(VitraError):
    """The recording of a trial did not begin; the policy has no part in it."""


class PreflightError(VitraError):
    """The robot is not ready for a trial."""
