from __future__ import annotations

import os
import subprocess
import sys
import uuid

import pytest

from vitra_runtime.exclusive import DeviceBusyError, DeviceLock

pytestmark = pytest.mark.realtime

HOLDER = """
import os, sys
from vitra_runtime.exclusive import DeviceLock
if os.geteuid() == 0:
    os.setuid(65534)
lock = DeviceLock(sys.argv[1])
print("held", flush=True)
input()
"""


@pytest.fixture
def device() -> str:
    """A device that no other test holds."""
    return f"arm-{uuid.uuid4()}"


def test_a_second_holder_is_refused_and_told_who_holds_the_device(device: str) -> None:
    lock = DeviceLock(device)
    for _ in range(5):
        with pytest.raises(DeviceBusyError, match="driven by process"):
            DeviceLock(device)
    lock.release()
    again = DeviceLock(device)
    with pytest.raises(DeviceBusyError, match=str(os.getpid())):
        DeviceLock(device)
    again.release()


def test_another_account_and_another_folder_for_temporary_files_are_no_second_door(device: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, device], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": "/var/tmp"},
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(DeviceBusyError, match=str(holder.pid)):
        DeviceLock(device)
    holder.kill()
    holder.wait()
    DeviceLock(device).release()  # a killed holder leaves the device free, and nothing behind


def test_a_long_name_is_a_name_too(device: str) -> None:
    lock = DeviceLock(f"{device}/{'x' * 200}")
    with pytest.raises(DeviceBusyError):
        DeviceLock(f"{device}/{'x' * 200}")
    DeviceLock(f"{device}/{'x' * 199}y").release()
    lock.release()
