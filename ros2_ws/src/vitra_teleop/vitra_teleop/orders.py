"""STOP and re-arm from an operator's program: answered by what happened, and a re-arm never outlives a STOP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from std_srvs.srv import Trigger

from vitra_msgs.msg import SafetyState
from vitra_msgs.srv import Rearm

Say = Callable[[str], None]


class SupervisorOrders:
    """Orders to the safety supervisor; answers come while the node is spun.

    Args:
        node: Of the operator's program.
        latched: Quality of service of `safety_state`.
        say: Shows the operator one line.
    """

    def __init__(self, node: Any, latched: Any, say: Say) -> None:
        self._say = say
        self._seen: SafetyState | None = None
        self._stop = node.create_client(Trigger, "safety_supervisor/stop")
        self._rearm = node.create_client(Rearm, "safety_supervisor/rearm_from")
        node.create_subscription(SafetyState, "safety_state", self._on_state, latched)

    def stop(self) -> bool:
        """Ask for a STOP; whether there was somebody to ask."""
        if not self._stop.service_is_ready():
            self._say("NOT STOPPED: no safety supervisor answers. Use the hardware emergency stop.")
            return False
        self._tell(self._stop.call_async(Trigger.Request()), "STOP")
        return True

    def rearm(self) -> bool:
        """Ask for a new epoch, in the state that was seen last; whether there was somebody to ask."""
        if self._seen is None or not self._rearm.service_is_ready():
            self._say("not re-armed: no safety supervisor answers")
            return False
        request = Rearm.Request(epoch=self._seen.epoch, stops=self._seen.stops)
        self._tell(self._rearm.call_async(request), "re-arm")
        return True

    def _on_state(self, message: SafetyState) -> None:
        self._seen = message

    def _tell(self, answer: Any, order: str) -> None:
        def tell(done: Any) -> None:
            result = done.result()
            self._say(f"{order}: {result.message}" if result.success else f"{order} REFUSED: {result.message}")

        answer.add_done_callback(tell)
