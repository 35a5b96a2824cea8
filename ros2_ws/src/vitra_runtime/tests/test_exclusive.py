from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vitra_runtime.exclusive import DeviceBusyError, DeviceLock


def test_a_second_holder_is_refused_and_told_who_holds_the_device(tmp_path: Path) -> None:
    lock = DeviceLock("arm", tmp_path)
    with pytest.raises(DeviceBusyError, match=str(os.getpid())):
        DeviceLock("arm", tmp_path)
    lock.release()
    DeviceLock("arm", tmp_path).release()


def test_a_killed_holder_leaves_the_device_free(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from vitra_runtime.exclusive import DeviceLock; "
        f"lock = DeviceLock('arm', Path({str(tmp_path)!r})); print('held', flush=True); input()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(DeviceBusyError):
        DeviceLock("arm", tmp_path)
    holder.kill()
    holder.wait()
    DeviceLock("arm", tmp_path).release()
