import pytest

from vitra_description.names import Side
from vitra_policy.errors import UnknownNameError
from vitra_sim.scene.objects import Kind
from vitra_sim.tasks.tasks import DEFAULT_TASK, TASKS, get_task


def test_every_kind_of_object_has_a_task_for_each_hand():
    kinds = set(Kind) - {Kind.MARBLE}  # is poured
    assert {(task.kind, task.side) for task in TASKS.values()} == {(kind, side) for kind in kinds for side in Side}


def test_the_instruction_names_both_hands():
    assert get_task(DEFAULT_TASK).instruction == "Left hand: None. Right hand: Put the red cube into the box."
    left = get_task("place_mug_in_box_left").instruction
    assert left == "Left hand: Put the yellow mug into the box. Right hand: None."
    pour = get_task("pour_balls_into_box").instruction
    assert pour == "Left hand: None. Right hand: Pour the balls from the purple cup into the box."


def test_an_unknown_task_is_answered_with_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean 'place_cube_in_box'"):
        get_task("place_cube_in_bx")
