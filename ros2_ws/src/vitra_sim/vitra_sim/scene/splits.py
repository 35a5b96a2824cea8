"""What of a scene the training data shows: seen and unseen combinations of kind and colour."""

from __future__ import annotations

import zlib
from enum import StrEnum

from vitra_sim.scene.objects import COLOURS, Kind
from vitra_sim.tasks.tasks import SHOWN_KINDS, UNSHOWN_KINDS, Goal


class Split(StrEnum):
    """What of a scene the training data shows."""

    SEEN = "seen"
    UNSEEN_OBJECT = "unseen_object"
    UNSEEN_CATEGORY = "unseen_category"


def held_out(kind: Kind, colour: str) -> bool:
    """Whether a combination of kind and colour is kept for the unseen objects: about one in four."""
    return zlib.crc32(f"{colour} {kind}".encode()) % 4 == 0


def combinations(split: Split, goal: Goal = Goal.IN_BOX) -> list[tuple[Kind, str]]:
    """Kinds and colours that a split may ask for.

    Args:
        split: What of them training shows.
        goal: What is done with them.
    """
    if split is Split.UNSEEN_CATEGORY:
        return [(kind, colour) for kind in UNSHOWN_KINDS[goal] for colour in COLOURS]
    wanted = split is Split.UNSEEN_OBJECT
    return [(kind, colour) for kind in SHOWN_KINDS[goal] for colour in COLOURS if held_out(kind, colour) is wanted]
