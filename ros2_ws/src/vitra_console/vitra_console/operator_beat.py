"""The operator's heartbeat: it beats as long as somebody's console is in touch, and its silence stops the robot."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from vitra_console.web.presence import Presence
from vitra_msgs.msg import Heartbeat
from vitra_runtime import qos
from vitra_runtime.threads import WatchedThread

NODE = "operator"
PERIOD_S = 0.05


class OperatorBeat:
    """Publishes the operator's heartbeat at 20 Hz while the presence lasts.

    Args:
        node: the node to publish from.
        presence: who is there.
        stop_wanted: whether a STOP is on its way; silence then is its second way, should the first be blocked.
    """

    def __init__(self, node: Any, presence: Presence, stop_wanted: Callable[[], bool] = lambda: False) -> None:
        self._node, self._presence, self._stop_wanted = node, presence, stop_wanted
        self._publisher = node.create_publisher(Heartbeat, "heartbeat", qos.HEARTBEAT)
        self._running = threading.Event()
        self._running.set()
        self._thread = WatchedThread(self._run, name="operator", should_run=self._running.is_set)
        self._thread.start()

    def close(self) -> None:
        """Fall silent."""
        self._running.clear()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        message = Heartbeat(node=NODE, state=Heartbeat.ACTIVE)
        while self._running.is_set():
            if self._presence.is_there and not self._stop_wanted():
                message.header.stamp = self._node.get_clock().now().to_msg()
                self._publisher.publish(message)
            time.sleep(PERIOD_S)
