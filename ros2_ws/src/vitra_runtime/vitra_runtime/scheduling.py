"""Real-time scheduling for the processes whose lateness moves an arm.

Set by the environment (launch files give it to drivers, executor and supervisor), so that it holds before any thread
of the middleware exists: threads inherit the policy of the one that starts them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

PRIORITY_VARIABLE = "VITRA_REALTIME_PRIORITY"
HEARTBEAT_PRIORITY_VARIABLE = "VITRA_HEARTBEAT_PRIORITY"
HOW_TO = "allow it with a line '@realtime - rtprio 60' in /etc/security/limits.d/ and membership in that group"


def request_realtime(environment: Mapping[str, str] = os.environ) -> str:
    """Ask for round-robin real-time scheduling of this process at the priority in the environment (1 to 99).

    Returns:
        What to tell people: an empty text when granted or not asked for, else why not and what to do. The process
        goes on with ordinary scheduling; it works, with more jitter on a busy machine.
    """
    text = environment.get(PRIORITY_VARIABLE, "")
    if text in ("", "0"):
        return ""
    if not text.isdigit() or not 1 <= int(text) <= 99:
        return f"{PRIORITY_VARIABLE} is '{text}', allowed is 0 (off) to 99; ordinary scheduling is used"
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(int(text)))
    except (PermissionError, OSError) as error:
        return f"no real-time scheduling ({error.strerror}): more jitter when the machine is busy; {HOW_TO}"
    return ""


def raise_to_heartbeat(environment: Mapping[str, str] = os.environ) -> None:
    """Give the calling thread at least the heartbeats' real-time priority, where it is asked for and allowed.

    Whoever waits for a core behind everything that moves the robot is late, not dead: only his heartbeat can say so.
    """
    text = environment.get(HEARTBEAT_PRIORITY_VARIABLE, "")
    if not text.isdigit() or not 1 <= int(text) <= 99:
        return
    if os.sched_getscheduler(0) == os.SCHED_RR and os.sched_getparam(0).sched_priority >= int(text):
        return
    with suppress(OSError):  # without the right, `request_realtime` of some node says so
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(int(text)))


def leave_realtime() -> None:
    """Ordinary scheduling for the calling thread: for bulk work in a process that must also receive in time."""
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
