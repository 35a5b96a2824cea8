"""A Realman RM75 controller at protocol level: the genuine vendor SDK connects to it over TCP and hears it over UDP."""

from __future__ import annotations

import json
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from vitra_runtime.threads import WatchedThread
from vitra_sim.doubles.ports import ArmPort
from vitra_sim.doubles.realman_model import ArmModel
from vitra_sim.doubles.realman_protocol import Controller, PushConfig
from vitra_sim.doubles.realman_push import state_datagram

TICK_S = 0.005


SLOW_S = 0.06


class Faults:
    """What can be made to go wrong from outside; every field may be changed at any time from any thread.

    Attributes:
        udp_silent: push nothing.
        frozen: the controller hangs: sockets stay open, nothing is read, answered, pushed or moved.
        refuse_connections: close new connections at once.
        tcp_stalled: connections stay open and are not read, while the push goes on.
        tcp_cut: connections are closed, and new ones too, while the push goes on.
        slow: whatever a client says is obeyed `SLOW_S` late.
        reply_delay_s: every reply is this late [s].
        unanswered: names of commands that are carried out but never answered.
    """

    def __init__(self) -> None:
        self.udp_silent = False
        self.frozen = False
        self.refuse_connections = self.tcp_stalled = self.tcp_cut = self.slow = False
        self.reply_delay_s = 0.0
        self.unanswered: frozenset[str] = frozenset()


class RealmanDouble:
    """One controller on one address, served by one thread; use as a context manager.

    Args:
        port: the arm it controls.
        ip: address it listens on and pushes from; one per arm (127.0.0.11 left, 127.0.0.12 right).
        tcp_port: 0 takes a free one, see `tcp_port`.
        udp_ip: first destination of the state push, until a client configures another.
        udp_port: port of that destination.
        model: identity and limits.
    """

    def __init__(
        self,
        port: ArmPort,
        *,
        ip: str = "127.0.0.11",
        tcp_port: int = 8080,
        udp_ip: str = "127.0.0.1",
        udp_port: int = 8089,
        model: ArmModel | None = None,
    ) -> None:
        self.ip = ip
        self.faults = Faults()
        self.controller = Controller(port, model or ArmModel(), PushConfig(ip=udp_ip, port=udp_port))
        self.pushes = 0
        self._listener = socket.create_server((ip, tcp_port))
        self.tcp_port: int = self._listener.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((ip, 0))
        self._udp.setblocking(False)
        self._listener.setblocking(False)
        self._wake_in, self._wake_out = socket.socketpair()
        self._calls: deque[Callable[[], None]] = deque()
        self._inboxes: dict[socket.socket, bytes] = {}
        self._late: deque[tuple[float, socket.socket, bytes]] = deque()
        self._unobeyed: deque[tuple[float, socket.socket, bytes]] = deque()
        self._selector = selectors.SelectSelector()  # microsecond timeouts; epoll's are rounded to milliseconds
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake_out, selectors.EVENT_READ, self._woken)
        self._phase = -1
        self._running = True
        self._thread = WatchedThread(self._run, name=f"realman-double-{ip}", should_run=lambda: self._running)

    def __enter__(self) -> RealmanDouble:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and free the addresses."""
        if self._running:
            self._running = False
            self._wake_in.send(b"x")
            if self._thread.is_alive():
                self._thread.join(timeout=2.0)
            for held in (*self._inboxes, self._listener, self._udp, self._wake_in, self._wake_out):
                held.close()
            self._selector.close()

    def call(self, action: Callable[[], Any], timeout_s: float = 2.0) -> None:
        """Run something in the serving thread (the only one that touches the controller) and wait for it.

        Raises:
            TimeoutError: the thread is frozen or gone.
        """
        done = threading.Event()

        def run() -> None:
            action()
            done.set()

        self._calls.append(run)
        self._wake_in.send(b"x")
        if not done.wait(timeout_s):
            raise TimeoutError(f"The controller double at {self.ip} does not serve.")

    def drop_tcp(self) -> None:
        """Close every connection (clients may connect again unless `faults.refuse_connections`)."""

        def drop_all() -> None:
            for client in list(self._inboxes):
                self._drop(client)

        self.call(drop_all)

    def raise_error(self, code: int) -> None:
        """Latch a system error, e.g. 0x100D (collision)."""
        self.call(lambda: self.controller.motion.raise_error(code))

    # Serving thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        last_s = next_s = time.monotonic()
        while self._running:
            for key, _ in self._selector.select(max(next_s - time.monotonic(), 0.0)):
                if self._serves(key.data):
                    key.data(key.fileobj)
            now_s = time.monotonic()
            if now_s < next_s:
                if self.faults.frozen or self.faults.tcp_stalled:
                    time.sleep(max(0.0, min(next_s - now_s, TICK_S)))  # readable sockets must not make it spin
                continue
            if not self.faults.frozen:
                self._tick(min(now_s - last_s, 0.05), now_s)
            last_s = now_s
            next_s = max(next_s + TICK_S, now_s - TICK_S)

    def _serves(self, action: Callable[..., Any]) -> bool:
        if action == self._receive and self.faults.tcp_stalled:
            return False
        return action == self._woken or not self.faults.frozen

    def _tick(self, dt_s: float, now_s: float) -> None:
        if self.faults.tcp_cut:
            for client in list(self._inboxes):
                self._drop(client)
        while self._unobeyed and self._unobeyed[0][0] <= now_s:
            _, client, line = self._unobeyed.popleft()
            self._obey(client, line, now_s)
        self.controller.step(dt_s, now_s)
        while self.controller.events:
            line = _line(self.controller.events.pop(0))
            for client in list(self._inboxes):
                self._send(client, line)
        while self._late and self._late[0][0] <= now_s:
            _, client, line = self._late.popleft()
            self._send(client, line)
        push = self.controller.push
        self._phase = (self._phase + 1) % push.cycle
        if push.enable and self._phase == 0 and not self.faults.udp_silent:
            try:
                self._udp.sendto(state_datagram(self.controller), (push.ip, push.port))
                self.pushes += 1
            except OSError:
                pass  # nobody listens: a controller does not care either

    def _accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        if self.faults.refuse_connections or self.faults.tcp_cut:
            client.close()
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._inboxes[client] = b""
        self._selector.register(client, selectors.EVENT_READ, self._receive)

    def _receive(self, client: socket.socket) -> None:
        try:
            data = client.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        *lines, self._inboxes[client] = (self._inboxes[client] + data).split(b"\n")
        now_s = time.monotonic()
        for line in lines:
            if self.faults.slow or self._unobeyed:  # what came first is obeyed first
                self._unobeyed.append((now_s + SLOW_S * self.faults.slow, client, line))
            else:
                self._obey(client, line, now_s)

    def _obey(self, client: socket.socket, line: bytes, now_s: float) -> None:
        name, replies = self.controller.handle(line, now_s)
        for reply in replies:
            if name in self.faults.unanswered:
                continue
            if self.faults.reply_delay_s > 0:
                self._late.append((now_s + self.faults.reply_delay_s, client, _line(reply)))
            else:
                self._send(client, _line(reply))

    def _send(self, client: socket.socket, line: bytes) -> None:
        if client in self._inboxes:
            try:
                client.sendall(line)
            except OSError:
                self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        if client in self._inboxes:
            del self._inboxes[client]
            self._selector.unregister(client)
            client.close()

    def _woken(self, wake: socket.socket) -> None:
        wake.recv(4096)
        while self._calls:
            self._calls.popleft()()


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\r\n"
