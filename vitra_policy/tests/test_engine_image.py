"""Resizing on the device gives PIL's picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vitra_policy.image import pixel_values
from vitra_policy.inference.engine_image import DeviceResizer, resize_matrix

GREY_LEVEL = 2 / 255


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (100, 130), (224, 224), (224, 300), (31, 50)])
@pytest.mark.parametrize("square", [224, 112])
def test_the_device_resizer_equals_the_parity_preprocessing(size: tuple[int, int], square: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    exact = pixel_values(image, square)
    found = DeviceResizer(square, torch.device("cpu"))(torch.from_numpy(image))[0].numpy()
    difference = np.abs(found - exact)
    assert difference.max() < 1.01 * GREY_LEVEL
    assert (difference > 0.5 * GREY_LEVEL).mean() < 1e-3


def test_every_output_pixel_is_a_weighted_mean() -> None:
    matrix = resize_matrix(50, 7, lambda x: np.ones_like(x), 1.0)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
