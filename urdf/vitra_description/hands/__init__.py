"""Robot hands by name, one folder each; other packages add theirs with an entry point (docs/how_to/add_a_hand.md)."""

from __future__ import annotations

import functools

from vitra_description.hand_description import HandDescription
from vitra_policy.extension_point import ExtensionPoint

DEFAULT_HAND = "xhand1"

HANDS = ExtensionPoint(
    "hand",
    "vitra_description.hands",
    {
        "sixdof": "vitra_description.hands.sixdof:SIXDOF",
        "xhand1": "vitra_description.hands.xhand1:XHAND1",
    },
)


@functools.cache
def hand_description(name: str = DEFAULT_HAND) -> HandDescription:
    """The description of a hand.

    Raises:
        UnknownNameError: no such hand; the message lists them.
        ExtensionError: it cannot be imported.
    """
    description: HandDescription = HANDS.load(name, HandDescription)
    return description
