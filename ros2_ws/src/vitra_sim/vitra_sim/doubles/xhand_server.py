"""Serves the simulated hands to the SDK double over a loopback socket, one thread per connection."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from typing import Any

from vitra_runtime.threads import WatchedThread
from vitra_sim.doubles.addresses import HAND_TCP_PORT
from vitra_sim.doubles.ports import HandPort
from vitra_sim.doubles.xhand_unit import CODE_MESSAGES, HandFaults, XHandUnit

_POLL_S = 0.02


class XHandServer:
    """Hands on one USB port each, as the vendor's adapters appear; use as a context manager.

    Args:
        ports: Simulated joints of the hands by side, e.g. {"left": ..., "right": ...}.
        ip: Address to listen on.
        tcp_port: 0 takes a free one, see `address`.
    """

    def __init__(self, ports: Mapping[str, HandPort], *, ip: str = "127.0.0.1", tcp_port: int = HAND_TCP_PORT) -> None:
        self.units = {side: XHandUnit(port) for side, port in ports.items()}
        self._names = {f"ttyUSB{i}": side for i, side in enumerate(self.units)}
        self._listener = socket.create_server((ip, tcp_port))
        self.address = f"{ip}:{self._listener.getsockname()[1]}"
        self._closing = threading.Event()
        self._mutex = threading.Lock()
        self._clients: dict[socket.socket, str | None] = {}
        WatchedThread(self._accept, name="xhand-accept", should_run=lambda: not self._closing.is_set()).start()

    def __enter__(self) -> XHandServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def faults(self, side: str) -> HandFaults:
        """What goes wrong on one hand."""
        return self.units[side].faults

    def unplug(self, side: str) -> None:
        """Pull the cable: the connection breaks and the port disappears."""
        self.units[side].faults.unplugged = True
        with self._mutex:
            for client, on_side in list(self._clients.items()):
                if on_side == side:
                    client.shutdown(socket.SHUT_RDWR)

    def plug(self, side: str, name: str | None = None) -> None:
        """Plug the cable in again, perhaps as another port."""
        if name is not None:
            self._names = {n: s for n, s in self._names.items() if s != side} | {name: side}
        self.units[side].faults.unplugged = False

    def close(self) -> None:
        """Close every connection; the hands keep their targets."""
        self._closing.set()
        # A blocked accept() is woken by shutdown, not by close.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._mutex:
            for client in self._clients:
                client.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._mutex:
                self._clients[client] = None
            WatchedThread(self._serve, name="xhand-client", should_run=None, args=(client,)).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, client.makefile("rb") as lines:
                for line in lines:
                    reply = self._answer(client, json.loads(line))
                    if reply is None:
                        return
                    client.sendall(json.dumps(reply).encode() + b"\n")
        except (OSError, ValueError):
            return
        finally:
            with self._mutex:
                self._clients.pop(client, None)

    def _answer(self, client: socket.socket, request: dict[str, Any]) -> dict[str, Any] | None:
        call = request.get("call")
        if call == "ports":
            present = [name for name, side in self._names.items() if not self.units[side].faults.unplugged]
            return {"ports": present, **_outcome(0)}
        if call == "open":
            side = self._names.get(request["port"])
            if side is None or self.units[side].faults.unplugged:
                return {"code": 1501039, "message": f"no such port: {request['port']}"}
            with self._mutex:
                self._clients[client] = side
            return _outcome(0)
        side = self._clients.get(client)
        if side is None:
            return {"code": 1501038, "message": "no port is open"}
        unit = self.units[side]
        while unit.faults.frozen and not self._closing.wait(_POLL_S):
            pass
        if unit.faults.unplugged:
            return None
        if call == "ids":
            return {"ids": [unit.hand_id], **_outcome(0)}
        if request.get("id") != unit.hand_id:
            return _outcome(1501001)
        return self._exchange(unit, request)

    def _exchange(self, unit: XHandUnit, request: dict[str, Any]) -> dict[str, Any]:
        call = request["call"]
        if call == "info":
            return unit.info | _outcome(0)
        if call == "reset_sensor":
            return _outcome(0 if 17 <= request["sensor"] <= 21 else 1501002)
        if unit.faults.call_s:
            self._closing.wait(unit.faults.call_s)
        if call == "state":
            return unit.state()
        if call == "command":
            code = unit.command(request["position"], request["tor_max"], request["mode"])
            return unit.state() | (_outcome(code) if code else {})
        return _outcome(1501002)


def _outcome(code: int) -> dict[str, Any]:
    return {"code": code, "message": CODE_MESSAGES[code]}
