"""The base of every node: lifecycle that starts itself, heartbeat, and one way to stop."""

from __future__ import annotations

import gc
import os
import platform
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import rclpy
from rclpy.experimental import EventsExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from vitra_msgs.msg import Heartbeat
from vitra_policy.errors import VitraError
from vitra_runtime import parameters, qos
from vitra_runtime.departure import Departure, DepartureCause, DepartureReason
from vitra_runtime.discovery_check import DiscoveryCheck, Listener
from vitra_runtime.parent_watch import ParentWatch
from vitra_runtime.scheduling import leave_realtime, raise_to_heartbeat, request_realtime
from vitra_runtime.threads import WatchedThread, ended_threads
from vitra_runtime.timing import Ticker, stamp_now

HEARTBEAT_PERIOD_S = 0.1
RETRY_PERIOD_S = 1.0
LINGER_S = 0.5
LISTEN_PERIOD_S = 0.25
LISTEN_S = 10.0  # a process that hears all others for so long after its start goes on doing so
HEARD_WITHIN_S = 1.5
DEAF_AFTER_S = 8.0
WRONGLY_CONFIGURED = 2
_LEAVE_S = 3.0  # a middleware that has not let go by then is not waited for
HANGS_AFTER_S = 5.0  # closing a recording may take a second or two

P = TypeVar("P")


