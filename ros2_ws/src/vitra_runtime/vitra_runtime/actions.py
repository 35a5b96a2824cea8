"""Actions that go on for a while without a coroutine that waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node


def long_action_server(
    node: Node,
    action_type: Any,
    name: str,
    on_goal: Callable[[ServerGoalHandle], None],
    accepts: Callable[[], bool] = lambda: True,
) -> ActionServer:
    """An action server whose goals last until the node calls `goal.execute(finish)`.

    `finish(goal)` gives the goal its final state and returns the result. Until then the goal is ACCEPTED, may publish
    feedback and may be canceled. (rclpy polls a coroutine that awaits, without a pause.)

    Args:
        node: Owner.
        action_type: Generated action class.
        name: Action name.
        on_goal: Begins what was asked for; must return at once.
        accepts: Whether goals are taken at all now.
    """
    return ActionServer(
        node,
        action_type,
        name,
        _never_called,
        handle_accepted_callback=on_goal,
        goal_callback=lambda _: GoalResponse.ACCEPT if accepts() else GoalResponse.REJECT,
        cancel_callback=lambda _: CancelResponse.ACCEPT,
    )


def _never_called(_: ServerGoalHandle) -> Any:
    raise NotImplementedError("The node gives every goal its own ending: goal.execute(finish).")
