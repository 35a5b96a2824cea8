"""What people type, made into the prompt the policy was trained on."""

from __future__ import annotations

from collections.abc import Collection

from vitra_policy.action_space import SIDES, Hands, Side
from vitra_policy.prompt import InstructionError, format_instruction, hands_of, split_instruction


def complete_instruction(text: str, sides: Collection[Side]) -> tuple[str, Hands]:
    """Prompt and active hands of an instruction.

    Args:
        text: a full prompt ("Left hand: ... Right hand: ..."), or free text if the robot has one arm.
        sides: the arms the robot has.

    Raises:
        InstructionError: empty, for a hand the robot does not have, or free text with two arms.
    """
    text = " ".join(text.split())
    if not text:
        raise InstructionError("The instruction is empty. Set one, e.g. 'Right hand: Put the cube into the box.'")
    prompt = text
    if "hand:" not in text.lower():
        if len(sides) != 1:
            raise InstructionError(
                f"Say which hand does what: 'Left hand: {text}. Right hand: None.' (the robot has both arms)."
            )
        prompt = format_instruction(**{next(iter(sides)): text})
    hands = hands_of(prompt)
    if not hands.active:
        raise InstructionError(f"'{prompt}' leaves both hands idle; say what at least one of them does.")
    for side in SIDES:
        if hands[side] and side not in sides:
            raise InstructionError(f"'{prompt}' needs the {side} arm, but the robot has only: {', '.join(sides)}.")
    # In the very words of training: an idle hand is 'None.', however it was typed.
    return format_instruction(*split_instruction(prompt)), hands
