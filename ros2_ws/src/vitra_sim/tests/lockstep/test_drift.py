import numpy as np

from vitra_policy.action_space import ACTION_DIM, HAND, STEPS, TRANSLATION
from vitra_policy.policies.policy import ActionChunk
from vitra_sim.lockstep.drift import Drift, DriftSettings

CHUNK = ActionChunk(np.zeros((STEPS, ACTION_DIM)), np.array([False, True]), 1 / 15, "still")


def carried(seed: int, pieces: int = 60) -> list[np.ndarray]:
    drift = Drift(np.random.default_rng(seed), DriftSettings())
    return [np.asarray(drift.carry_off(CHUNK, 2 / 15).actions) for _ in range(pieces)]


def test_drifts_come_and_go_and_spare_the_hand_that_does_not_act():
    pieces = carried(0)
    off = [bool(piece.any()) for piece in pieces]
    assert 5 < sum(off) < 50
    assert not any(piece[:, HAND["left"]].any() for piece in pieces)


def test_a_drift_carries_the_hand_some_centimetres_not_decimetres():
    travelled = [sum(p[:2, HAND["right"]][:, TRANSLATION].sum(axis=0) for p in carried(seed)) for seed in range(20)]
    assert 0.005 < np.mean(np.linalg.norm(travelled, axis=1)) < 0.12


def test_the_chunk_itself_stays_as_the_expert_said_it():
    carried(1)
    assert not np.asarray(CHUNK.actions).any()
