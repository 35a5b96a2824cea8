"""The cases for policies: what real-time chunking asks of whatever answers observations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from vitra_policy.action_space import FINGERS, HAND, ROTATION, SIDES, TRANSLATION, Hands
from vitra_policy.chunks.curve import Array
from vitra_policy.conformance.verdict import Case
from vitra_policy.errors import VitraError
from vitra_policy.policies.policy import (
    ActionChunk,
    CommittedPrefix,
    Observation,
    Policy,
    hands_array,
    make_example_observation,
)
from vitra_policy.policies.rtc import AnchoredChunk, Delay, committed_prefix
from vitra_policy.transforms import euler_xyz_from_matrix

KEPT = 1e-3
"""How exactly committed steps must come back (m, rad)."""
SEAM_M, SEAM_RAD, SEAM_FINGERS_RAD = 0.05, 0.35, 0.5
"""What may change from the last committed step to the first free one."""
_LATER_STEPS = 4


@dataclass(frozen=True, slots=True)
class PolicySubject:
    """A warm policy and the hands that it is asked to move."""

    policy: Policy
    hands: Hands = Hands(right=True)

    def observation(self) -> Observation:
        """A plausible one."""
        return make_example_observation(height=240, width=320, hands=self.hands)


def cold_start(subject: PolicySubject) -> list[str]:
    """No committed steps: a chunk as its metadata say, and no claim to have kept any."""
    policy = subject.policy
    policy.reset()
    return _shape(policy, policy.infer(subject.observation()), committed=0)


def prefix_kept(subject: PolicySubject) -> list[str] | None:
    """Committed steps come back as they were given, however many there are."""
    if not subject.policy.metadata.uses_committed:
        return None
    found: list[str] = []
    for steps in sorted({1, 3, 8, subject.policy.metadata.steps - 1}):
        asked, chunk = _continued(subject, steps)
        assert asked.committed is not None
        found += _shape(subject.policy, chunk, committed=asked.committed.steps)
        for side, valid in zip(SIDES, asked.committed.valid, strict=True):
            given = asked.committed.actions[:, HAND[side]]
            wrong = float(np.abs(chunk.actions[: len(given), HAND[side]] - given).max()) if valid else 0.0
            if wrong > KEPT:
                found.append(f"{steps} committed steps of the {side} hand come back {wrong:.3g} off")
    return found


def splice_jump(subject: PolicySubject) -> list[str] | None:
    """The first free step continues the last committed one."""
    if not subject.policy.metadata.uses_committed:
        return None
    found: list[str] = []
    for steps in (1, 3, 8):
        asked, chunk = _continued(subject, steps)
        assert asked.committed is not None
        seam = asked.committed.steps
        if seam >= chunk.steps:
            continue
        change = np.abs(chunk.actions[seam].astype(np.float64) - chunk.actions[seam - 1])
        for side, valid in zip(SIDES, asked.committed.valid, strict=True):
            hand = change[HAND[side]]
            limits = ((TRANSLATION, SEAM_M), (ROTATION, SEAM_RAD), (FINGERS, SEAM_FINGERS_RAD))
            found += [
                f"behind {seam} committed steps the {side} hand's {name} change by {hand[part].max():.2f} in one step"
                for name, (part, most) in zip(("translations", "rotations", "fingers"), limits, strict=True)
                if valid and hand[part].max() > most
            ]
    return found


def wrong_delay_estimate(subject: PolicySubject) -> list[str] | None:
    """No steps at all, or more than a chunk has: answered in full, or refused with a reason."""
    policy = subject.policy
    if not policy.metadata.uses_committed:
        return None
    found: list[str] = []
    seen = subject.observation()
    for steps in (0, policy.metadata.steps, policy.metadata.steps + 8):
        rows = np.tile(_still(seen), (steps, 1))
        committed = CommittedPrefix(rows, seen.hands)
        try:
            chunk = policy.infer(replace(seen, committed=committed))
        except VitraError:
            continue
        found += _shape(policy, chunk, committed=None)
        if chunk.committed_steps > min(steps, chunk.steps):
            found.append(f"claims {chunk.committed_steps} committed steps of {steps}")
    return found


def other_hand(subject: PolicySubject) -> list[str] | None:
    """A prefix of a hand that does not act is no prefix of the one that does."""
    policy = subject.policy
    acting = subject.hands.active
    if not policy.metadata.uses_committed or len(acting) != 1:
        return None
    seen = subject.observation()
    idle = np.array([side not in acting for side in SIDES])
    marked = np.full((4, len(seen.state)), 0.3)
    chunk = policy.infer(replace(seen, committed=CommittedPrefix(marked, idle)))
    found = _shape(policy, chunk, committed=None)
    if np.abs(chunk.actions[:4, HAND[acting[0]]] - 0.3).max() < KEPT:
        found.append("the acting hand repeats steps that were committed for the other one")
    return found


def clock_step(subject: PolicySubject, jumps_s: tuple[float, ...] = (3600.0, -900.0, -0.05)) -> list[str]:
    """Stamps that leap ahead and back, as after a set clock or with an overtaken image: answered as ever."""
    policy, seen = subject.policy, subject.observation()
    policy.reset()
    found = []
    for jump_s in (0.0, *jumps_s):
        chunk = policy.infer(replace(seen, stamp_s=seen.stamp_s + jump_s))
        found += [f"stamp {jump_s:+g} s: {what}" for what in _shape(policy, chunk, committed=0)]
    return found


def lost_answer(subject: PolicySubject) -> list[str]:
    """An answer that never reached the robot is not taken for done: the next request is like a first one."""
    policy, seen = subject.policy, subject.observation()
    policy.reset()
    policy.infer(seen)
    later = replace(seen, stamp_s=seen.stamp_s + 1.0)
    return _shape(policy, policy.infer(later), committed=0)


def reset(subject: PolicySubject) -> list[str]:
    """After a reset nothing of the run before is left."""
    subject.policy.infer(subject.observation())
    subject.policy.reset()
    return cold_start(subject)


POLICY_CASES: tuple[Case[PolicySubject], ...] = (
    Case("cold start", "the first chunk is planned around steps that never were", cold_start),
    Case("committed prefix", "the robot is told to be elsewhere than it already goes", prefix_kept),
    Case("splice jump", "the arm jerks where kept and new steps meet", splice_jump),
    Case("wrong delay estimate", "a slow inference ends the run, or a shape is wrong", wrong_delay_estimate),
    Case("other hand", "a hand repeats what another was told", other_hand),
    Case("clock step", "a set clock ends the run", clock_step),
    Case("reordered images", "an overtaken image ends the run", partial(clock_step, jumps_s=(-0.1, -0.2, 0.1))),
    Case("dropped chunk", "a lost answer counts as executed", lost_answer),
    Case("reset", "a new run continues the one before", reset),
)


def _still(seen: Observation) -> Array:
    """An action (102,) that changes nothing."""
    action = seen.state.copy()
    for side in SIDES:
        action[HAND[side]][:6] = 0
    return action


def _continued(subject: PolicySubject, steps: int) -> tuple[Observation, ActionChunk]:
    """A first chunk, followed exactly for some steps, and the observation and answer after it."""
    policy, first = subject.policy, subject.observation()
    policy.reset()
    before = AnchoredChunk(policy.infer(first), first.stamp_s, first.state)
    taken = min(_LATER_STEPS, before.chunk.steps - 1)
    state = first.state.copy()
    for side in subject.hands.active:
        hand, pose = state[HAND[side]], before.wrist_poses(side)[taken]
        hand[TRANSLATION], hand[ROTATION] = pose[:3, 3], euler_xyz_from_matrix(pose[:3, :3])
        hand[FINGERS] = before.fingers(side)[taken]
    stamp_s = first.stamp_s + taken * before.chunk.step_s
    committed = committed_prefix(before, stamp_s, state, hands_array(subject.hands), Delay(steps))
    if committed is None or committed.steps < steps:  # a short chunk has no more: hold where it ends
        rows = np.zeros((0, len(state))) if committed is None else committed.actions
        hold = _still(replace(first, state=state)) if not len(rows) else rows[-1].copy()
        for side in SIDES:
            hold[HAND[side]][:6] = 0
        rows = np.concatenate([rows, np.tile(hold, (steps - len(rows), 1))])
        committed = CommittedPrefix(rows, hands_array(subject.hands))
    asked = replace(first, stamp_s=stamp_s, state=state, committed=committed)
    return asked, policy.infer(asked)


def _shape(policy: Policy, chunk: ActionChunk, committed: int | None) -> list[str]:
    meta, found = policy.metadata, []
    if chunk.steps != meta.steps:
        found.append(f"answers {chunk.steps} steps, its metadata say {meta.steps}")
    if abs(chunk.step_s - meta.step_s) > 1e-6:
        found.append(f"answers steps of {chunk.step_s:g} s, its metadata say {meta.step_s:g}")
    if committed is not None and chunk.committed_steps != committed:
        found.append(f"says that {chunk.committed_steps} steps are committed, {committed} were")
    return found
