"""One process per device: a hold that the operating system ends with its owner, whatever ended that.

It is a socket with a name of Linux's abstract namespace and not a file: nothing is left behind, whichever account made
it, and there is no folder that two processes could disagree about.
"""

from __future__ import annotations

import hashlib
import socket
import struct

from vitra_policy.errors import VitraError

_LONGEST_NAME = 100
_ASKING = 128
_CREDENTIALS = struct.Struct("3i")


class DeviceBusyError(VitraError):
    """Another process holds the device."""


class DeviceLock:
    """Exclusive hold on a named device of this machine, until `release` or the end of the process.

    Args:
        device: what is held, e.g. "realman-192.168.1.18".

    Raises:
        DeviceBusyError: another process holds it; the message names the process.
    """

    def __init__(self, device: str) -> None:
        name = f"\0vitra-{device}".encode()
        if len(name) > _LONGEST_NAME:
            name = b"\0vitra-" + hashlib.sha256(name).hexdigest().encode()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(name)
        except OSError:
            self._socket.close()
            raise DeviceBusyError(
                f"Device '{device}' is already driven by process {_owner(name)}. Two drivers on one device would "
                "fight: stop that process first."
            ) from None
        self._socket.listen(_ASKING)

    def release(self) -> None:
        """Give the device back."""
        self._socket.close()


def _owner(name: bytes) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as asking:
        try:
            asking.connect(name)
            answer = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:  # it is going, or too many ask
            return "unknown"
        return str(_CREDENTIALS.unpack(answer)[0])
