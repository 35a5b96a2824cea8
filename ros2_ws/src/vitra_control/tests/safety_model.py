"""Every interleaving of STOP, re-arm, permits, faults, a second supervisor and time, on the genuine state machines.

The model is the code itself (`Supervisor`, `MotionGate`) with what lies between an operator, the supervisor and one
driver: orders and permits that are under way, late, overtaken or lost. A state is explored once, however it was
reached; times count only as far as the machines can tell them apart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from vitra_control.stop_reason import StopCause
from vitra_control.supervisor import OrderState, SafetyPhase, Supervisor
from vitra_control.supervisor_settings import SupervisorSettings
from vitra_safety.motion_gate import FreshnessLimits, MotionGate, MotionState

_START_S = 1000.0
_SHORT_S, _LONG_S = 0.06, 0.2
"""Shorter than a permit and a command count; longer than all that is remembered."""
_LIMITS = FreshnessLimits(feedback_s=0.1, latch_s=0.15, source_s=0.15)
"""Shorter memories than the robot's make fewer states and the same order of events."""
_MOST_ORDERS = 3
_ROGUE, _GENUINE = 66, 1


@dataclass(frozen=True, slots=True)
class Order:
    """An order on its way: a re-arm with the state it was given in, or a STOP (`seen` is None)."""

    seen: OrderState | None
    given: int
    """How many STOPs had been given before."""


@dataclass(frozen=True, slots=True)
class Permit:
    """A permit on its way."""

    epoch: int
    allowed: bool
    source: int
    age_s: float


@dataclass(frozen=True, slots=True)
class World:
    """Everything that may differ; machines are kept as their variables."""

    supervisor: tuple[tuple[str, object], ...]
    gate: tuple[tuple[str, object], ...]
    seen: OrderState
    orders: tuple[Order, ...] = ()
    permits: tuple[Permit, ...] = ()
    stops_given: int = 0
    rearms_given: int = 0
    newest_stop: int = 0
    """Number of the newest STOP that arrived."""
    unpermitted_s: float = 0.4
    """Time since the supervisor last allowed motion."""
    latched_epoch: int = -1
    """Epoch in which the driver latched."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken, and how."""

    rule: str
    path: tuple[str, ...]


