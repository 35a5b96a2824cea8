"""What a device's controller holds, kept beyond the life of its driver.

A controller goes on holding the setpoint sent last when its driver is killed. The driver that comes back cannot ask for
it, and the measured joints are not it: load keeps them away, and a motion that began there would sink a little at every
restart. So the newest setpoint lies in shared memory, which the next driver reads and a reboot empties.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import stat
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from vitra_policy.errors import VitraError

FOLDER = Path("/dev/shm")
RECALL_WITHIN_S = 30.0
"""A driver that was away for longer does not know what happened to the device meanwhile."""


class HeldMemoryError(VitraError):
    """The setpoint cannot be kept on this machine."""


class HeldMemory:
    """The newest setpoint of one device; only the process that has the device's lock may open it.

    Times are those of the monotonic clock, which all processes of a machine share.

    Args:
        device: What holds it, e.g. "realman-192.168.1.18-8080".
        dof: Number of joints.
        folder: Where shared memory lies.

    Raises:
        HeldMemoryError: it cannot be opened, or somebody else's file has its name.
    """

    def __init__(self, device: str, dof: int, folder: Path = FOLDER) -> None:
        self._layout = struct.Struct(f"<d{dof}d")
        self._dof = dof
        path = folder / f"vitra-held-{device}"
        size = self._layout.size + 4
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                    raise HeldMemoryError(f"{path} belongs to somebody else; remove it.")
                if found.st_size != size:
                    os.ftruncate(descriptor, 0)
                    os.ftruncate(descriptor, size)
                self._map = mmap.mmap(descriptor, size)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise HeldMemoryError(f"{path} cannot be opened: {error.strerror}.") from error

    def recall(self, now_s: float) -> list[float] | None:
        """What was held shortly before; None if nobody knows, or that was too long ago."""
        frame = self._map[: self._layout.size]
        if zlib.crc32(frame) != int.from_bytes(self._map[self._layout.size :], "little"):
            return None  # cut off in the middle, or never written
        kept_s, *held_rad = self._layout.unpack(frame)
        if not 0.0 <= now_s - kept_s <= RECALL_WITHIN_S or not all(map(math.isfinite, held_rad)):
            return None
        return held_rad

    def keep(self, held_rad: Sequence[float], now_s: float) -> None:
        """This is held now, `dof` values; call it again while it stays so."""
        frame = self._layout.pack(now_s, *held_rad)
        self._map[:] = frame + zlib.crc32(frame).to_bytes(4, "little")

    def forget(self) -> None:
        """Nobody knows what is held."""
        self._map[self._layout.size :] = bytes(4)
        self._map[: self._layout.size] = b"\xff" * self._layout.size

    def close(self) -> None:
        """Let go of the memory; it stays for the next driver."""
        with contextlib.suppress(BufferError):
            self._map.close()
