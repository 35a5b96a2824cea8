import pytest

from vitra_inference.instructions import complete_instruction
from vitra_policy.prompt import InstructionError


def test_free_text_goes_to_the_only_arm():
    prompt, hands = complete_instruction("  Put the cube\n into the box ", ["right"])
    assert prompt == "Left hand: None. Right hand: Put the cube into the box."
    assert (hands.left, hands.right) == (False, True)
    assert complete_instruction("Wave", ["left"])[0] == "Left hand: Wave. Right hand: None."


def test_a_full_prompt_is_kept():
    text = "Left hand: Hold the cup. Right hand: Pour."
    prompt, hands = complete_instruction(text, ["left", "right"])
    assert prompt == text
    assert (hands.left, hands.right) == (True, True)


@pytest.mark.parametrize(
    ("text", "sides", "says"),
    [
        ("", ["right"], "empty"),
        ("Wave", ["left", "right"], "which hand"),
        ("Left hand: Wave. Right hand: None.", ["right"], "left arm"),
        ("Left hand: None. Right hand: None.", ["right"], "idle"),
        ("Right hand: Wave. Left hand: None.", ["right"], "form"),
        ("Left hand: Nothing. Right hand: Wave.", ["left", "right"], "neither an action nor"),
        ("Left hand: none of it. Right hand: Wave.", ["left", "right"], "neither an action nor"),
        ("Left hand: do nothing Right hand: Wave.", ["left", "right"], "neither an action nor"),
        ("Left hand: 7 Right hand: Wave.", ["left", "right"], "neither an action nor"),
    ],
)
def test_an_instruction_nobody_can_follow_is_refused(text, sides, says):
    with pytest.raises(InstructionError, match=says):
        complete_instruction(text, sides)


@pytest.mark.parametrize("idle", ["None.", "none.", "NONE", "None", " none . ", "", "-"])
def test_an_idle_hand_may_be_written_in_any_case_and_stays_idle(idle):
    prompt, hands = complete_instruction(f"left hand: {idle} right hand: Wave.", ["left", "right"])
    assert prompt == "Left hand: None. Right hand: Wave."
    assert (hands.left, hands.right) == (False, True)
