"""All driven arms as one: their path ahead, one time scaling for their joints, the check that they do not meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from vitra_control.joint_follower import JointFollower
from vitra_control.joint_path import JointPath
from vitra_control.path_follower import PathFollower
from vitra_control.settings import ARM_PERIOD_S, LOOK_AHEAD_S, PATH_SPACING_S, GeneratorSettings
from vitra_control.side import SideExecutor
from vitra_description.limits import JointLimits
from vitra_description.names import ARM_DOF
from vitra_policy.action_space import Side
from vitra_safety.collision import CollisionModel
from vitra_safety.separation import SeparationWatch

Array = NDArray[np.float64]
_Node = Callable[[SideExecutor, float, Array], Array]

_NODES_PER_TICK = 3
"""All nodes of a new way ahead at once would take a tick's time; the first ones are enough for the first ticks."""
_ARRIVED_RAD = 1e-3
_SHARE_PER_TICK = 0.01
"""The speed share goes over to a new one in half a second at most: gentle for every joint."""


class _Way(Enum):
    """Parts of the move to the ready posture."""

    BRAKING = auto()
    LIFTING = auto()
    READY = auto()


class ArmGroup:
    """Arm setpoints of all sides.

    Args:
        sides: The driven sides, left before right.
        settings: Tuning.
    """

    def __init__(self, sides: Mapping[Side, SideExecutor], settings: GeneratorSettings) -> None:
        self._sides = sides
        self._part = {side: slice(i * ARM_DOF, (i + 1) * ARM_DOF) for i, side in enumerate(sides)}
        limits = _stacked(settings.arm_limits, len(sides))
        self._joints = JointFollower(limits, settings.arm_jerk_rad_s3, ARM_PERIOD_S)
        self._follower = PathFollower(self._joints, JointPath(limits, PATH_SPACING_S))
        self._home_speed = settings.home_speed
        self._ready = np.concatenate([side.ready_rad for side in sides.values()])
        self._watch: SeparationWatch | None = None
        if settings.check_collisions:
            first = next(iter(sides.values()))
            parked = first.calibration.hardware.parked_rad(sides)
            model = CollisionModel(first.calibration, tuple(sides), settings.table_height_m, first.variant, parked)
            self._watch = SeparationWatch(model, limits)
        self._way = _Way.READY
        self._is_prepared = False
        self._share = self.speed_share = 1.0
        self.limit = ""
        self.holds = 0

    @property
    def path_s(self) -> float:
        """Path time up to which the path has been taken; setpoints show it a little later."""
        return self._follower.path_s

    @property
    def shown_path_s(self) -> float:
        """Path time of the setpoints given last."""
        return self._follower.shown_path_s

    @property
    def speed(self) -> float:
        """Speed along the path, 1 where nothing holds the robot back."""
        return self._follower.speed

    @property
    def off_path_rad(self) -> float:
        """How far joints had to leave the path."""
        return self._follower.off_path_rad

    def position_rad(self, side: Side) -> Array:
        """Setpoint of one arm given last, shape (7,)."""
        return self._joints.position_rad[self._part[side]].copy()

    def rest(self, arms_rad: Mapping[Side, Array], path_s: float) -> None:
        """Be at rest here, with setpoints at this path time."""
        given = np.concatenate([arms_rad[side] for side in self._sides])
        self._share = self.speed_share
        self._joints.set_speed(self._share)
        self._follower.reset(self._joints.limits.clip(given), path_s)
        self._is_prepared = False
        self.limit = ""
        if self._watch is not None:
            self._watch.begin()

    def measure(self, offsets_rad: Mapping[Side, Array]) -> None:
        """Where the arms are: from now on they must stay clear there, too.

        Args:
            offsets_rad: Measured joints minus setpoints (7,), by side; a side that is left out follows exactly.
        """
        if self._watch is not None:
            none = np.zeros(ARM_DOF)
            aside = np.concatenate([offsets_rad.get(side, none) for side in self._sides])
            self._watch.measure(self._joints.position_rad, aside, ARM_PERIOD_S)

    def turn(self) -> None:
        """A chunk was taken in: the path ahead is another from here on."""
        self._follower.turn()
        for side in self._sides.values():
            side.turn(self._follower.path_s)
        self._is_prepared = False
        if self._watch is not None:
            self._watch.restart()

    def prepare(self) -> None:
        """Solve for the next nodes of the path ahead of the cycle that needs them; once a cycle."""
        if not self._is_prepared:
            self._look_ahead(_chunk_node)
            self._is_prepared = True

    def follow(self) -> dict[Side, Array]:
        """Setpoints of one cycle along the path."""
        self._approach_share()
        return self._along(_chunk_node)

    def begin_ready(self) -> None:
        """Leave the path for a slow move to the ready posture: come to rest, rise, then straight in joints."""
        self._joints.set_speed(self._home_speed * self.speed_share)
        self._way, self._is_prepared = _Way.BRAKING, False

    def approach_ready(self) -> dict[Side, Array]:
        """Setpoints of one cycle of that move."""
        if self._way is _Way.BRAKING:
            if not self._joints.at_rest:
                return self._split(self._joints.brake())
            self._begin_lift()
        if self._way is _Way.LIFTING:
            if not (self._lifted or self.is_held):
                return self._along(_lift_node)
            self._way = _Way.READY
            self._follower.turn()
        velocity = self._joints.approaching(self._ready)
        return self._split(self._joints.move(velocity) if self._allows(velocity) else self._joints.brake())

    def begin_joints(self) -> None:
        """Leave the path for joint targets."""
        self._follower.turn()
        self.limit, self._is_prepared = "", False

    def follow_joints(self, targets: Mapping[Side, tuple[Array, Array]]) -> dict[Side, Array]:
        """Setpoints of one cycle after joint positions (7,) that move at rates (7,); other arms stay."""
        self._approach_share()
        joints = self._joints
        target, rate = joints.planned_rad.copy(), np.zeros(joints.limits.dof)
        for side, (position, velocity) in targets.items():
            target[self._part[side]], rate[self._part[side]] = position, velocity
        velocity = joints.cut(rate + joints.closing(joints.limits.clip(target) - joints.planned_rad))
        return self._split(joints.move(velocity) if self._allows(velocity) else joints.brake())

    def planned(self, side: Side) -> tuple[Array, Array]:
        """Where one arm is told to be and how fast, each (7,); ahead of its setpoint."""
        part = self._part[side]
        return self._joints.planned_rad[part].copy(), self._joints.planned_rad_s[part].copy()

    @property
    def share(self) -> float:
        """Part of the speed limit in use now."""
        return self._share

    @property
    def at_rest(self) -> bool:
        """Whether no arm moves."""
        return self._joints.at_rest

    @property
    def is_clear(self) -> bool:
        """Whether the rise is over and hands may open."""
        return self._way is _Way.READY

    @property
    def arrived(self) -> bool:
        """Whether that move has ended."""
        distance = np.abs(self._joints.position_rad - self._joints.limits.clip(self._ready)).max()
        return bool(distance < _ARRIVED_RAD and self._joints.at_rest)

    @property
    def is_blocked(self) -> bool:
        """Whether the move to the ready posture cannot go on: the arms rest because they would meet something."""
        return self._way is _Way.READY and self.is_held

    @property
    def is_held(self) -> bool:
        """Whether the arms rest because they would meet something."""
        return bool(self.limit) and self._joints.at_rest

    @property
    def _lifted(self) -> bool:
        over = all(side.lifted(self._follower.shown_path_s) for side in self._sides.values())
        return over and self._joints.at_rest

    def _begin_lift(self) -> None:
        self._way, self.limit = _Way.LIFTING, ""  # what held the arms on the path before does not hold the rise
        self._follower.reset(self._joints.position_rad, self._follower.path_s)
        for name, side in self._sides.items():
            side.begin_lift(self.position_rad(name), self._follower.path_s)
        if self._watch is not None:
            self._watch.restart()

    def _along(self, node: _Node) -> dict[Side, Array]:
        if not self._is_prepared:
            self._look_ahead(node)
        self._is_prepared = False
        advance = self._follower.propose()
        if not self._allows(advance.velocity_rad_s):
            advance = self._follower.propose(0.0)
            if not self._allows(advance.velocity_rad_s):
                return self._split(self._follower.brake())
        return self._split(self._follower.take(advance))

    def _approach_share(self) -> None:
        if self._share != self.speed_share:
            change = min(max(self.speed_share - self._share, -_SHARE_PER_TICK), _SHARE_PER_TICK)
            self._share += change
            self._joints.set_speed(self._share)

    def _look_ahead(self, node_of: _Node) -> None:
        path, until_s = self._follower.path, self.path_s + LOOK_AHEAD_S
        for _ in range(_NODES_PER_TICK):
            if path.next_s > until_s:
                return
            last = path.last_rad
            node = np.concatenate([node_of(s, path.next_s, last[self._part[n]]) for n, s in self._sides.items()])
            is_open, speed = (True, 1.0) if self._watch is None else self._watch.ahead(node, last)
            path.append(node, is_open=is_open, max_speed=speed)

    def _allows(self, velocity_rad_s: Array) -> bool:
        if self._watch is None:
            return True
        before, way = self._joints.planned_rad, velocity_rad_s * ARM_PERIOD_S
        allowed = self._watch.allows(before + way, velocity_rad_s, before)
        is_near = not allowed or self._follower.path.is_blocked
        self.holds += is_near and not self.limit
        pressed = ", pressed there: clear the arms and re-arm" if self._watch.is_pressed else ""
        self.limit = f"collision: {self._watch.last}{pressed}" if is_near else ""
        return allowed

    def _split(self, setpoint: Array) -> dict[Side, Array]:
        return {side: setpoint[part] for side, part in self._part.items()}


def _chunk_node(side: SideExecutor, path_s: float, before_rad: Array) -> Array:
    return side.node(path_s, before_rad)


def _lift_node(side: SideExecutor, path_s: float, before_rad: Array) -> Array:
    return side.lift_node(path_s, before_rad)


def _stacked(limits: JointLimits, times: int) -> JointLimits:
    return JointLimits.build(
        np.tile(limits.lower_rad, times),
        np.tile(limits.upper_rad, times),
        np.tile(limits.velocity_rad_s, times),
        np.tile(limits.acceleration_rad_s2, times),
    )