class Checker:
    """Explores the model breadth first.

    Args:
        make_supervisor: the supervisor's class; tests plant faults in it.
        make_gate: the gate's class.
        depth: events in a row.
    """

    def __init__(
        self,
        make_supervisor: Callable[[SupervisorSettings, float, int], Supervisor] = Supervisor,
        make_gate: Callable[[FreshnessLimits], MotionGate] = MotionGate,
        depth: int = 12,
    ) -> None:
        self._supervisor = make_supervisor(SupervisorSettings(), _START_S, 1)
        self._gate = make_gate(_LIMITS)
        self._depth = depth
        self.states = self.transitions = self.moving = 0

    def run(self) -> Violation | None:
        """The first broken promise, or None."""
        start = World(_variables(self._supervisor), _variables(self._gate), OrderState(1, 0))
        queue: deque[tuple[World, tuple[str, ...]]] = deque([(start, ())])
        known = {start}
        while queue:
            world, path = queue.popleft()
            self.states += 1
            if len(path) == self._depth:
                continue
            for name, after, broken in self._events(world):
                self.transitions += 1
                if broken:
                    return Violation(broken, (*path, name))
                if after not in known:
                    known.add(after)
                    queue.append((after, (*path, name)))
        return None

    def _events(self, world: World) -> Iterator[tuple[str, World, str]]:
        if len(world.orders) < 2 and world.stops_given < _MOST_ORDERS:
            given = world.stops_given + 1
            stop = replace(world, orders=(*world.orders, Order(None, given)), stops_given=given)
            yield "operator gives STOP", stop, ""
        if len(world.orders) < 2 and world.rearms_given < _MOST_ORDERS:
            rearm = Order(world.seen, world.stops_given)
            orders = (*world.orders, rearm)
            yield "operator gives a re-arm", replace(world, orders=orders, rearms_given=world.rearms_given + 1), ""
        for i in range(len(world.orders)):
            yield self._deliver_order(world, i)
        supervisor = self._load_supervisor(world)
        yield "operator sees the state", replace(world, seen=OrderState(supervisor.epoch, supervisor.stops)), ""
        said = Permit(supervisor.epoch, supervisor.motion_allowed, _GENUINE, 0.0)
        broken = "" if said.allowed is (supervisor.phase is SafetyPhase.ARMED) else "a permit allows what is not armed"
        yield "the supervisor permits", _on_its_way(world, said), broken
        rogue = Permit(supervisor.epoch + 1, True, _ROGUE, 0.0)
        yield "a second supervisor permits", _on_its_way(world, rogue), ""
        for i in range(len(world.permits)):
            yield self._deliver_permit(world, i)
        yield self._fault(world)
        yield self._pass_time(world, _SHORT_S, "time passes")
        yield self._pass_time(world, _LONG_S, "much time passes")

    def _deliver_order(self, world: World, i: int) -> tuple[str, World, str]:
        order, rest = world.orders[i], (*world.orders[:i], *world.orders[i + 1 :])
        supervisor = self._load_supervisor(world)
        before = supervisor.reason
        if order.seen is None:
            supervisor.stop(StopCause.OPERATOR_STOP, "operator", str(order.given), _START_S)
            after = replace(world, orders=rest, newest_stop=max(world.newest_stop, order.given))
            broken = ""
            if supervisor.motion_allowed:
                broken = "a STOP that arrived does not stop"
            elif before is not None and supervisor.reason != before:
                broken = "the first reason of a stop is lost"
            return "a STOP arrives", replace(after, supervisor=_variables(supervisor)), broken
        was, epoch = supervisor.phase, supervisor.epoch
        supervisor.rearm(_START_S, order.seen)
        broken = ""
        if supervisor.phase is SafetyPhase.ARMED and was is not SafetyPhase.ARMED:
            if order.given < world.newest_stop:
                broken = "a re-arm given before a STOP undoes it"
            elif supervisor.epoch <= epoch:
                broken = "arming begins no new epoch"
        unpermitted_s = 0.0 if supervisor.motion_allowed else world.unpermitted_s
        after = replace(world, orders=rest, supervisor=_variables(supervisor), unpermitted_s=unpermitted_s)
        return "a re-arm arrives", after, broken

    def _deliver_permit(self, world: World, i: int) -> tuple[str, World, str]:
        permit, rest = world.permits[i], (*world.permits[:i], *world.permits[i + 1 :])
        gate = self._load_gate(world)
        epoch, was = gate.epoch, gate.state
        heard_s = _START_S - gate._source_s if gate._source == _GENUINE else 9.0
        gate.on_permit(permit.epoch, permit.allowed, _START_S, permit.source, permit.age_s)
        broken = ""
        if gate.epoch < epoch:
            broken = "an epoch goes back"
        elif was is MotionState.LATCHED and gate.state is not was and permit.epoch <= world.latched_epoch:
            broken = "a latch ends without a new epoch"
        elif permit.source == _ROGUE and heard_s < gate.limits.source_s and gate.epoch != epoch:
            broken = "a second supervisor arms beside the first"
        return "a permit arrives", self._keep_gate(replace(world, permits=rest), gate), broken

    def _fault(self, world: World) -> tuple[str, World, str]:
        gate = self._load_gate(world)
        gate.on_fault("a fault")
        return "the device fails", self._keep_gate(world, gate), "" if gate.state is not MotionState.MOVING else "moves"

    def _pass_time(self, world: World, seconds: float, name: str) -> tuple[str, World, str]:
        """Commands and feedback keep coming; the driver ticks at the end."""
        supervisor, gate = self._load_supervisor(world), self._load_gate(world)
        now_s = _START_S + seconds
        gate.on_feedback(now_s)
        if gate.accepts_commands(now_s):
            gate.on_command(now_s)
        gate.update(now_s, at_rest=True)
        unpermitted_s = 0.0 if supervisor.motion_allowed else min(round(world.unpermitted_s + seconds, 2), 0.4)
        broken = ""
        if gate.state is MotionState.MOVING:
            self.moving += 1
            limits = gate.limits
            if gate._source == _GENUINE and unpermitted_s > 2 * limits.permit_s:
                broken = "the robot moves though the supervisor has not permitted it for long"
            elif gate.epoch <= world.latched_epoch:
                broken = "a latched driver moves in its old epoch"
        permits = tuple(replace(p, age_s=round(p.age_s + seconds, 2)) for p in world.permits)
        after = World(
            _variables(supervisor),
            world.gate,
            world.seen,
            world.orders,
            tuple(p for p in permits if p.age_s < _LONG_S),
            world.stops_given,
            world.rearms_given,
            world.newest_stop,
            unpermitted_s,
            world.latched_epoch,
        )
        return name, self._keep_gate(after, gate, seconds), broken

    def _load_supervisor(self, world: World) -> Supervisor:
        vars(self._supervisor).update(world.supervisor)
        return self._supervisor

    def _load_gate(self, world: World) -> MotionGate:
        vars(self._gate).update(world.gate)
        return self._gate

    def _keep_gate(self, world: World, gate: MotionGate, passed_s: float = 0.0) -> World:
        latched = gate.epoch if gate.state is MotionState.LATCHED else world.latched_epoch
        return replace(world, gate=_shifted(_variables(gate), passed_s), latched_epoch=latched)


def _on_its_way(world: World, permit: Permit) -> World:
    """Of each publisher only the newest permit waits."""
    return replace(world, permits=(*(p for p in world.permits if p.source != permit.source), permit))


_TIMES = {
    "_permit_s": _LIMITS.permit_s,
    "_command_s": _LIMITS.command_s,
    "_feedback_s": _LIMITS.feedback_s,
    "_source_s": _LIMITS.source_s,
    "_conflict_s": _LIMITS.source_s,
    "_lost_s": _LIMITS.latch_s,
}
"""Times of the gate, and the age above which all are alike to it."""
_KEPT = {
    Supervisor: ("phase", "epoch", "reason", "stops"),
    MotionGate: ("state", "epoch", "cause", "_allowed", "_source", "_source_epoch", *_TIMES),
}


def _variables(machine: Supervisor | MotionGate) -> tuple[tuple[str, object], ...]:
    kind = Supervisor if isinstance(machine, Supervisor) else MotionGate
    return tuple((name, getattr(machine, name)) for name in _KEPT[kind])


def _shifted(variables: tuple[tuple[str, object], ...], passed_s: float) -> tuple[tuple[str, object], ...]:
    """The same with the clock set back to the start, and times too long ago all alike."""
    return tuple((n, _aged(value, passed_s, _TIMES[n]) if n in _TIMES else value) for n, value in variables)


def _aged(time_s: object, passed_s: float, forgotten_s: float) -> object:
    if not isinstance(time_s, float):
        return time_s
    age_s = round(_START_S + passed_s - time_s, 2)
    return _START_S - age_s if age_s <= forgotten_s else _START_S - forgotten_s - 0.01
