"""The setpoint generator: what to send at each tick, under a permit, from chunks; without threads or ROS."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vitra_control.arm_group import ArmGroup
from vitra_control.driver_watch import Interruption
from vitra_control.home_request import WAITS_S, HomeRequest
from vitra_control.joint_trajectory import JointTrajectory
from vitra_control.plausible_steps import refuse_implausible
from vitra_control.rest_watch import RestWatch
from vitra_control.setpoints import Feedback, HomeResult, Mode, PermitSample, Setpoints
from vitra_control.settings import TICKS_PER_HAND_SETPOINT, GeneratorSettings
from vitra_control.side import SideExecutor
from vitra_control.tracking_watch import TrackingWatch
from vitra_control.trajectory_runs import TrajectoryRuns
from vitra_policy.action_space import SIDES, Side
from vitra_policy.chunks.curve import StepsError, TimedSteps
from vitra_policy.chunks.path_clock import PathClock
from vitra_policy.chunks.timeline import Phase, Sample, Verdict

Array = NDArray[np.float64]

_log = logging.getLogger(__name__)

_TICKS_PER_TRACKING_CHECK = 10
_HELD_BACK = 0.9
POLICY_HOLDS_S = 1.0
"""A chunk this new means that somebody else has the arms."""


class SetpointGenerator:
    """Follows chunks tick by tick, and only while it is allowed to.

    Each setpoint is one cycle away from the one before, whatever the clock did in between, so the guards in the
    drivers never see a jump. All arms share one path and one time scaling (`PathFollower`): where a limit holds one
    joint back, everything is late, and chunks are read by path time, which knows how late. After every beginning of a
    permit, a pause that is too long, an arm that does not follow, or an error of computation it falls silent until the
    joints are at rest and starts again from where they are.

    Args:
        sides: The arms that are driven.
        settings: Tuning.
        feedback: Gives the newest measured joints of a side, or None; asked only when needed.

    Attributes:
        policy_runs: Whether a policy's run is under way, chunks or not; set from another thread.
    """

    def __init__(
        self,
        sides: Mapping[Side, SideExecutor],
        settings: GeneratorSettings,
        feedback: Callable[[Side], Feedback | None],
    ) -> None:
        self.sides = {side: sides[side] for side in SIDES if side in sides}
        self.mode = Mode.IDLE
        self.reseeds = 0
        self.failures = 0
        self.last_failure = ""
        self.waiting_for = ""
        self.policy_runs = False
        self._settings = settings
        self._arms = ArmGroup(self.sides, settings)
        self._clock = PathClock()
        self._rest_watch = RestWatch(self.sides, settings, feedback)
        self._tracking = TrackingWatch(self.sides, settings, feedback)
        self._epoch: int | None = None
        self._ticks = 0
        self._last_sent_s = -np.inf
        self._seeded_epoch: int | None = None
        self._runs = TrajectoryRuns(self._arms, settings.arm_limits)
        self._last_chunk_s = -np.inf
        self._homing = HomeRequest()

    def offer(self, chunk: Mapping[Side, TimedSteps], now_s: float) -> dict[Side, Verdict]:
        """Take a chunk in; sides that are not driven are left out of the answer. Outside FOLLOWING it is dropped.

        Raises:
            StepsError: for a chunk no curve can be drawn through; no side takes any of it.
        """
        mine = {side: steps for side, steps in chunk.items() if side in self.sides}
        for side, steps in mine.items():
            refuse_implausible(side, steps)
        self._last_chunk_s = now_s
        if self.mode is not Mode.FOLLOWING:
            return {}
        try:
            verdicts = {side: self._offer(side, steps, now_s) for side, steps in mine.items()}
        except StepsError:
            raise
        except Exception as error:  # whatever a library raises, setpoints must go on
            self._fail(error)
            return {}
        accepted = [self.sides[side].timeline for side, verdict in verdicts.items() if verdict is Verdict.ACCEPTED]
        if accepted:
            for timeline in accepted:
                timeline.prolong(max(other.blend_s for other in accepted))
            self._arms.turn()
        return verdicts

    def arm_rad(self, side: Side) -> Array:
        """Arm setpoint given last, shape (7,)."""
        return self._arms.position_rad(side)

    def set_speed_share(self, share: float) -> None:
        """Use this part of the speed limit from now on, 0..1; may be called from another thread."""
        self._arms.speed_share = share

    def home_refusal(self) -> str:
        """Why a move to the ready posture cannot begin now, or an empty text; may be asked from another thread."""
        if self.mode is Mode.HOMING or self._homing.waits:
            return "already on the way to the ready posture"
        if self.mode not in (Mode.FOLLOWING, Mode.SEEDING):
            return f"not armed ({self.mode}); call safety_supervisor/rearm first"
        return ""

    def go_home(self) -> str:
        """Begin the move to the ready posture; returns why not, or an empty text.

        Right after a re-arm it waits up to 5 s for the joints to rest. A driver that stops on the way because something
        came late lets it begin again from rest, a few times.
        """
        refusal = self.home_refusal()
        if refusal:
            return refusal
        self._homing.ask(waits=self.mode is Mode.SEEDING)
        if not self._homing.waits:
            self._begin_home()
        return ""

    def take_home_result(self) -> HomeResult | None:
        """How the move to the ready posture ended, once."""
        return self._homing.take_result()

    def trajectory_refusal(self, side: Side, now_s: float) -> str:
        """Why an arm may not follow a joint trajectory now, or an empty text; may be asked from another thread."""
        if side not in self.sides:
            return f"there is no {side} arm"
        if self.policy_runs:
            return "a policy's run is under way; stop it first (policy/stop)"
        if self.mode is Mode.TRAJECTORY:
            return f"the {side} arm follows another trajectory; cancel it first" if side in self._runs else ""
        if self.mode is not Mode.FOLLOWING:
            return f"not armed or busy ({self.mode})"
        sample = self.newest_sample()
        held = sample is not None and sample.phase is not Phase.HOLDING
        if held or now_s - self._last_chunk_s < POLICY_HOLDS_S:
            return "a policy or a teleoperator holds the arms; stop it first (policy/stop)"
        return ""

    def begin_trajectory(self, side: Side, trajectory: JointTrajectory, now_s: float) -> str:
        """Follow a joint trajectory; returns why not, or an empty text.

        Args:
            side: Which arm.
            trajectory: Checked against its limits.
            now_s: Monotonic time.
        """
        refusal = self.trajectory_refusal(side, now_s)
        if refusal:
            return refusal
        if self.mode is not Mode.TRAJECTORY:
            self._arms.begin_joints()
        self.mode = Mode.TRAJECTORY
        self._runs.begin(side, trajectory)
        return ""

    def cancel_trajectory(self, side: Side) -> None:
        """Bring an arm that follows a trajectory to rest."""
        self._runs.cancel(side)

    def take_trajectory_results(self) -> dict[Side, HomeResult]:
        """How trajectories ended, once."""
        return self._runs.take_results()

    def interrupted(self, interruption: Interruption) -> None:
        """A driver has stopped by itself and refuses what comes: start again from where the joints are."""
        goes_on = self.mode is Mode.HOMING and interruption.is_late and self._homing.may_go_on
        if self.mode in (Mode.FOLLOWING, Mode.HOMING, Mode.TRAJECTORY):
            self._again(interruption.why)
        elif self._homing.waits and self._homing.has_begun and not interruption.is_late:
            self._fall_back(Mode.SEEDING, interruption.why)  # while it came to rest, more was found wrong than lateness
        if goes_on:
            self._homing.wait_to_go_on()

    def tick(self, now_s: float, permit: PermitSample | None) -> Setpoints | None:
        """The setpoints of this tick (every 5 ms); None when nothing may be sent."""
        if permit is None or not permit.allowed or now_s - permit.received_s > self._settings.permit_timeout_s:
            self._fall_back(Mode.IDLE, "the permit was withdrawn")
            return None
        if self.mode is Mode.IDLE or permit.epoch != self._epoch:
            self._epoch = permit.epoch
            self._fall_back(Mode.SEEDING, "a new epoch began")
        try:
            return self._step(now_s, permit.epoch)
        except Exception as error:  # whatever a library raises, the thread of the setpoints must not end
            self._fail(error)
            return None

    def prepare(self) -> None:
        """Work ahead for the next tick, after this one's setpoints have left; without it that tick does it itself."""
        if self.mode is not Mode.FOLLOWING:
            return
        try:
            self._arms.prepare()
        except Exception as error:  # as in `tick`
            self._fail(error)

    def unheard_s(self, now_s: float) -> float:
        """For how long there has been a permit without fresh joints of all sides; may be asked from another thread."""
        return self._rest_watch.unheard_s(now_s)

    def newest_sample(self) -> Sample | None:
        """The target of the side whose chunk was observed last."""
        samples = [side.sample for side in self.sides.values() if side.sample is not None]
        return max(samples, key=lambda sample: (sample.stamp_s, sample.sequence), default=None)

    def limits(self) -> str:
        """What bends the path or holds the robot back on it now, in words; empty if nothing."""
        held_back = ""
        sample = self.newest_sample()
        if self.mode is Mode.FOLLOWING and sample is not None and sample.phase is not Phase.HOLDING:
            speed = self._arms.speed
            held_back = f"at {speed:.0%} of the chunk's speed, {self.lag_s:.2f} s late" if speed < _HELD_BACK else ""
        found = [self.waiting_for, self._arms.limit, *(s.limit for s in self.sides.values()), held_back]
        return "; ".join(filter(None, found))

    @property
    def holds(self) -> int:
        """How often the arms were slowed down because they would have met something."""
        return self._arms.holds

    @property
    def path_s(self) -> float:
        """Path time up to which the arms' path has been taken."""
        return self._arms.path_s

    @property
    def speed(self) -> float:
        """Speed along the path, 1 where nothing holds the robot back."""
        return self._arms.speed

    @property
    def lag_s(self) -> float:
        """How far the robot is behind the clock since it was seeded."""
        return self._clock.lag_s if self.mode is Mode.FOLLOWING else 0.0

    def count(self, verdicts: Sequence[Verdict]) -> int:
        """How many chunks got one of these verdicts, on the side where it was most."""
        return max(sum(side.timeline.counts[v] for v in verdicts) for side in self.sides.values())

    @property
    def starved(self) -> int:
        """How often the steps ran out."""
        return max(side.timeline.starved for side in self.sides.values())

    def _offer(self, side: Side, steps: TimedSteps, now_s: float) -> Verdict:
        return self.sides[side].offer(steps, now_s, self._clock.at, self._arms.path_s)

    def _step(self, now_s: float, epoch: int) -> Setpoints | None:
        if self.mode is Mode.SEEDING and not self._seed(now_s):
            self._watch_waiting_home(now_s)
            return None
        if now_s - self._last_sent_s > self._settings.max_gap_s:
            gap_ms = (now_s - self._last_sent_s) * 1e3
            self.interrupted(Interruption(f"no setpoints for {gap_ms:.0f} ms", is_late=True))
            return None
        self._ticks += 1
        if self._ticks % _TICKS_PER_TRACKING_CHECK == 0 and (lost := self._tracking.lost(self.arm_rad)):
            self._again(lost)
            return None
        self._arms.measure(self._tracking.offsets_rad(self.arm_rad))
        self._last_sent_s = now_s
        if self.mode is Mode.TRAJECTORY:
            return self._trajectory(now_s, epoch)
        return self._home(now_s, epoch) if self.mode is Mode.HOMING else self._follow(now_s, epoch)

    def _follow(self, now_s: float, epoch: int) -> Setpoints:
        arms = self._arms.follow()
        self._clock.advance(now_s, self._arms.shown_path_s)
        for side in self.sides.values():
            side.show(self._arms.shown_path_s, self._arms.speed)
        if self._ticks % TICKS_PER_HAND_SETPOINT:
            return Setpoints(epoch, arms)
        return Setpoints(epoch, arms, {name: side.follow_hand(self._arms.path_s) for name, side in self.sides.items()})

    def _home(self, now_s: float, epoch: int) -> Setpoints:
        arms, hands = self._arms.approach_ready(), {}
        if self._ticks % TICKS_PER_HAND_SETPOINT == 0:
            clear = self._arms.is_clear
            hands = {name: side.approach_ready() if clear else side.brake_hand() for name, side in self.sides.items()}
        if self._arms.is_clear and self._arms.arrived and all(side.hand_arrived for side in self.sides.values()):
            self._end_home(now_s, HomeResult(True, "at the ready posture"))
        elif self._arms.is_blocked:
            self._end_home(now_s, HomeResult(False, f"held on the way to the ready posture: {self._arms.limit}"))
        return Setpoints(epoch, arms, hands)

    def _trajectory(self, now_s: float, epoch: int) -> Setpoints:
        arms, hands = self._runs.follow(), {}
        if self._ticks % TICKS_PER_HAND_SETPOINT == 0:
            hands = {name: side.follow_hand(self._arms.path_s) for name, side in self.sides.items()}
        if self._runs.end():
            self.mode = Mode.FOLLOWING
            self._rest(now_s, {side: self.arm_rad(side) for side in self.sides})
        return Setpoints(epoch, arms, hands)

    def _watch_waiting_home(self, now_s: float) -> None:
        if self._homing.waits and self._homing.has_waited_too_long(now_s):
            self._homing.break_off(f"the joints did not come to rest within {WAITS_S:g} s: {self.waiting_for}")

    def _begin_home(self) -> None:
        self._arms.begin_ready()
        for side in self.sides.values():
            side.begin_ready()
        self.mode = Mode.HOMING
        self._homing.begin()

    def _end_home(self, now_s: float, result: HomeResult) -> None:
        self.mode = Mode.FOLLOWING
        self._homing.end(result)
        self._rest(now_s, {side: self.arm_rad(side) for side in self.sides})

    def _rest(self, now_s: float, arms_rad: Mapping[Side, Array]) -> None:
        self._arms.rest(arms_rad, now_s)
        self._clock.reset(now_s)
        for name, side in self.sides.items():
            side.rest(self.arm_rad(name), now_s)

    def _fall_back(self, mode: Mode, why: str) -> None:
        if self.mode is Mode.HOMING or self._homing.waits:
            self._homing.break_off(why)
        self._runs.break_off(why)
        if mode is not self.mode:
            self._rest_watch.restart()
        self.mode, self.waiting_for = mode, ""
        self._tracking.reset()

    def _again(self, why: str) -> None:
        self.reseeds += 1
        self._fall_back(Mode.SEEDING, why)
        self.waiting_for = why

    def _fail(self, error: Exception) -> None:
        """Computation has failed: nothing is sent, the drivers come to rest, and it starts again from there."""
        self.failures += 1
        self.last_failure = f"{type(error).__name__}: {error}"
        _log.exception("setpoints could not be computed")
        self._again(f"setpoints could not be computed ({self.last_failure})")

    def _seed(self, now_s: float) -> bool:
        """Start from what the controllers hold, or where that is unknown from the measured joints, once all rest."""
        measured = self._rest_watch.look(now_s)
        if measured is None:
            self.waiting_for = self._rest_watch.lacks
            return False
        if now_s - self._last_sent_s < self._settings.settle_s:
            return False
        if not self._rest_watch.all_rest(now_s):
            self.waiting_for = self.waiting_for or "the arms are not at rest"
            return False
        same_epoch = self._seeded_epoch == self._epoch
        for name, executor in self.sides.items():
            feedback = measured[name]
            # Within an epoch a hand keeps its setpoint: fingers on an object stand short of it, and hold by that.
            known = feedback.hand_held_rad is not None or not same_epoch
            executor.seed_hand(feedback.hand_start_rad if known else executor.resting_hand_rad)
        self._rest(now_s, {side: feedback.arm_start_rad for side, feedback in measured.items()})
        self._seeded_epoch, self._last_sent_s = self._epoch, now_s
        self.mode, self.waiting_for = Mode.FOLLOWING, ""
        if self._homing.waits:
            self._begin_home()
        return True
