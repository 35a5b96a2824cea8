"""The one rule of intrinsics."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from vitra_policy.pinhole import SKEW_MAX, is_pinhole
from vitra_policy.policies.policy import InvalidObservationError, make_example_observation

K = np.array([[600.0, 0.0, 320.0], [0.0, 610.0, 240.0], [0.0, 0.0, 1.0]])


def with_entry(row: int, column: int, value: float) -> np.ndarray:
    changed = K.copy()
    changed[row, column] = value
    return changed


@pytest.mark.parametrize("skew_px", [0.0, 0.59, -0.59])
def test_a_pinhole_camera_may_have_hardly_any_skew(skew_px: float) -> None:
    assert is_pinhole(with_entry(0, 1, skew_px))


@pytest.mark.parametrize(
    "intrinsics",
    [with_entry(0, 1, 0.61), with_entry(0, 1, -0.61), with_entry(1, 0, 1e-3), with_entry(2, 2, 1.001), K.T,
     with_entry(0, 1, np.nan)],
)  # fmt: skip
def test_what_has_another_form_is_no_pinhole_camera(intrinsics: np.ndarray) -> None:
    assert not is_pinhole(intrinsics)


def test_an_observation_is_held_to_the_same_skew_as_a_data_set() -> None:
    seen = make_example_observation(height=48, width=64)
    for share, taken in ((0.9 * SKEW_MAX, True), (1.1 * SKEW_MAX, False)):
        intrinsics = seen.intrinsics.copy()
        intrinsics[0, 1] = share * intrinsics[0, 0]
        if taken:
            dataclasses.replace(seen, intrinsics=intrinsics)
        else:
            with pytest.raises(InvalidObservationError, match="with a skew of at most 0.001 of fx"):
                dataclasses.replace(seen, intrinsics=intrinsics)
