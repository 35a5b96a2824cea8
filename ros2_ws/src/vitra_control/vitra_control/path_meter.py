"""How far an executor's setpoints get from its planned path, for benchmarks: of place, not of time."""

from __future__ import annotations

from vitra_control.generator import SetpointGenerator
from vitra_control.planned_path import PlannedPath
from vitra_control.setpoints import Mode
from vitra_description.kinematics import ArmModel
from vitra_policy.action_space import Side


class PathMeter:
    """Watches one arm, tick by tick; places where inverse kinematics names a limit are left out.

    Args:
        side: The arm.

    Attributes:
        distance_m: Largest distance of a setpoint's wrist from the path so far.
        rotation_rad: Largest rotation from it so far.
    """

    def __init__(self, side: Side) -> None:
        self._side, self._path = side, PlannedPath()
        self._arm: ArmModel | None = None
        self.distance_m = self.rotation_rad = 0.0

    def look(self, generator: SetpointGenerator) -> None:
        """After a tick: where the plan is, and where the setpoint."""
        executor = generator.sides[self._side]
        target = executor.timeline.value(generator.path_s)
        if generator.mode is not Mode.FOLLOWING or target is None:
            self._path = PlannedPath()  # a new plan begins elsewhere
            return
        self._path.add(target)
        if executor.limit:
            return
        if self._arm is None:
            self._arm = ArmModel(executor.variant, executor.calibration.side(self._side))
        distance_m, rotation_rad = self._path.deviation(self._arm.wrist_pose(generator.arm_rad(self._side)))
        self.distance_m, self.rotation_rad = max(self.distance_m, distance_m), max(self.rotation_rad, rotation_rad)
