"""A plain program's way into a running graph: subscribe, wait for what is heard, call services."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import rclpy
from rclpy.context import Context
from rclpy.experimental import EventsExecutor
from std_srvs.srv import Trigger

from vitra_policy.errors import VitraError

PATIENCE_S = 20.0
"""How long an answer may take before it counts as none: on a full machine a client waits behind all that moves."""
_REPEAT_S = 3.0


class GraphError(VitraError):
    """The graph did not do what was asked, or not in time."""


class GraphLink:
    """A node of its own in a graph, spun by a thread once it begins; use as a context manager.

    Args:
        name: node name.
        domain_id: ROS domain; None takes ROS_DOMAIN_ID.
    """

    def __init__(self, name: str, domain_id: int | None = None) -> None:
        self._context = Context()
        self._context.init(domain_id=domain_id)
        self.node = rclpy.create_node(name, context=self._context)
        self.changed = threading.Condition()
        self._clients: dict[str, Any] = {}
        self._executor = EventsExecutor(context=self._context)
        self._spinning = threading.Event()
        self._spinning.set()
        self._thread = threading.Thread(target=self._spin, name=name, daemon=True)

    def expect(self, services: Mapping[str, Any]) -> None:
        """Pair with services before they are called: the answer to a client that has only just come may be lost.

        Args:
            services: Type of each by its name. One that never comes does no harm.
        """
        for name, service_type in services.items():
            self._clients[name] = self.node.create_client(service_type, name)

    def begin(self) -> None:
        """Spin from now on: called once everything that it listens to from the start is there."""
        self._executor.add_node(self.node)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the graph."""
        self._spinning.clear()
        self._thread.join(timeout=5.0)
        self._executor.shutdown(timeout_sec=2.0)
        self._context.try_shutdown()

    def watch(self, message_type: Any, topic: str, profile: Any, callback: Callable[[Any], None]) -> None:
        """Subscribe; waiting calls look again after every message.

        Args:
            message_type: ROS type.
            topic: Name of the topic.
            profile: QoS profile or depth.
            callback: Takes each message, in the executor's thread.
        """

        def received(message: Any) -> None:
            with self.changed:
                callback(message)
                self.changed.notify_all()

        self.node.create_subscription(message_type, topic, received, profile)

    def wait_for(self, condition: Callable[[], bool], timeout_s: float, what: str | Callable[[], str]) -> None:
        """Wait until a condition on what was received holds.

        Args:
            condition: Asked after every message.
            timeout_s: Longest wait.
            what: What was waited for, for the error; a function is asked when it is needed.

        Raises:
            GraphError: it did not hold within the time.
        """
        deadline_s = time.monotonic() + timeout_s
        with self.changed:
            while not condition():
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    raise GraphError(f"Waited {timeout_s:g} s for {what if isinstance(what, str) else what()}.")
                self.changed.wait(min(left_s, 0.5))

    def call(
        self, service_type: Any, name: str, request: Any, timeout_s: float = PATIENCE_S, *, repeats: bool = False
    ) -> Any:
        """Call a service and return its answer.

        Args:
            service_type: Its type.
            name: Its name.
            request: What to ask.
            timeout_s: For the service to appear, and again for its answer.
            repeats: Ask again every few seconds: the answer to a client that has only just come may be lost before the
                middleware has paired the two. For requests that do the same when they come twice.

        Raises:
            GraphError: no such service, or no answer in time.
        """
        if name not in self._clients:
            self.expect({name: service_type})
        client = self._clients[name]
        if not client.wait_for_service(timeout_sec=timeout_s):
            raise GraphError(f"Service '{name}' is not there after {timeout_s:g} s. Is its node running?")
        until_s = time.monotonic() + timeout_s
        while repeats and until_s - time.monotonic() > _REPEAT_S:
            with suppress(GraphError):
                return self.wait_future(client.call_async(request), _REPEAT_S, f"an answer of '{name}'")
        left_s = max(until_s - time.monotonic(), 0.0)
        return self.wait_future(client.call_async(request), left_s, f"an answer of '{name}'")

    def wait_future(self, future: Any, timeout_s: float, what: str) -> Any:
        """Result of an rclpy future, waited for outside the executor.

        Args:
            future: Of a call or goal.
            timeout_s: Longest wait.
            what: What was asked for, for the error.

        Raises:
            GraphError: it does not come in time.
        """
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        if not done.wait(timeout_s):
            raise GraphError(f"Waited {timeout_s:g} s for {what}.")
        return future.result()

    def trigger(self, name: str, timeout_s: float = PATIENCE_S, *, repeats: bool = False) -> str:
        """Call a Trigger service; returns its message.

        Args:
            name: Its name.
            timeout_s: As `call` has it.
            repeats: As `call` has it.

        Raises:
            GraphError: the service refused; the message is its own.
        """
        answer = self.call(Trigger, name, Trigger.Request(), timeout_s, repeats=repeats)
        if not answer.success:
            raise GraphError(f"'{name}' refused: {answer.message}")
        return str(answer.message)

    def when_spinning(self, call: Callable[[], Any]) -> Any:
        """Make a call in the spinning thread: rclpy's action client loses answers that come while it still sends."""
        return self.wait_future(self._executor.create_task(call), PATIENCE_S, "the executor of this client")

    def notify(self) -> None:
        """Let waiting calls look again."""
        with self.changed:
            self.changed.notify_all()

    def _spin(self) -> None:
        while self._spinning.is_set():
            self._executor.spin_once(timeout_sec=0.1)
