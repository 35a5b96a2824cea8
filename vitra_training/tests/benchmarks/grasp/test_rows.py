"""What a policy is told, and the rows that need none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vitra_policy.action_space import Side
from vitra_policy.policies.registry import PolicyOptionError
from vitra_training.benchmarks.grasp.metric import chunk_distance_m, nearest_m, path_of
from vitra_training.benchmarks.grasp.rows import (
    INITIAL,
    ORACLE,
    Case,
    go_straight,
    instruction_of,
    observation_of,
    parse_policy,
    rows_of,
    shuffle_captions,
    stay,
)


@pytest.mark.parametrize("count", range(2, 12))
def test_no_object_keeps_its_own_caption(count: int) -> None:
    captions = [(f"o{n}", f"caption {n}") for n in range(count)]
    for seed in range(20):
        shuffled = shuffle_captions(captions, np.random.default_rng(seed))
        assert sorted(shuffled.values()) == sorted(words for _, words in captions)
        assert all(shuffled[name] != words for name, words in captions)


def test_an_object_alone_has_no_other_caption() -> None:
    assert shuffle_captions([("a", "cup")], np.random.default_rng(0)) == {}


def test_the_instruction_is_the_papers() -> None:
    assert instruction_of(Side.RIGHT, "red cup") == "Left hand: None. Right hand: Pick up the red cup."
    assert instruction_of(Side.LEFT, "red cup") == "Left hand: Pick up the red cup. Right hand: None."


def test_a_policy_sees_the_hand_and_the_camera(case: Case, scene: object) -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    seen = observation_of(case, image, "red box")
    np.testing.assert_array_equal(seen.state, case.start.state)
    np.testing.assert_array_equal(seen.hands, [False, True])
    np.testing.assert_array_equal(seen.state_valid, [False, True])
    np.testing.assert_allclose(seen.fov_rad, [2 * np.arctan(0.8), 2 * np.arctan(0.6)])
    np.testing.assert_array_equal(seen.intrinsics, case.camera.matrix)


def test_a_hand_that_stays_is_as_far_as_it_was(case: Case) -> None:
    path = path_of(stay(case), case.start.state, case.start.side)
    assert chunk_distance_m(path, case.points_m) == pytest.approx(0.2, abs=1e-6)
    np.testing.assert_allclose(path.keypoints_m[-1], case.start.keypoints_m)


def test_the_oracle_touches_and_goes_straight(case: Case) -> None:
    path = path_of(go_straight(case), case.start.state, case.start.side)
    assert chunk_distance_m(path, case.points_m) == pytest.approx(0.0, abs=1e-9)
    distances = [nearest_m(points, case.points_m) for points in path.keypoints_m]
    np.testing.assert_allclose(distances, np.linspace(0.2, 0, 17), atol=1e-6)


def test_rows_stand_around_the_policies_and_have_folders_of_their_own() -> None:
    rows = rows_of([parse_policy("learned:checkpoint=a,seed=1"), parse_policy("learned:checkpoint=b")])
    assert [row.name for row in rows] == [
        INITIAL, "learned", "learned, shuffled captions", "learned (2)", "learned (2), shuffled captions", ORACLE,
    ]  # fmt: skip
    assert len({row.folder for row in rows}) == len(rows)


def test_a_policy_is_read_with_its_options() -> None:
    assert parse_policy("remote:host=a,port=8000").options == (("host", "a"), ("port", "8000"))
    assert parse_policy("vitra").options == ()
    with pytest.raises(PolicyOptionError, match="key=value"):
        parse_policy("vitra:checkpoint")


def test_the_left_hand_is_asked_where_it_acts(case: Case) -> None:
    left = replace(case, start=replace(case.start, side=Side.LEFT))
    seen = observation_of(left, np.zeros((240, 320, 3), np.uint8), "red box")
    np.testing.assert_array_equal(seen.hands, [True, False])
