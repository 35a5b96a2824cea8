"""Topics that are read when somebody asks, instead of waking the interpreter for every message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile


class PolledTopic:
    """The queue of one subscription, in the middleware; made by `PolledTopics`."""

    def __init__(self, subscription: Any, message_type: Any, raw: bool) -> None:
        self._handle, self._type, self._raw = subscription.handle, message_type, raw

    def take(self) -> Iterator[tuple[Any, int]]:
        """Everything that came since the last time: (message, or its bytes if raw; system time of its arrival [ns])."""
        with self._handle:
            while (taken := self._handle.take_message(self._type, self._raw)) is not None:
                yield taken[0], taken[1]["received_timestamp"]


class PolledTopics:
    """Subscriptions of a node that is never spun.

    Waking Python for each of hundreds of messages a second costs far more than reading them in batches, or only the
    last one. The history depth of the profile is how much may wait.

    Args:
        parent: Node whose names, namespace and remaps are used.
        purpose: Suffix of the hidden node's name.
    """

    def __init__(self, parent: Node, purpose: str, context: Context | None = None) -> None:
        self._parent = parent
        self._node = Node(
            f"{parent.get_name()}_{purpose}",
            namespace=parent.get_namespace(),
            context=context or parent.context,
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
        )

    def subscribe(self, message_type: Any, topic: str, profile: QoSProfile, *, raw: bool = False) -> PolledTopic:
        """Let messages of a topic wait for `take`.

        Args:
            message_type: ROS type.
            topic: Name of the topic.
            profile: QoS profile; its depth says how many wait.
            raw: Leave messages as bytes (CDR).
        """
        name = self._parent.resolve_topic_name(topic)
        subscription = self._node.create_subscription(message_type, name, _nobody, profile, raw=raw)
        return PolledTopic(subscription, message_type, raw)

    def close(self) -> None:
        """Give the subscriptions back; nothing may be taken afterwards."""
        self._node.destroy_node()


def _nobody(_: object) -> None:
    """The callback of a subscription that is never spun."""
