"""Dataset statistics: normalising, absent hands, XHand data, mixtures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vitra_policy.action_space import Hands, join_hands, split_hands
from vitra_policy.hand.xhand_map import hand_from_xhand_vector, mano_from_xhand, xhand_vector_from_hand
from vitra_policy.statistics import (
    AbsentHandError,
    HandKind,
    HandStatistics,
    Moments,
    Statistics,
    StatisticsError,
    mix,
)

DRAW = np.random.default_rng(0)


def moments(width: int, seed: int = 0) -> Moments:
    draw = np.random.default_rng(seed)
    return Moments(draw.normal(size=width), draw.uniform(0.5, 2, size=width))


def human(*sides: str) -> Statistics:
    return Statistics("human", {s: HandStatistics(moments(61, 1), moments(51, 2)) for s in sides})  # type: ignore[misc]


def robot(*sides: str) -> Statistics:
    return Statistics("robot", {s: HandStatistics(moments(18, 3), moments(18, 4)) for s in sides})  # type: ignore[misc]


def test_actions_survive_the_round_trip() -> None:
    action = DRAW.normal(size=(16, 102))
    statistics = human("left", "right")
    back = statistics.denormalise_action(statistics.normalise_action(action), Hands(True, True))
    np.testing.assert_allclose(back, action, atol=1e-12)


def test_normalising_follows_the_published_formula() -> None:
    statistics, state = human("left", "right"), DRAW.normal(size=122)
    right = statistics.hands["right"].state
    want = (state[61:112] - right.mean[:51]) / (right.std[:51] + 1e-7)
    np.testing.assert_allclose(split_hands(statistics.normalise_state(state))["right"], want)


def test_a_state_with_and_without_betas_gives_the_same_numbers() -> None:
    statistics, with_betas = human("left", "right"), DRAW.normal(size=122)
    without = join_hands(with_betas[:51], with_betas[61:112])
    np.testing.assert_array_equal(statistics.normalise_state(with_betas), statistics.normalise_state(without))


def test_an_absent_hand_is_refused_by_name() -> None:
    statistics = human("right")
    action = DRAW.normal(size=(16, 192))
    assert not statistics.denormalise_action(action, Hands(right=True))[:, :51].any()
    with pytest.raises(AbsentHandError, match="no left hand"):
        statistics.denormalise_action(action, Hands(left=True, right=True))


def test_the_placeholder_of_the_reference_counts_as_absent() -> None:
    values = human("right").to_dict()
    for what, width in (("state", 61), ("action", 51)):
        values[f"{what}_left"] = {"mean": [1e-4] * width, "std": [1e-4] * width}
    assert Statistics.from_dict(values).present == ("right",)


def test_xhand_statistics_are_per_robot_joint() -> None:
    """A robot value x becomes sign * (x - mean) / std in its MANO slot, not (sign * x - mean) / std."""
    statistics, joints = robot("right"), DRAW.normal(size=18)
    action = join_hands(None, hand_from_xhand_vector(joints))
    normal = statistics.normalise_action(action)
    right = statistics.hands["right"].action
    want = (joints - right.mean) / (right.std + 1e-7)
    np.testing.assert_allclose(xhand_vector_from_hand(normal[51:]), want)
    np.testing.assert_allclose(normal[51 + 43], -want[7])
    np.testing.assert_allclose(statistics.denormalise_action(normal, Hands(right=True)), action, atol=1e-12)
    assert statistics.kind is HandKind.XHAND


def test_unmapped_fingers_stay_zero_for_xhand_data() -> None:
    normal = robot("right").normalise_state(np.ones(102))
    used = mano_from_xhand(np.ones(12)) != 0
    assert not normal[51 + 6 :][~used].any()


def test_files_keep_every_digit(tmp_path: Path) -> None:
    statistics = human("left", "right")
    statistics.save(tmp_path / "s.json")
    loaded = Statistics.load(tmp_path / "s.json")
    np.testing.assert_array_equal(loaded.hands["left"].state.std, statistics.hands["left"].state.std)
    assert loaded.dataset == "human"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[1]", "expected an object"),
        ("{", "Cannot read"),
        (json.dumps({"action_left": {"mean": [0], "std": [1]}}), "needs state"),
        (json.dumps({f"{w}_left": {"mean": [0.0] * 7, "std": [1.0] * 7} for w in ("state", "action")}), "expected 51"),
        (json.dumps({f"{w}_left": {"mean": 0.0, "std": 1.0} for w in ("state", "action")}), "expected 51"),
        (json.dumps({f"{w}_left": {"mean": [0.0] * 18, "std": [np.nan] * 18} for w in ("state", "action")}), "finite"),
        (json.dumps({f"{w}_left": {"mean": [0.0] * 18, "std": [-1.0] * 18} for w in ("state", "action")}), "negative"),
    ],
)
def test_a_bad_file_is_refused_with_its_name(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(StatisticsError, match=complaint) as caught:
        Statistics.load(tmp_path / "bad.json")
    assert "bad.json" in str(caught.value)


def test_moments_use_valid_rows_and_population_deviation() -> None:
    samples = np.array([[1.0], [3.0], [100.0]])
    computed = Moments.of(samples, [True, True, False])
    assert computed.mean == 2
    assert computed.std == 1
    with pytest.raises(StatisticsError, match="No valid"):
        Moments.of(samples, [False] * 3)


def test_a_mixture_averages_means_and_deviations_over_those_who_show_the_hand() -> None:
    parts = [human("left", "right"), human("right")]
    parts[1].hands["right"].action.mean[:] = 10
    mixed = mix(parts, [1.0, 3.0], "mix")
    np.testing.assert_allclose(mixed.hands["right"].action.mean, 0.25 * parts[0].hands["right"].action.mean + 7.5)
    np.testing.assert_allclose(mixed.hands["left"].action.mean, parts[0].hands["left"].action.mean)
