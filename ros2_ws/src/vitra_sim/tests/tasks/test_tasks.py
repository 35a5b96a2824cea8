import pytest

from vitra_policy.action_space import Side
from vitra_policy.errors import UnknownNameError
from vitra_sim.scene.objects import PLACEABLE_KINDS, RARE_KINDS, Kind
from vitra_sim.tasks.tasks import DEFAULT_TASK, TASKS, get_task


def test_every_kind_of_object_has_a_task_for_each_hand():
    kinds = set(Kind) - {Kind.MARBLE, *RARE_KINDS}  # is poured; and what only unseen scenes show
    assert {(task.kind, task.side) for task in TASKS.values()} == {(kind, side) for kind in kinds for side in Side}


@pytest.mark.parametrize("kind", PLACEABLE_KINDS)
def test_what_is_put_into_the_box_may_have_any_colour(kind):
    task = get_task(f"place_pink_{kind}_in_box_left")
    assert (task.kind, task.colour, task.side, task.target) == (kind, "pink", Side.LEFT, f"pink_{kind}")
    with pytest.raises(UnknownNameError):
        get_task(f"place_plaid_{kind}_in_box")


def test_the_instruction_names_both_hands():
    assert get_task(DEFAULT_TASK).instruction == "Left hand: None. Right hand: Put the red cube into the box."
    left = get_task("place_mug_in_box_left").instruction
    assert left == "Left hand: Put the yellow mug into the box. Right hand: None."
    pour = get_task("pour_balls_into_box").instruction
    assert pour == "Left hand: None. Right hand: Pour the balls from the purple cup into the box."


def test_an_unknown_task_is_answered_with_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean 'place_cube_in_box'"):
        get_task("place_cube_in_bx")
