"""From glass to joint: the policy that waits for another picture, and the times read out of a motion trace."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from vitra_bringup.bench_glass_to_joint import MOVED_RAD, figures, latencies_s
from vitra_bringup.graph_link import GraphError
from vitra_bringup.reflex_policy import CHANGED_LEVELS, CHANGED_PIXELS, RAISE_M, ReflexPolicy
from vitra_bringup.wrist_paths import actions_along, wrists_in_base
from vitra_policy.action_space import HAND, SIDES, TRANSLATION
from vitra_policy.policies.policy import BASE_FROM_CAMERA, Observation, make_example_observation


def lines(leaps: list[int], joint_rad: list[float]) -> list[str]:
    """Trace at 200 Hz: how often the objects have leapt, and joint 2 of the right arm."""
    rows = []
    for n, (count, angle) in enumerate(zip(leaps, joint_rad, strict=True)):
        row = {str(side): {"q": [0.0] * 7} for side in SIDES} | {"stamp": 50.0 + 0.005 * n, "leaps": count}
        row["right"]["q"][2] = angle
        rows.append(json.dumps(row) + "\n")
    return rows


@pytest.fixture
def observation() -> Observation:
    seen = make_example_observation()
    both = np.array([True, True])
    extras = {BASE_FROM_CAMERA: np.eye(4)}
    image = np.full((24, 32, 3), 100, dtype=np.uint8)
    return replace(seen, image=image, hands=both, state_valid=both, extras=extras)


def test_the_time_is_from_the_leap_to_the_first_tick_at_which_a_joint_has_moved() -> None:
    trace = lines([0, 0, 1, 1, 1, 1, 2, 2], [0.0, 0.1, 0.2, 0.2, 0.2, 0.2 + MOVED_RAD, 0.3, 0.3])
    assert latencies_s(trace) == pytest.approx([0.015, np.inf])
    assert latencies_s([*trace, '{"stamp": 50.04, "le']) == pytest.approx([0.015, np.inf])
    assert latencies_s(lines([0, 0], [0.0, 1.0])) == []


def test_leaps_without_an_answer_are_counted_and_none_at_all_is_an_error() -> None:
    seen = figures([0.1, 0.2, np.inf])
    assert (seen["leaps"], seen["answered"], seen["glass_to_joint_ms_p50"]) == (3, 2, 150.0)
    with pytest.raises(GraphError, match="2 leaps"):
        figures([np.inf, np.inf])


def test_the_reflex_stands_until_enough_pixels_changed_and_then_rises(observation: Observation) -> None:
    def rise_m(policy: ReflexPolicy, seen: Observation) -> float:
        return float(policy.infer(seen).actions[:, HAND[SIDES[0]]][:, TRANSLATION][:, 2].sum())

    policy = ReflexPolicy()
    assert rise_m(policy, observation) == pytest.approx(0.0, abs=1e-9)
    image = observation.image.copy()
    image.reshape(-1, 3)[: CHANGED_PIXELS - 1] += CHANGED_LEVELS
    assert rise_m(policy, replace(observation, image=image)) == pytest.approx(0.0, abs=1e-9)
    image.reshape(-1, 3)[CHANGED_PIXELS - 1] += CHANGED_LEVELS
    assert rise_m(policy, replace(observation, image=image)) == pytest.approx(RAISE_M)
    policy.reset()
    assert rise_m(policy, replace(observation, image=image)) == pytest.approx(0.0, abs=1e-9)


def test_a_path_at_the_wrists_place_is_no_motion_and_the_fingers_stay(observation: Observation) -> None:
    still = {side: np.repeat(pose[None], 16, axis=0) for side, pose in wrists_in_base(observation).items()}
    actions = actions_along(observation, still)
    np.testing.assert_allclose(actions[:, HAND[SIDES[1]]][:, :6], 0.0, atol=1e-9)
    np.testing.assert_allclose(actions[3, 6:51], observation.state[6:51])