class StackNode(LifecycleNode, Generic[P]):
    """A lifecycle node that configures and activates itself and beats from a thread of its own.

    In its first seconds it must hear the heartbeats of all other nodes of its machine but one: until then it reports a
    fault, and if that does not come about it ends with `DeafError`, to be started again
    (`vitra_runtime.discovery_check`).

    Subclasses fill `setup` (raise VitraError to refuse; it is tried again every second), `start`, `halt` and
    `teardown`. `teardown` is the only cleanup path: it also runs after an error and at the end of the process, and
    must work on a half set-up node.

    A node of a launch ends with its launcher (`vitra_runtime.departure`): `depart` tells it, and for `linger_s` from
    then on it goes on as before.

    Args:
        name: node name; launch may remap it.
        parameter_type: frozen dataclass of the node's parameters.
        autostart: configure and activate without being told.
    """

    def __init__(self, name: str, parameter_type: type[P], *, autostart: bool = True) -> None:
        super().__init__(name)
        self.params: P = parameters.declare(self, parameter_type)
        self._state, self._detail, self._unheard = Heartbeat.INACTIVE, "starting", ""
        self._cause, self._said_ended = "", ""
        self._round_s, self._lack = float("inf"), ""
        self._beat_publisher = rclpy.node.Node.create_publisher(self, Heartbeat, "heartbeat", qos.HEARTBEAT)
        self._beating = threading.Event()
        self._beating.set()
        self._beat_thread = WatchedThread(self._beat, name="heartbeat", should_run=None)
        self._beat_thread.start()
        self._autostart_timer = self.create_timer(0.01, self._autostart) if autostart else None
        self._next_try_s, self._last_refusal = 0.0, ""
        self._set_up = False
        self._hearing = DiscoveryCheck(HEARD_WITHIN_S, DEAF_AFTER_S)
        self._listener: Listener | None = Listener(self, self._hearing)
        self._listen_until_s = time.monotonic() + LISTEN_S
        self._listen_timer = self.create_timer(LISTEN_PERIOD_S, self._listen)

    linger_s = LINGER_S
    """How long the node stays as it is when its launch ends: the supervisor must be able to say why it stopped."""

    def depart(self, reason: DepartureReason) -> None:
        """The process is about to end; called once, at once, from a thread of its own."""

    def setup(self) -> None:
        """Open what the node needs; raise VitraError to refuse."""

    def start(self) -> None:
        """Open the gate."""

    def halt(self) -> None:
        """Close the gate; what moves must come to rest."""

    def teardown(self) -> None:
        """Give everything back; must not raise on a half set-up node."""

    @property
    def is_active(self) -> bool:
        """Whether the node is in the active state and healthy."""
        return bool(self._state == Heartbeat.ACTIVE)

    def set_fault(self, detail: str, cause: str = "") -> None:
        """Report a fault in the heartbeat; an empty detail clears it. Logged once per change.

        Args:
            detail: What is wrong, in words.
            cause: Its name among the supervisor's causes of a stop, where it has one of its own.
        """
        self._cause = cause if detail else ""
        if detail and (self._state, self._detail) != (Heartbeat.FAULT, detail):
            self.get_logger().error(detail)
            self._state, self._detail = Heartbeat.FAULT, detail
        elif not detail and self._state == Heartbeat.FAULT:
            self.get_logger().info("fault cleared")
            self._state, self._detail = Heartbeat.ACTIVE, ""

    def waits_for(self, lack: str) -> None:
        """Say in the heartbeat that the node cannot do its work yet, and why; empty when it can. Not logged."""
        self._lack = f"waits: {lack}" if lack else ""

    def stream_publisher(self, message_type: Any, topic: str, profile: Any) -> Any:
        """A plain publisher: it publishes in every lifecycle state (states and reports, not commands).

        Args:
            message_type: ROS type.
            topic: Name of the topic.
            profile: QoS profile or depth.
        """
        return rclpy.node.Node.create_publisher(self, message_type, topic, profile)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:  # noqa: D102
        try:
            self.setup()
        except Exception as error:  # rclpy would swallow any without a word
            self._refuse(_words(error))
            self.teardown()
            return TransitionCallbackReturn.FAILURE
        self._set_up, self._detail = True, "configured"
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:  # noqa: D102
        try:
            self.start()
        except Exception as error:
            self._refuse(_words(error))
            return TransitionCallbackReturn.FAILURE
        self._state, self._detail, self._last_refusal = Heartbeat.ACTIVE, "", ""
        self.get_logger().info("active")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:  # noqa: D102
        self._state, self._detail = Heartbeat.INACTIVE, "deactivated"
        self.halt()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:  # noqa: D102
        self.end()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:  # noqa: D102
        self.end()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:  # noqa: D102
        self.end()
        return TransitionCallbackReturn.SUCCESS

    def end(self) -> None:
        """Halt and tear down once, from whatever state."""
        if self._set_up:
            self._set_up = False
            self._state, self._detail = Heartbeat.INACTIVE, "shut down"
            self.halt()
            self.teardown()

    def came_round(self) -> None:
        """The loop that spins the node came round; from the first call on, one that does not is a fault."""
        self._round_s = time.monotonic()

    def stop_beating(self) -> None:
        """End the heartbeat thread (end of the process)."""
        self._beating.clear()
        self._beat_thread.join(timeout=1.0)

    def _refuse(self, message: str) -> None:
        self._detail = message
        if message != self._last_refusal:
            self._last_refusal = message
            self.get_logger().error(f"cannot start: {message} Trying again every {RETRY_PERIOD_S:g} s.")

    def _autostart(self) -> None:
        if time.monotonic() < self._next_try_s:
            return
        if not self._set_up:
            self.trigger_configure()
        if self._set_up and self._state == Heartbeat.INACTIVE:
            self.trigger_activate()
        if self._state != Heartbeat.INACTIVE and self._autostart_timer is not None:
            self._autostart_timer.cancel()
        self._next_try_s = time.monotonic() + RETRY_PERIOD_S

    def _listen(self) -> None:
        if self._listener is None:
            return
        now_s = time.monotonic()
        missing = self._listener.missing(now_s)
        self._unheard = f"does not hear {', '.join(missing)}" if missing else ""
        silent = self._hearing.silent
        if now_s > self._listen_until_s + (DEAF_AFTER_S if silent else 0.0) and not missing:
            if silent:
                self.get_logger().warning(f"never heard {', '.join(silent)}, but others: mute, or lost on the way")
            self._listen_timer.cancel()
            self._listener.close()
            self._listener = None

    def _health_problem(self) -> tuple[str, str]:
        """What keeps the node from working though it may not know, and the cause of a stop that it is."""
        ended = ended_threads()
        if ended != self._said_ended:
            self._said_ended = ended
            if ended:
                self.get_logger().fatal(ended)
        if ended:
            return ended, "thread_ended"
        hangs_s = time.monotonic() - self._round_s
        if hangs_s > HANGS_AFTER_S:
            return f"hangs: its callbacks have not returned for {hangs_s:.0f} s", ""
        return self._unheard or self._lack, ""

    def _beat(self) -> None:
        raise_to_heartbeat()
        ticker = Ticker(HEARTBEAT_PERIOD_S)
        message = Heartbeat(node=self.get_fully_qualified_name(), pid=os.getpid(), host=platform.node())
        while self._beating.is_set():
            stamp_now(message.header.stamp)
            message.state, message.detail, message.cause = self._state, self._detail, self._cause
            problem, cause = self._health_problem()
            if problem and (message.state == Heartbeat.ACTIVE or cause):
                message.state, message.detail, message.cause = Heartbeat.FAULT, problem, cause
            try:
                self._beat_publisher.publish(message)
            except Exception:  # the context is going down under us
                return
            ticker.wait()


