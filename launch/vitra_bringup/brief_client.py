"""For programs that join a running graph for a moment: no shared memory to share, a standard output of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"


def use_udp(environment: MutableMapping[str, str] = os.environ) -> None:
    """Leave shared memory out, where the profile is ours: call it before anything of ROS starts.

    A process that is killed now and then leaves a port of Fast DDS's shared memory behind that the next one with its
    number cannot open: it sends, and hears nothing.
    """
    ours = Path(environment.get(PROFILE, ""))
    without = ours.parent / "fastdds_udp.xml"
    if ours.name == "fastdds.xml" and without.is_file():
        environment[PROFILE] = str(without)


@contextmanager
def over_udp() -> Iterator[None]:
    """`use_udp` for what begins within the block; processes that are started after it have the profile they had.

    Fast DDS reads its profile once in a process: what begins first decides for all.
    """
    before = os.environ.get(PROFILE)
    use_udp()
    try:
        yield
    finally:
        if before is not None:
            os.environ[PROFILE] = before


@contextmanager
def own_stdout() -> Iterator[None]:
    """Keep standard output for this program's own words: what libraries print there goes to standard error."""
    sys.stdout.flush()
    real = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(real, 1)
        os.close(real)
