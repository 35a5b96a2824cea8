"""Every resizer gives PIL's image, to a grey level or exactly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from vitra_policy.engine.image import DeviceResizer, QuickResizer, choose_resizer, resize_matrix
from vitra_policy.image import pixel_values
from vitra_policy.model.config import VisionConfig

CPU = torch.device("cpu")
GREY_LEVEL = 2 / 255


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (100, 130), (224, 224), (224, 300), (31, 50)])
@pytest.mark.parametrize("square", [224, 112])
def test_resizers_equal_the_parity_preprocessing_to_a_grey_level(size: tuple[int, int], square: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    exact = pixel_values(image, square)
    resizers: list[tuple[Callable[[torch.Tensor], torch.Tensor], float]] = [(DeviceResizer(square, CPU), 1e-3)]
    if QuickResizer.available():
        resizers.append((QuickResizer(square), 0.05))
    for resizer, share in resizers:
        found = resizer(torch.from_numpy(image))
        assert found.shape == (1, 3, square, square)
        difference = np.abs(found[0].numpy() - exact)
        assert difference.max() < (1.01 if share < 0.01 else 2.01) * GREY_LEVEL
        assert (difference > 0.5 * GREY_LEVEL).mean() < share


def test_the_exact_resizer_is_chosen_for_exact_numbers() -> None:
    image = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    found = choose_resizer(VisionConfig(image_size=112), CPU, exact=True)(torch.from_numpy(image))
    np.testing.assert_array_equal(found[0].numpy(), pixel_values(image, 112))


def test_a_pytorch_without_lanczos_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def old(*_: object, **__: object) -> None:
        raise NotImplementedError("mode lanczos")

    monkeypatch.setattr(torch.nn.functional, "interpolate", old)
    assert isinstance(choose_resizer(VisionConfig(image_size=112), CPU, exact=False), DeviceResizer)


def test_every_output_pixel_is_a_weighted_mean() -> None:
    matrix = resize_matrix(50, 7, lambda x: np.ones_like(x), 1.0)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
