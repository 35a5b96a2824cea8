"""Whether a node that starts hears the nodes that are there.

Fast DDS passes messages within a machine through ports in shared memory. When a process starts on a busy machine, above
all after `kill -9` of its predecessor, its port is now and then taken away and made anew by a peer (Fast DDS 2.14:
"open_and_lock_file failed" in the log). Such a process speaks, but is deaf to some or all of the others for as long as
it lives, and only a new start helps. Nothing in ROS tells; but all nodes send heartbeats, so those tell.
"""

from __future__ import annotations

from collections.abc import Iterable

from rclpy.node import Node
from rclpy.topic_endpoint_info import TopicEndpointInfo

from vitra_msgs.msg import Heartbeat
from vitra_policy.errors import VitraError
from vitra_runtime import qos
from vitra_runtime.polling import PolledTopics

_HOST_BYTES = 4
"""Of an endpoint's id in Fast DDS: vendor and machine."""


class DeafError(VitraError):
    """The middleware does not deliver what others send; only a new process helps."""


class DiscoveryCheck:
    """Who is there, who was heard, and since when somebody is missing.

    Args:
        grace_s: A node that has been listed for so long without a heartbeat is missing.
        patience_s: One that has been missing for so long will never be heard.
    """

    def __init__(self, grace_s: float, patience_s: float) -> None:
        self._grace_s, self._patience_s = grace_s, patience_s
        self._heard: set[str] = set()
        self._silent_since_s: dict[str, float] = {}

    def update(self, listed: Iterable[str], heard: Iterable[str], now_s: float) -> list[str]:
        """Nodes that are listed but have never been heard, if they are several: one may be mute.

        Args:
            listed: Names of the nodes that send heartbeats, from discovery.
            heard: Names in the heartbeats that came since the last call.
            now_s: Monotonic time.

        Raises:
            DeafError: several will never be heard.
        """
        self._heard.update(heard)
        silent = sorted(set(listed) - self._heard)
        self._silent_since_s = {name: self._silent_since_s.get(name, now_s) for name in silent}
        never = self._silent_for(self._patience_s, now_s)
        if len(never) > 1:
            raise DeafError(
                f"Does not hear {', '.join(never)}: listed for {self._patience_s:g} s, but no heartbeat comes in. "
                "The middleware lost this process; it must start again."
            )
        missing = self._silent_for(self._grace_s, now_s)
        return missing if len(missing) > 1 else []

    @property
    def silent(self) -> list[str]:
        """Everybody who was listed last and has never been heard."""
        return list(self._silent_since_s)

    def _silent_for(self, time_s: float, now_s: float) -> list[str]:
        return [name for name, since_s in self._silent_since_s.items() if now_s - since_s > time_s]


class Listener:
    """`DiscoveryCheck` for a node, from its graph.

    Args:
        node: Who listens; its own heartbeat and those of other machines do not count.
        hearing: Keeps the record.
    """

    def __init__(self, node: Node, hearing: DiscoveryCheck) -> None:
        self._node, self._name, self._hearing = node, node.get_fully_qualified_name(), hearing
        self._topics = PolledTopics(node, "hearing")
        self._heartbeats = self._topics.subscribe(Heartbeat, "heartbeat", qos.HEARTBEAT)

    def missing(self, now_s: float) -> list[str]:
        """Nodes of this machine that should have been heard by now.

        Raises:
            DeafError: see `DiscoveryCheck.update`.
        """
        infos = self._node.get_publishers_info_by_topic(self._node.resolve_topic_name("heartbeat"))
        machines = {f"{info.node_namespace.rstrip('/')}/{info.node_name}": _machine(info) for info in infos}
        here = machines.pop(self._name, None)
        listed = [name for name, machine in machines.items() if machine == here]
        return self._hearing.update(listed, [message.node for message, _ in self._heartbeats.take()], now_s)

    def close(self) -> None:
        """Stop listening."""
        self._topics.close()


def _machine(info: TopicEndpointInfo) -> tuple[int, ...]:
    return tuple(info.endpoint_gid[:_HOST_BYTES])
