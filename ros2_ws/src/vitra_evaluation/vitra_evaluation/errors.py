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


class NoPlanError(VitraError):
    """A plan that is not there."""

    def __init__(self, path: Path, shipped: Sequence[str]) -> None:
        super().__init__(
            f"There is no plan {path}. Write one: vitra-eval init {path}. Shipped ones go by name: {', '.join(shipped)}"
        )


class SessionError(VitraError):
    """A session folder that cannot be used that way."""


class NoSessionError(SessionError):
    """A path without a session."""

    def __init__(self, folder: Path, wanted: Sequence[str], below: Sequence[Path]) -> None:
        why = f"it holds neither {' nor '.join(wanted)}" if folder.is_dir() else "there is no such folder"
        found = f" Sessions lie below it, name one: {', '.join(map(str, below))}." if below else ""
        super().__init__(
            f"There is no session in {folder}: {why}.{found} A new one begins with: vitra-eval run PLAN --out FOLDER"
        )


class NoJournalError(SessionError):
    """A session's folder that has lost its journal."""

    def __init__(self, folder: Path, journal: str, plan: str) -> None:
        super().__init__(
            f"There is no journal in {folder}: every result is in its {journal}, and that file is missing. Restore it "
            f"from a copy of the session; if there is none, begin anew: vitra-eval run {folder / plan} --out FOLDER"
        )


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
