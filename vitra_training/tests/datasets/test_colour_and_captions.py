from __future__ import annotations

import numpy as np
import pytest

from vitra_training.datasets.episode import TextWindow
from vitra_training.datasets.samples.captions import mirror_words, names_colour, pick_wording, window_at
from vitra_training.datasets.samples.colour import ColourOptions, after, colour_matrix, rgb_from_yuv, sample_colour

GREY = np.array([0.299, 0.587, 0.114])


def apply(matrix: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    return np.asarray(matrix[:, :3] @ rgb + matrix[:, 3])


def test_neutral_factors_change_nothing() -> None:
    assert colour_matrix(np.array([1.0, 1, 1, 0]), 90) == pytest.approx(np.eye(3, 4), abs=1e-5)


def test_each_factor_does_what_it_says() -> None:
    colour = np.array([200.0, 80, 30])
    assert apply(colour_matrix(np.array([1.2, 1, 1, 0]), 90), colour) == pytest.approx(1.2 * colour, rel=1e-4)
    assert apply(colour_matrix(np.array([1, 0.5, 1, 0]), 90), np.full(3, 90.0)) == pytest.approx(np.full(3, 90.0))
    assert apply(colour_matrix(np.array([1, 1, 0.0, 0]), 90), colour) == pytest.approx(np.full(3, GREY @ colour))
    turned = apply(colour_matrix(np.array([1, 1, 1, 0.3]), 90), colour)
    assert GREY @ turned == pytest.approx(GREY @ colour, rel=1e-3)
    assert np.argmax(turned) != 0


def test_a_whole_turn_of_hue_is_no_turn() -> None:
    assert colour_matrix(np.array([1, 1, 1, 1.0]), 0) == pytest.approx(np.eye(3, 4), abs=1e-4)


@pytest.mark.parametrize(("yuv", "rgb"), [((16, 128, 128), (0, 0, 0)), ((235, 128, 128), (255, 255, 255))])
def test_limited_range_black_and_white(yuv: tuple[int, ...], rgb: tuple[int, ...]) -> None:
    for space in (1, 2, 5):
        assert apply(rgb_from_yuv(space, False), np.array(yuv)) == pytest.approx(rgb, abs=1e-6)


def test_red_in_both_standards() -> None:
    assert apply(rgb_from_yuv(5, False), np.array([81.48, 90.20, 240])) == pytest.approx([255, 0, 0], abs=1.5)
    assert apply(rgb_from_yuv(1, False), np.array([62.56, 102.34, 240])) == pytest.approx([255, 0, 0], abs=1.5)


def test_maps_are_applied_in_order() -> None:
    first, second = rgb_from_yuv(5, False), colour_matrix(np.array([1.1, 0.8, 1.3, 0.1]), 100)
    yuv = np.array([120.0, 90, 150])
    assert apply(after(second, first), yuv) == pytest.approx(apply(second, apply(first, yuv)))


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
