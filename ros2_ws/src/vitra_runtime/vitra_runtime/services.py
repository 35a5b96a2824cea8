"""Services whose answer takes a while, without a callback that waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.service import Service


class LateAnswer:
    """The answer to one request: fill `response`, then `give` it, from the thread that spins the node."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self._send: Callable[[], None] | None = None
        self._given = False

    def give(self) -> None:
        """Send the response; once."""
        self._given = True
        if self._send is not None:
            self._send()

    def send_with(self, send: Callable[[], None]) -> None:
        """How to send it; does so if it was given already."""
        self._send = send
        if self._given:
            send()


def late_service(node: Node, service_type: Any, name: str, on_request: Callable[[Any, LateAnswer], None]) -> Service:
    """A service that answers when it is ready; the events executor knows no coroutines as callbacks of services.

    Args:
        node: Owner.
        service_type: Generated service class.
        name: Service name.
        on_request: Begins what was asked for; must return at once, and keep the answer or give it.
    """

    def callback(request: Any, response: Any) -> LateAnswer:
        answer = LateAnswer(response)
        on_request(request, answer)
        return answer

    service = node.create_service(service_type, name, callback)
    send_response = service.send_response

    def send(answer: LateAnswer, header: Any) -> None:
        answer.send_with(lambda: send_response(answer.response, header))

    service.send_response = send
    return service
