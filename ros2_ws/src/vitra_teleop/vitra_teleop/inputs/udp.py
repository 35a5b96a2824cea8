"""Hands in datagrams of the wire format: webcam tracker, Quest, gloves, keyboard, simulated operator."""

from __future__ import annotations

import socket
from collections.abc import Callable

from vitra_runtime.threads import WatchedThread
from vitra_teleop.hands import Action, HandFrame, TeleopError
from vitra_teleop.inputs.mailbox import FrameMailbox
from vitra_teleop.wire import MAX_BYTES


class UdpInput:
    """Listens on one address.

    Args:
        host: address to listen on; 0.0.0.0 accepts senders on other machines.
        port: UDP port; 0 takes a free one.
        clock: ROS time, seconds.
    """

    def __init__(self, host: str, port: int, clock: Callable[[], float]) -> None:
        self.host, self.port = host, port
        self.mailbox = FrameMailbox(clock)
        self._socket: socket.socket | None = None
        self._thread: WatchedThread | None = None

    def open(self) -> None:
        """Bind the address and begin to listen.

        Raises:
            TeleopError: the address is taken or not ours.
        """
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            receiver.bind((self.host, self.port))
        except OSError as error:
            receiver.close()
            raise TeleopError(
                f"Cannot listen on {self.host}:{self.port} for hands: {error.strerror}. Stop the other listener, or "
                "choose another port (input_options:=port=...)."
            ) from error
        self.port = receiver.getsockname()[1]
        receiver.settimeout(0.2)
        self._socket = receiver
        self._thread = WatchedThread(
            self._listen, name="hands-udp", should_run=lambda: self._socket is receiver, args=(receiver,)
        )
        self._thread.start()

    def poll(self) -> HandFrame | None:
        """See `TeleopInput`."""
        return self.mailbox.take()

    def poll_actions(self) -> tuple[Action, ...]:
        """See `TeleopInput`."""
        return self.mailbox.take_actions()

    def close(self) -> None:
        """Stop listening."""
        receiver, self._socket = self._socket, None
        if receiver is not None and self._thread is not None:
            self._thread.join(timeout=1.0)
            receiver.close()

    def _listen(self, receiver: socket.socket) -> None:
        while self._socket is receiver:
            try:
                data, (host, port) = receiver.recvfrom(MAX_BYTES)
                self.mailbox.put(data, f"{host}:{port}")
            except TimeoutError:
                continue
            except OSError:
                if self._socket is receiver:
                    raise
                return
