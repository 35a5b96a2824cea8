"""Joint trajectories that arms follow at the moment: which, how far behind, and how each ended."""

from __future__ import annotations

import numpy as np

from vitra_control.arm_group import ArmGroup
from vitra_control.joint_trajectory import JointTrajectory, TrajectoryRun
from vitra_control.setpoints import HomeResult
from vitra_control.settings import ARM_PERIOD_S
from vitra_description.limits import JointLimits
from vitra_policy.action_space import Side
from vitra_safety.guard import Array

_FARTHEST_BEHIND_RAD, _GOAL_RAD = 0.15, 2e-3


class TrajectoryRuns:
    """The runs of all sides, one trajectory a side at most.

    Args:
        arms: The driven arms, which go where the runs say, within their limits.
        limits: Of a joint, for coming to rest when a run is cancelled.
    """

    def __init__(self, arms: ArmGroup, limits: JointLimits) -> None:
        self._arms, self._limits = arms, limits
        self._runs: dict[Side, TrajectoryRun] = {}
        self._results: dict[Side, HomeResult] = {}

    def __contains__(self, side: Side) -> bool:
        return side in self._runs

    def begin(self, side: Side, trajectory: JointTrajectory) -> None:
        """Let an arm follow a trajectory from the next tick on."""
        self._runs[side] = TrajectoryRun(trajectory)

    def cancel(self, side: Side) -> None:
        """Bring an arm to rest; one that follows nothing, or is on its way to rest, is left alone."""
        run = self._runs.get(side)
        if run is not None and not run.canceled:
            run.cancel(*self._arms.planned(side), self._limits)

    def break_off(self, why: str) -> None:
        """End every run here, with that reason."""
        for side in self._runs:
            self._results[side] = HomeResult(False, f"broken off: {why}")
        self._runs.clear()

    def take_results(self) -> dict[Side, HomeResult]:
        """How trajectories ended, once."""
        results, self._results = self._results, {}
        return results

    def follow(self) -> dict[Side, Array]:
        """Arm setpoints (7,) of the next tick; a run whose arm has fallen too far behind is cancelled."""
        share = self._arms.share
        setpoints = self._arms.follow_joints(
            {side: run.advance(ARM_PERIOD_S, share) for side, run in self._runs.items()}
        )
        for side, run in tuple(self._runs.items()):
            gap_rad = float(np.abs(run.advance(0.0)[0] - self._arms.planned(side)[0]).max())
            if gap_rad > _FARTHEST_BEHIND_RAD and not run.canceled:
                self._results[side] = HomeResult(False, f"{gap_rad:.2f} rad behind: {self._arms.limit or 'limits'}")
                self.cancel(side)
        return setpoints

    def end(self) -> bool:
        """Whether all runs are over, with the arms at rest and a result of each; they are forgotten then."""
        if not (self._arms.at_rest and all(run.is_over for run in self._runs.values())):
            return False
        for side, run in self._runs.items():
            gap_rad = float(np.abs(run.goal_rad - self._arms.position_rad(side)).max())
            if run.canceled:
                self._results.setdefault(side, HomeResult(False, "canceled"))
            elif gap_rad < _GOAL_RAD:
                self._results[side] = HomeResult(True, f"{gap_rad:.1g} rad from the goal")
            elif self._arms.is_held:
                self._results[side] = HomeResult(False, f"held on its way: {self._arms.limit}")
        if not all(side in self._results for side in self._runs):
            return False
        self._runs.clear()
        return True
