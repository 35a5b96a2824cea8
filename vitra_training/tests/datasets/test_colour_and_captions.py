from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from vitra_training.datasets.episode import TextWindow
from vitra_training.datasets.samples.captions import mirror_words, names_colour, pick_wording, window_at
from vitra_training.datasets.samples.colour import ColourOptions, jitter, rgb_from_yuv, sample_colour


def apply(matrix: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    return np.asarray(matrix[:, :3] @ rgb + matrix[:, 3])


def by_the_description(image: np.ndarray, brightness: float, contrast: float, saturation: float, hue: float) -> Any:
    """The jitter as the facts describe it, image by image in floating point: brightness is added, contrast is about
    mid grey, both clipped; saturation and hue act on 8-bit HSV."""
    grey = np.clip(image.astype(np.float32) / 255 + np.float32(brightness), 0, 1)
    grey = np.clip((grey - np.float32(0.5)) * np.float32(contrast) + np.float32(0.5), 0, 1)
    hsv = cv2.cvtColor((grey * 255).astype(np.uint8), cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 1] = np.clip(hsv[..., 1] * np.float32(saturation), 0, 255)
    hsv[..., 0] = (hsv[..., 0] + np.float32(hue * 180)) % 180
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)


def test_the_jitter_is_the_reference_s_to_the_byte() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        image = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        factors = sample_colour(rng, ColourOptions(probability=1.0), False)
        assert factors is not None
        expected = by_the_description(image, *map(float, factors)).astype(int)
        assert np.abs(jitter(image, factors).astype(int) - expected).max() <= 1
        assert (jitter(image, factors) == expected).mean() > 0.99


def test_brightness_is_added_and_contrast_is_about_mid_grey() -> None:
    grey = np.full((4, 4, 3), 100, dtype=np.uint8)
    assert jitter(grey, np.array([0.2, 1, 1, 0])).mean() == pytest.approx(151, abs=1)
    assert jitter(grey, np.array([0, 0.5, 1, 0])).mean() == pytest.approx(113, abs=1)
    assert jitter(grey, np.array([0.9, 1, 1, 0])).max() == 255


def test_hue_is_that_of_hsv() -> None:
    red = np.zeros((4, 4, 3), dtype=np.uint8)
    red[..., 0] = 255
    assert jitter(red, np.array([0, 1, 1, 1 / 3]))[0, 0].tolist() == pytest.approx([0, 255, 0], abs=1)
    assert jitter(red, np.array([0, 1, 0, 0]))[0, 0].tolist() == pytest.approx([255, 255, 255], abs=1)


@pytest.mark.parametrize("word", ["olive", "Lime", "ivory", "bluish", "teal"])
def test_rare_colours_are_colours(word: str) -> None:
    assert names_colour(f"Take the {word} cloth.")
    assert not names_colour(f"Take the {word}ade.")


@pytest.mark.parametrize(("yuv", "rgb"), [((16, 128, 128), (0, 0, 0)), ((235, 128, 128), (255, 255, 255))])
def test_limited_range_black_and_white(yuv: tuple[int, ...], rgb: tuple[int, ...]) -> None:
    for space in (1, 2, 5):
        assert apply(rgb_from_yuv(space, False), np.array(yuv)) == pytest.approx(rgb, abs=1e-6)


def test_red_in_both_standards() -> None:
    assert apply(rgb_from_yuv(5, False), np.array([81.48, 90.20, 240])) == pytest.approx([255, 0, 0], abs=1.5)
    assert apply(rgb_from_yuv(1, False), np.array([62.56, 102.34, 240])) == pytest.approx([255, 0, 0], abs=1.5)


def test_captions_that_name_colours_keep_their_hues() -> None:
    draws = [sample_colour(np.random.default_rng(n), ColourOptions(), True) for n in range(300)]
    hues = [draw[3] for draw in draws if draw is not None]
    assert 0.03 < max(np.abs(hues)) <= 0.04
    assert 0.7 < len(hues) / 300 < 0.9
    free = [sample_colour(np.random.default_rng(n), ColourOptions(), False) for n in range(300)]
    assert max(abs(draw[3]) for draw in free if draw is not None) > 0.2


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("Pick up the left cup.", "Pick up the right cup."),
        ("Move it Right, then LEFT.", "Move it Left, then RIGHT."),
        ("Put the bright copyright upright leftover", "Put the bright copyright upright leftover"),
        ("the left-hand drawer", "the right-hand drawer"),
        ("Turn the knob clockwise", "Turn the knob counterclockwise"),
        ("the rightmost of the left ones", "the leftmost of the right ones"),
    ],
)
def test_whole_words_that_name_sides_are_mirrored(text: str, mirrored: str) -> None:
    assert mirror_words(text) == mirrored
    assert mirror_words(mirrored) == text


@pytest.mark.parametrize("text", ["the red cup", "Grey cloth", "a yellowish stain", "coloured pens"])
def test_colours_are_noticed(text: str) -> None:
    assert names_colour(text)


@pytest.mark.parametrize("text", ["the cup", "a scared cat", "blackberry jam", "reduce the heat"])
def test_words_that_contain_colours_are_not_colours(text: str) -> None:
    assert not names_colour(text)


def test_the_window_of_a_frame_is_end_exclusive() -> None:
    windows = (TextWindow("a", 0, 5), TextWindow("b", 5, 9), TextWindow("absent", 0, 0), TextWindow(" ", 9, 12))
    assert [window.caption if (window := window_at(windows, n)) else None for n in (0, 4, 5, 8, 9)] == [
        "a",
        "a",
        "b",
        "b",
        None,
    ]


def test_caption_and_rephrases_are_equally_likely() -> None:
    window = TextWindow("a", 0, 5, ("b", " c ", ""))
    rng = np.random.default_rng(0)
    picked = [pick_wording(window, rng) for _ in range(3000)]
    assert {word: round(picked.count(word) / 3000, 1) for word in "abc"} == {"a": 0.3, "b": 0.3, "c": 0.3}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_windows_that_overlap_the_latest_started_holds(order: tuple[int, int]) -> None:
    windows = (TextWindow("wide", 0, 20), TextWindow("late", 5, 20))
    assert window_at([windows[i] for i in order], 7) is windows[1]
    assert window_at([windows[i] for i in order], 4) is windows[0]
