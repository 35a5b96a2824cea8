"""Whether the words of an episode name a hand that takes part."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from vitra_policy.action_space import SIDES, Side
from vitra_policy.prompt import InstructionError, hands_of
from vitra_training.datasets.findings import Finding, Level


def words_for_hands(said: str, has: Mapping[Side, bool], moved: Collection[Side]) -> Iterator[Finding]:
    """Words for hands that are not there, or that stand while another one moves.

    Args:
        said: The instruction.
        has: Whether a hand is recorded with its arm.
        moved: Sides whose arm or hand moves.
    """
    if "hand:" not in said.lower():
        return  # free words: whatever hand takes part
    try:
        hands = hands_of(said)
    except InstructionError as error:
        yield Finding(Level.WARNING, "instruction", str(error))
        return
    named = [side for side in SIDES if hands[side]]
    absent = [side for side in named if not has[side]]
    if not named:
        yield Finding(Level.ERROR, "instruction", f"'{said}' leaves both hands idle")
    elif absent:
        what = f"'{said}' is for the {absent[0]} hand, which is not recorded with its arm"
        yield Finding(Level.ERROR, "instruction", what)
    elif moved and not set(moved) & set(named):
        yield Finding(Level.ERROR, "instruction", f"'{said}', but only the {min(moved)} arm or hand moves")
