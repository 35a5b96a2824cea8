import pytest

from vitra_policy.action_space import Side
from vitra_policy.errors import UnknownNameError
from vitra_sim.scene.objects import PLACEABLE_KINDS, Kind
from vitra_sim.tasks.tasks import (
    DEFAULT_TASK,
    PIECES,
    SHOWN_KINDS,
    TASKS,
    UNSHOWN_KINDS,
    WORDINGS,
    Goal,
    coloured_task,
    get_task,
)


def test_every_kind_of_object_has_a_task_for_each_hand():
    unshown = {kind for kinds in UNSHOWN_KINDS.values() for kind in kinds}
    kinds = set(Kind) - {Kind.MARBLE, Kind.JUG, *unshown}  # what is poured, and what only families show
    assert {(task.kind, task.side) for task in TASKS.values()} == {(kind, side) for kind in kinds for side in Side}


@pytest.mark.parametrize("kind", PLACEABLE_KINDS)
def test_what_is_put_into_the_box_may_have_any_colour(kind):
    task = get_task(f"place_pink_{kind}_in_box_left")
    assert (task.kind, task.colour, task.side, task.target) == (kind, "pink", Side.LEFT, f"pink_{kind}")
    with pytest.raises(UnknownNameError):
        get_task(f"place_plaid_{kind}_in_box")


@pytest.mark.parametrize("goal", Goal)
def test_a_task_with_an_object_of_any_colour_is_found_by_its_name(goal):
    for side in Side:
        for kind in SHOWN_KINDS[goal] + UNSHOWN_KINDS[goal]:
            task = coloured_task(goal, kind, "pink", side)
            assert get_task(task.name) == task


@pytest.mark.parametrize("name", ["hold_red_cup", "pour_plaid_cup", "sweep_red_brush_in_box", "place_red_pan_in_box"])
def test_a_task_that_makes_no_sense_is_unknown(name):
    with pytest.raises(UnknownNameError):
        get_task(name)


def test_every_wording_names_the_target():
    assert all("{target}" in words for wordings in WORDINGS.values() for words in wordings)


def test_what_is_poured_and_swept_has_a_name_of_its_own():
    assert PIECES == {Goal.POURED: "ball", Goal.SWEPT: "cube"}


def test_the_instruction_names_both_hands():
    assert get_task(DEFAULT_TASK).instruction == "Left hand: None. Right hand: Put the red cube into the box."
    left = get_task("place_mug_in_box_left").instruction
    assert left == "Left hand: Put the yellow mug into the box. Right hand: None."
    pour = get_task("pour_balls_into_box").instruction
    assert pour == "Left hand: None. Right hand: Pour the balls from the purple cup into the box."


def test_an_unknown_task_is_answered_with_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean 'place_cube_in_box'"):
        get_task("place_cube_in_bx")
