"""Instructions: one sentence per hand, and back to which hands they name."""

from __future__ import annotations

import re

from vitra_policy.action_space import Hands
from vitra_policy.errors import VitraError

IDLE = "None."
_PATTERN = re.compile(r"\s*Left hand:\s*(?P<left>.*?)\s*Right hand:\s*(?P<right>.*?)\s*", re.DOTALL | re.IGNORECASE)
_UNCLEAR = re.compile(
    r"none\b.+|(nothing|idle|nil|null|n/?a|no|not used|unused|stay|wait|hold still|keep still|stay still|do nothing|"
    r"do(n't| not) move|no action|tbd|todo|\?+)",
    re.IGNORECASE | re.DOTALL,
)
"""Words that may mean an idle hand and may not: whoever lets a hand move must not guess."""


class InstructionError(VitraError):
    """An instruction that does not have the form the policy was trained on."""


def format_instruction(left: str | None = None, right: str | None = None) -> str:
    """Write the policy's instruction.

    For example ``Left hand: None. Right hand: Pick up the cup.``

    Args:
        left: What the left hand does; None or empty when idle.
        right: The same for the right hand.

    Raises:
        InstructionError: Both hands are idle.
    """
    if not (left and left.strip()) and not (right and right.strip()):
        raise InstructionError("Both hands are idle; say what at least one of them does.")
    return f"Left hand: {_sentence(left)} Right hand: {_sentence(right)}"


def split_instruction(instruction: str) -> tuple[str | None, str | None]:
    """What the left and the right hand do; None for an idle one. Inverse of :func:`format_instruction`.

    Raises:
        InstructionError: The text is not of the form ``Left hand: ... Right hand: ...``.
    """
    match = _PATTERN.fullmatch(instruction)
    if match is None:
        raise InstructionError(
            f"Instruction {instruction!r} is not of the form 'Left hand: ... Right hand: ...' "
            f"(an idle hand is '{IDLE}'). Write for example '{format_instruction(None, 'Pick up the cup.')}'"
        )
    left, right = (None if _bare(text) in {"none", ""} else text for text in match.group("left", "right"))
    return left, right


def hands_of(instruction: str) -> Hands:
    """The hands an instruction gives something to do, and which therefore may move.

    Raises:
        InstructionError: The text is not of the form ``Left hand: ... Right hand: ...``, or it does not say clearly
            whether a hand is idle.
    """
    tasks = dict(zip(("left", "right"), split_instruction(instruction), strict=True))
    for side, task in tasks.items():
        if task is not None and (_UNCLEAR.fullmatch(_bare(task)) or not any(c.isalpha() for c in task)):
            raise InstructionError(
                f"'{task}' for the {side} hand is neither an action nor '{IDLE}'. Write '{side.title()} hand: {IDLE}' "
                "for a hand that must not move."
            )
    return Hands(left=tasks["left"] is not None, right=tasks["right"] is not None)


def _bare(text: str) -> str:
    return text.strip(" \t\n.,;!-").casefold()


def _sentence(text: str | None) -> str:
    text = (text or "").strip()
    if not text:
        return IDLE
    return text if text.endswith(".") else text + "."
