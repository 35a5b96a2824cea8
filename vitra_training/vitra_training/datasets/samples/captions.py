"""Words of captions: sides mirrored with the image, colours that forbid hue changes, which caption holds when."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from vitra_training.datasets.episode import TextWindow

_PAIRS = (
    ("left", "right"),
    ("leftmost", "rightmost"),
    ("leftward", "rightward"),
    ("leftwards", "rightwards"),
    ("clockwise", "counterclockwise"),
)
_MIRRORED = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])} | {
    "anticlockwise": "clockwise",
    "counter-clockwise": "clockwise",
    "anti-clockwise": "clockwise",
}
_SIDE_WORDS = re.compile(rf"\b({'|'.join(_MIRRORED)})\b", re.IGNORECASE)
_COLOURS = (
    "red|orange|yellow|green|blue|purple|violet|pink|brown|black|white|gr[ea]y|beige|cyan|magenta|turquoise|teal|"
    "maroon|navy|gold|golden|silver|tan|indigo|crimson|olive|lime|ivory|colou?r(ed)?|reddish|bluish|greenish|yellowish"
)
_COLOUR_WORDS = re.compile(rf"\b({_COLOURS})\b", re.IGNORECASE)


def mirror_words(text: str) -> str:
    """The caption of the mirrored image: whole words that name a side or a turn are swapped, case kept."""
    return _SIDE_WORDS.sub(lambda match: _like(match.group(), _MIRRORED[match.group().lower()]), text)


def names_colour(text: str) -> bool:
    """Whether a caption tells things apart by colour."""
    return _COLOUR_WORDS.search(text) is not None


def window_at(windows: Sequence[TextWindow], frame: int) -> TextWindow | None:
    """The caption window that holds at a frame, the latest started when several do."""
    holding = [window for window in windows if window.covers(frame) and window.caption.strip()]
    return max(holding, key=lambda window: window.start) if holding else None


def pick_wording(window: TextWindow, rng: np.random.Generator) -> str:
    """The caption or one of its rephrases, each as likely."""
    variants = [text.strip() for text in window.variants if text.strip()]
    return variants[int(rng.integers(len(variants)))]


def _like(model: str, word: str) -> str:
    if model.isupper():
        return word.upper()
    return word.capitalize() if model[0].isupper() else word
