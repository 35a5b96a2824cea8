"""Errors a user can do something about, one class per cause."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VitraError(Exception):
    """Base of every error of the stack that a user can fix; the message says what, where and what to do next."""


class UnknownNameError(VitraError):
    """A name that does not exist among the allowed ones."""

    def __init__(self, kind: str, name: str, allowed: Iterable[str], hint: str = "") -> None:
        self.kind, self.name, self.allowed = kind, name, sorted(allowed)
        close = difflib.get_close_matches(name, self.allowed, n=1)
        guess = f" Did you mean '{close[0]}'?" if close else ""
        tail = f" {hint}" if hint else ""
        super().__init__(f"Unknown {kind} '{name}'.{guess} Allowed: {', '.join(self.allowed) or 'none'}.{tail}")
