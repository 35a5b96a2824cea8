"""All policies of a session behind one name: warm side by side, answering under the alias of the trial.

policy_node --ros-args -p policy:=blinded_policy -p policy_options:="[session=runs/eval/demo]"

The session's runner writes which alias is next; only this process opens the seal and knows who that is. Answers carry
the alias, no stage timings, and (latency: equal) go out by one fixed schedule; what a policy prints or logs goes to a
sealed file. So neither topics, bags nor logs tell the policies apart.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from vitra_evaluation.blinding.answer_schedule import AnswerSchedule, fixed_period_s, known_period_s
from vitra_evaluation.blinding.blinding_key import open_blinding_key
from vitra_evaluation.blinding.output_capture import append_sealed, captured
from vitra_evaluation.plan.plan import Latency
from vitra_evaluation.session.folder import ACTIVE_NAME
from vitra_policy.policies.policy import (
    PRIVILEGED_EXTRAS,
    ActionChunk,
    Observation,
    Policy,
    PolicyError,
    PolicyMetadata,
    make_example_observation,
)
from vitra_policy.policies.registry import create_policy

T = TypeVar("T")

LATENCY_NAME = "sealed_latency.jsonl"
LOG_NAME = "sealed.log"
_WARM_ANSWERS = 12
_ROUNDING = 1e-9


class BlindedPolicy:
    """One policy that is several.

    Args:
        folder: the session's folder.
        create: makes a policy by name and options.
    """

    def __init__(self, folder: Path, create: Callable[[str, Mapping[str, str]], Policy] = create_policy) -> None:
        self._folder = folder
        seal = open_blinding_key(folder)
        self._names = seal.names
        self._policies = {spec.name: create(spec.policy, dict(spec.options)) for spec in seal.policies}
        self._latency, self._declared_s = seal.latency, seal.answer_s
        known_s = known_period_s(folder) if seal.latency is Latency.EQUAL else None
        self._schedule = AnswerSchedule(known_s or 0.0)
        self._alias, self._active = "", ""
        self._times_s: list[float] = []
        self._late = 0
        self._chunk = ""
        each = [policy.metadata for policy in self._policies.values()]
        step_s = max(m.step_s for m in each)
        self._metadata = PolicyMetadata(
            "session",
            steps=max(m.steps for m in each),
            step_s=step_s,
            needs_image=any(m.needs_image for m in each),
            needs_state=any(m.needs_state for m in each),
            needs_extras=tuple(dict.fromkeys(extra for m in each for extra in m.needs_extras)),
            uses_committed=any(m.uses_committed for m in each),
            executed_steps=math.ceil(max(m.period_s for m in each) / step_s - _ROUNDING),  # one pace for all
        )

    @property
    def metadata(self) -> PolicyMetadata:
        """What any of them needs."""
        return self._metadata

    def warm_up(self) -> None:
        """Warm up all of them, so that the first trial of each is like the others, and fix the answer schedule."""
        times_s: dict[str, list[float]] = {}
        for name, policy in self._policies.items():
            policy.warm_up()
            times_s[name] = self._answer_times_s(policy)
        if self._latency is Latency.EQUAL:
            self._schedule = AnswerSchedule(fixed_period_s(self._folder, times_s, self._declared_s))

    def reset(self) -> None:
        """A new run: the policy behind the alias that the runner chose takes over.

        Raises:
            PolicyError: no runner has chosen one.
        """
        self._write_times()
        begun_s = self._schedule.now_s()
        try:
            self._alias = str(json.loads((self._folder / ACTIVE_NAME).read_text())["alias"])
        except (OSError, ValueError, KeyError) as error:
            self._alias, self._active = "", ""
            raise PolicyError(
                f"No trial is chosen in {self._folder}: let vitra-eval run the session ({type(error).__name__})."
            ) from error
        self._active = self._names[self._alias]
        self._shielded(self._policies[self._active].reset)
        self._late += self._schedule.wait(begun_s)

    def infer(self, observation: Observation) -> ActionChunk:
        """Answer as the policy of this trial, under its alias.

        Raises:
            PolicyError: no trial was chosen.
        """
        if not self._active:
            raise PolicyError("No trial is chosen: let vitra-eval run the session.")
        policy = self._policies[self._active]
        begun_s = self._schedule.now_s()
        chunk = self._shielded(lambda: policy.infer(_visible(observation, policy.metadata)))
        self._times_s.append(self._schedule.now_s() - begun_s)
        self._chunk = f"{chunk.steps} x {1e3 * chunk.step_s:.0f} ms"
        answer = dataclasses.replace(chunk, policy_id=self._alias, timing={})
        self._late += self._schedule.wait(begun_s)
        return answer

    def close(self) -> None:
        """Close all of them."""
        self._write_times()
        for policy in self._policies.values():
            policy.close()

    @staticmethod
    def _answer_times_s(policy: Policy) -> list[float]:
        found: list[float] = []
        for _ in range(_WARM_ANSWERS):
            begun_s = time.perf_counter()
            try:
                policy.infer(make_example_observation())
            except Exception:  # an example is not a scene; what counts is that the policy was asked
                break
            found.append(time.perf_counter() - begun_s)
        return found

    def _shielded(self, call: Callable[[], T]) -> T:
        """Errors, and whatever is printed, go to the sealed log; outside they only carry the alias."""
        try:
            with captured(self._folder / LOG_NAME):
                return call()
        except Exception as error:
            append_sealed(self._folder / LOG_NAME, f"{self._alias} {traceback.format_exc()}\n")
            raise PolicyError(f"The policy of trial {self._alias} could not answer; see {LOG_NAME} later.") from error

    def _write_times(self) -> None:
        if self._times_s and self._alias:
            times_s = [round(t, 5) for t in self._times_s]
            row = {"alias": self._alias, "answer_s": times_s, "late": self._late, "chunk": self._chunk}
            append_sealed(self._folder / LATENCY_NAME, json.dumps(row) + "\n")
        self._times_s, self._late = [], 0


def _visible(observation: Observation, metadata: PolicyMetadata) -> Observation:
    """The observation with only what this policy would get if it ran alone."""
    hidden = [n for n in observation.extras if n in PRIVILEGED_EXTRAS and n not in metadata.needs_extras]
    if not hidden and metadata.needs_image and (metadata.uses_committed or observation.committed is None):
        return observation
    return dataclasses.replace(
        observation,
        image=observation.image if metadata.needs_image else None,
        committed=observation.committed if metadata.uses_committed else None,
        extras={name: value for name, value in observation.extras.items() if name not in hidden},
    )


def make_blinded_policy(session: str) -> BlindedPolicy:
    """The blinded policy by its options; entry point `blinded_policy` of `vitra_policy.policies`."""
    return BlindedPolicy(Path(session))
