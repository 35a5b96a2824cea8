"""Processes that end with the one that started them."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # looked up here, since a process between fork and exec should not


def end_with_parent(number: int = signal.SIGTERM) -> None:
    """Let this process get a signal when the one that started it is gone, however it ended (Linux).

    Made to be the initializer of a pool: workers whose parent was killed would wait for work for ever.

    Args:
        number: Which signal.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, number)