def _words(error: Exception) -> str:
    """Of an error that was foreseen, what it says; of a bug, where it is."""
    return str(error) if isinstance(error, VitraError) else "".join(traceback.format_exception(error))


_SWITCH_INTERVAL_S = 5e-4  # for how long callbacks may keep a node's own threads waiting; Python's default is 5 ms


def run(make_node: Callable[[], StackNode[Any]], args: list[str] | None = None, *, own_loop: bool = True) -> int:
    """Spin one node until a signal or the end of its launcher, then take it down once; returns the exit code.

    Args:
        make_node: Makes it.
        args: Command line; None: that of the process.
        own_loop: It has threads of its own that callbacks must not keep waiting. Without them Python keeps its pace
            of switching: the heartbeat of a node that waits for a core asks for the interpreter's lock at that pace,
            up to 800 times a second at the quick one.

    A node that refuses its parameters ends the whole launch: starting it again would not help.

    A second Ctrl-C (the terminal and the launcher both send one) is ignored while the node cleans up, SIGTERM until it
    has.
    """
    jitter = request_realtime()
    if own_loop:
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
    departure = Departure(ParentWatch.wanted())
    departure.listen()
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    stop = threading.Event()
    try:
        node = make_node()
    except VitraError as error:
        rclpy.logging.get_logger("vitra").fatal(str(error))
        departure.end_launch()
        rclpy.try_shutdown()
        return WRONGLY_CONFIGURED
    if jitter:
        node.get_logger().warning(jitter)
    departure.tell(node.depart)
    node.context.on_shutdown(stop.set)  # cheaper than asking the context after each event
    executor = EventsExecutor()
    executor.add_node(node)
    code, settled = 0, False
    try:
        while not stop.is_set() and not departure.is_due(node.linger_s):
            executor.spin_once(timeout_sec=0.1)
            node.came_round()
            if not settled and node.is_active:
                settled = True
                # A collection that walks through every module of a node stops its loops meanwhile.
                gc.collect()
                gc.freeze()
    except Exception as error:
        node.get_logger().fatal(_words(error))
        code = 1
    departure.ignore_signals()
    if departure.reason is not None and departure.reason.cause is DepartureCause.LAUNCHER_LOST:
        node.get_logger().error(f"ends: {departure.reason}")
    node.end()
    node.stop_beating()
    # Nothing of ours is left to save, and Fast DDS now and then never returns (it waits, or spins): the launcher's
    # SIGTERM may end it, and where the launcher is gone the clock does. It must not spin above what moves a robot.
    leave_realtime()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if departure.has_launcher:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, _LEAVE_S)
    executor.remove_node(node)
    node.destroy_node()
    rclpy.try_shutdown()
    return code
