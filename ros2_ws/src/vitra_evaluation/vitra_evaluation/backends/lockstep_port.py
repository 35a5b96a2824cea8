"""Trials in lockstep simulation, many times faster than real time, with the same recording as on the robot."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from vitra_evaluation.backends.lockstep_bag import LockstepBag, jpeg_of
from vitra_evaluation.backends.port import Check, Event
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.plan.schedule import Slot
from vitra_evaluation.session.trial import Status
from vitra_policy.errors import VitraError
from vitra_policy.policies.policy import Observation, Policy
from vitra_sim.lockstep.env import EnvSettings


class LockstepPort:
    """Policy and simulated robot in this process, in turns.

    Args:
        policy: usually the session's blinded policy; warm.
        time_limit_s: longest trial.
        render: give the policy images, and keep them in the bag, which the trial's video is made of.
    """

    def __init__(self, policy: Policy, time_limit_s: float, render: bool = False) -> None:
        from vitra_sim.lockstep.env import VitraSimEnv

        self._policy = policy
        self._env = VitraSimEnv(
            settings=EnvSettings(image_size=(424, 240) if render else None, time_limit_s=time_limit_s + 1.0)
        )
        self._observation: Observation | None = None
        self._info: dict[str, Any] = {}
        self.stops = 0
        self._bag: LockstepBag | None = None
        self._instruction = ""

    @property
    def automatic(self) -> bool:
        """Simulations reset and judge themselves."""
        return True

    def checks(self) -> list[Check]:
        """Nothing can be unready."""
        return [Check("simulation", ok=True)]

    def arm(self) -> None:
        """Nothing to arm."""

    def stop(self) -> None:
        """End the run."""
        self.stops += 1

    def home(self) -> None:
        """A reset does that."""

    def reset(self, slot: Slot, plan: Plan) -> None:
        """Put the simulation into the slot's start state."""
        task = plan.object(slot.thing).sim_task
        self._observation, _ = self._env.reset(seed=slot.seed, options={"task": task})
        self._info = {}

    def start(self, slot: Slot, plan: Plan, folder: Path) -> None:
        """Begin the recording and the policy's run.

        Args:
            slot: What is tried.
            plan: Of the session.
            folder: Where the bag goes.
        """
        self._instruction, self._stops_before = plan.instruction(slot.task, slot.thing), self.stops
        self._bag, self._recorded_s = LockstepBag(folder / "bag"), -1.0
        self._policy.reset()

    def status(self) -> Status:
        """One chunk further."""
        assert self._observation is not None
        assert self._bag is not None
        observation = dataclasses.replace(self._observation, instruction=self._instruction)
        try:
            chunk = self._policy.infer(observation)
        except VitraError as error:
            return Status(self.now_s(), policy_ended=f"policy_error: {error}")
        self._bag.add(self._env, observation, chunk)
        self._recorded_s = observation.stamp_s
        self._observation, _, _, _, self._info = self._env.step(chunk, observation)
        return Status(
            now_s=self.now_s(),
            stop_cause="operator_stop" if self.stops > self._stops_before else "",
            stopped_by_person=True,
            success=bool(self._info["success"]),
            failed=bool(self._info["failed"]),
            reason=str(self._info["reason"]),
        )

    def now_s(self) -> float:
        """Simulated time."""
        return float(self._env.world.time_s)

    def events(self) -> list[Event]:
        """None: there is no graph."""
        return []

    def finish(self, folder: Path) -> Path | None:
        """Close the bag, after the image of the end; without an answer it stays empty, and the trial does not count."""
        if self._bag is None:
            return None
        if self._observation is not None and 0.0 <= self._recorded_s < self._observation.stamp_s:
            self._bag.add_image(self._observation)
        path = self._bag.close()
        self._bag = None
        return path

    def image(self) -> bytes | None:
        """The present image, where images are rendered."""
        image = self._observation.image if self._observation else None
        if image is None:
            return None
        return jpeg_of(image)

    def close(self) -> None:
        """Free renderer and policy."""
        self._policy.close()
        self._env.close()
