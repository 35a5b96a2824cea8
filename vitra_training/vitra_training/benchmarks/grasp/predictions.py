"""Predicted chunks on disk, one file a case: what is there is not asked for again."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import ACTION_DIM, SIDES
from vitra_policy.errors import VitraError
from vitra_policy.image import load_image
from vitra_policy.policies.policy import Policy
from vitra_policy.policies.registry import create_policy
from vitra_training.benchmarks.grasp.rows import ORACLE, Case, Row, go_straight, instruction_of, observation_of, stay

Array = NDArray[np.float64]

HUMAN_STEP_S = 1 / 30
"""Of rows without a policy."""


class PredictionError(VitraError):
    """A policy's answer that says nothing of the hand that was asked."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A chunk, as it is kept."""

    actions: Array
    """(T, 102)."""
    step_s: float


@dataclass(frozen=True, slots=True)
class PredictionStore:
    """The folder of predictions of a run."""

    root: Path

    def path(self, row: Row, case: Case) -> Path:
        """File of a case."""
        return self.root / row.folder / case.scene / f"{case.name}.npz"

    def read(self, row: Row, case: Case) -> Prediction | None:
        """The stored chunk, if it answers this image and these words; None if it is missing, damaged or of another."""
        path = self.path(row, case)
        try:
            with np.load(path, allow_pickle=False) as file:
                actions, step_s = np.asarray(file["actions"], dtype=np.float64), float(file["step_s"])
                same = (str(file["instruction"]), str(file["image"])) == (words_of(row, case), case.image.name)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return Prediction(actions, step_s) if same and actions.shape[1:] == (ACTION_DIM,) else None

    def write(self, row: Row, case: Case, prediction: Prediction) -> None:
        """Keep a chunk; the file appears whole or not at all.

        Args:
            row: Whose.
            case: What was asked.
            prediction: The answer.
        """
        path = self.path(row, case)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(
                file, actions=prediction.actions, step_s=prediction.step_s, image=case.image.name,
                instruction=words_of(row, case),
            )  # fmt: skip
        os.replace(partial, path)


def words_of(row: Row, case: Case) -> str:
    """The instruction that a row gives for a case."""
    return instruction_of(case.start.side, _caption(row, case))


def cases_of(row: Row, cases: Sequence[Case]) -> list[Case]:
    """The cases that a row has: objects alone in their scene have no other caption."""
    return [case for case in cases if not row.shuffled or case.other_caption is not None]


def predict(
    rows: Sequence[Row], cases: Sequence[Case], store: PredictionStore, progress: Callable[[int, int], None]
) -> None:
    """Ask what is not stored yet; a policy is loaded only if something is, one at a time.

    Args:
        rows: All of one policy, or of none.
        cases: Everything that is to be answered.
        store: Where answers are kept.
        progress: Called with answers there and wanted.

    Raises:
        VitraError: a policy cannot answer; what came before stays stored.
    """
    wanted = [(row, case) for row in rows for case in cases_of(row, cases)]
    missing = [(row, case) for row, case in wanted if store.read(row, case) is None]
    progress(len(wanted) - len(missing), len(wanted))
    policy = _open(missing[0][0]) if missing else None
    try:
        for number, (row, case) in enumerate(missing):
            store.write(row, case, _answer(row, case, policy))
            progress(len(wanted) - len(missing) + number + 1, len(wanted))
    finally:
        if policy is not None:
            policy.close()


def _open(row: Row) -> Policy | None:
    if row.policy is None:
        return None
    policy = create_policy(row.policy.name, dict(row.policy.options))
    policy.warm_up()
    return policy


def _answer(row: Row, case: Case, policy: Policy | None) -> Prediction:
    if policy is None:
        return Prediction(go_straight(case) if row.name == ORACLE else stay(case), HUMAN_STEP_S)
    observation = observation_of(case, load_image(case.image), _caption(row, case))
    policy.metadata.check(observation)
    policy.reset()
    chunk = policy.infer(observation)
    if not chunk.valid[SIDES.index(case.start.side)]:
        raise PredictionError(
            f"Policy '{row.name}' moves no {case.start.side} hand (scene {case.scene}, object {case.name}), though "
            f"'{observation.instruction}' asks for it. Try --side {case.start.side.other}."
        )
    return Prediction(np.asarray(chunk.actions, dtype=np.float64), chunk.step_s)


def _caption(row: Row, case: Case) -> str:
    if row.shuffled:
        assert case.other_caption is not None
        return case.other_caption
    return case.caption
