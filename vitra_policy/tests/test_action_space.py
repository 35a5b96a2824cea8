"""The layout of action and state vectors."""

from __future__ import annotations

import numpy as np
import pytest

from vitra_policy import action_space as space
from vitra_policy.action_space import SIDES, Hands, ShapeMismatchError, Side, sides_of


def test_left_comes_first_and_padding_is_zero() -> None:
    vector = space.join_hands(np.full(51, 1.0), np.full(51, 2.0))
    padded = space.pad_action(vector)
    assert padded.shape == (192,)
    assert (padded[:51] == 1).all()
    assert (padded[51:102] == 2).all()
    assert not padded[102:].any()
    np.testing.assert_array_equal(space.unpad_action(padded), vector)
    np.testing.assert_array_equal(space.split_hands(padded)["right"], np.full(51, 2.0))


def test_an_absent_hand_is_zeros() -> None:
    vector = space.join_hands(None, np.ones((16, 51)))
    assert vector.shape == (16, 102)
    assert not vector[:, :51].any()


def test_hand_shape_betas_are_dropped_from_a_human_state() -> None:
    human = np.concatenate([np.full(51, 1.0), np.full(10, 9.0), np.full(51, 2.0), np.full(10, 9.0)])
    padded = space.pad_state(human)
    assert padded.shape == (212,)
    np.testing.assert_array_equal(padded[:102], space.join_hands(np.full(51, 1.0), np.full(51, 2.0)))
    assert not padded[102:].any()


@pytest.mark.parametrize(("hands", "count"), [(Hands(True, False), 51), (Hands(True, True), 102), (Hands(), 0)])
def test_masks_cover_the_active_hands_only(hands: Hands, count: int) -> None:
    assert space.state_mask(hands).sum() == count
    mask = space.action_mask(hands, valid_steps=5)
    assert mask.shape == (16, 192)
    assert (mask[:5].sum(axis=1) == count).all()
    assert not mask[5:].any()


def test_masked_dimensions_of_a_hand_are_left_out_on_both_sides() -> None:
    dims = np.zeros(51, bool)
    dims[:6] = True
    mask = space.state_mask(Hands(True, True), dims)
    assert np.flatnonzero(mask).tolist() == [*range(6), *range(51, 57)]


@pytest.mark.parametrize("function", [space.pad_action, space.unpad_action, space.pad_state, space.split_hands])
def test_a_wrong_width_is_refused_with_the_expected_one(function: object) -> None:
    with pytest.raises(ShapeMismatchError, match="expected"):
        function(np.zeros(50))  # type: ignore[operator]


def test_the_parameter_arms_names_one_side_or_both() -> None:
    assert sides_of("both") == SIDES
    assert sides_of("left") == (Side.LEFT,)
    with pytest.raises(ValueError, match="neither"):
        sides_of("neither")
