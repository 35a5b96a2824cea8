"""`/diagnostics`: what a node tells people about itself; never a keepalive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from vitra_runtime.node import StackNode

OK: bytes = DiagnosticStatus.OK
WARN: bytes = DiagnosticStatus.WARN
ERROR: bytes = DiagnosticStatus.ERROR


class DiagnosticsPublisher:
    """Publishes one status of a node at a time, in every lifecycle state.

    Args:
        node: whose name and clock are used.
    """

    def __init__(self, node: StackNode[Any]) -> None:
        self._node = node
        self._publisher = node.stream_publisher(DiagnosticArray, "/diagnostics", 10)

    def publish(
        self,
        about: str,
        message: str,
        values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        *,
        level: bytes = OK,
        hardware_id: str = "",
    ) -> None:
        """Say how something is.

        Args:
            about: what, e.g. `setpoints`; the status is named `{node}: {about}`.
            message: in words.
            values: further facts by name.
            level: `OK`, `WARN` or `ERROR`.
            hardware_id: the device, where there is one.
        """
        pairs = values.items() if isinstance(values, Mapping) else values
        status = DiagnosticStatus(
            level=level,
            name=f"{self._node.get_name()}: {about}",
            message=message,
            hardware_id=hardware_id,
            values=[KeyValue(key=key, value=str(value)) for key, value in pairs],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)
