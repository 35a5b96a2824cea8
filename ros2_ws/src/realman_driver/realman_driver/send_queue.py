"""How many bytes a TCP connection of this process still holds: what a peer that does not read lets grow."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios


class SendQueue:
    """The queue towards one peer; the vendor SDK opened its socket and does not show it.

    Args:
        ip: The peer.
        port: Its TCP port.
    """

    def __init__(self, ip: str, port: int) -> None:
        self._descriptor = _connected_to(ip, port)

    def waiting_bytes(self) -> int:
        """Bytes that the peer has not acknowledged; 0 where the socket is not known or gone."""
        if self._descriptor is None:
            return 0
        try:
            return int(struct.unpack("i", fcntl.ioctl(self._descriptor, termios.TIOCOUTQ, b"\0" * 4))[0])
        except OSError:
            return 0  # closed: the next call of the SDK says so


def _connected_to(ip: str, port: int) -> int | None:
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        try:
            with socket.socket(fileno=os.dup(descriptor)) as duplicate:
                if duplicate.type == socket.SOCK_STREAM and duplicate.getpeername()[:2] == (ip, port):
                    return descriptor
        except OSError:
            continue  # no socket, or not connected
    return None
