"""Errors a user can do something about, one class per cause."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable

_FULL = (errno.ENOSPC, errno.EDQUOT)
_PATH = (
    errno.EACCES,
    errno.EEXIST,
    errno.EIO,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)


class VitraError(Exception):
    """Base of every error of the stack that a user can fix; the message says what, where and what to do next."""


class UnknownNameError(VitraError):
    """A name that does not exist among the allowed ones."""

    def __init__(self, kind: str, name: str, allowed: Iterable[str], hint: str = "") -> None:
        self.kind, self.name, self.allowed = kind, name, sorted(allowed)
        close = difflib.get_close_matches(name, self.allowed, n=1)
        guess = f" Did you mean '{close[0]}'?" if close else ""
        tail = f" {hint}" if hint else ""
        known = ", ".join(f"'{one}'" if "," in one else one for one in self.allowed) or "none"
        super().__init__(f"Unknown {kind} '{name}'.{guess} Allowed: {known}.{tail}")


def disk_words(error: OSError) -> str:
    """What a disk refused, and what to do; an error of any other kind is raised again."""
    if error.errno in _FULL:
        return f"No space left ({error.filename or error}). Free some and run the same command again."
    if error.errno == errno.EFBIG:
        return f"{error.filename or 'A file'} is larger than its disk takes ({error.strerror}). Choose another disk."
    if error.errno in _PATH and error.filename:
        return f"{error.filename}: {error.strerror}. Give another path, or access to this one."
    raise error
