"""Numbers that say where things are."""

import numpy as np
import pytest

from vitra_policy.places import ASKED, ASKED_AT, GEOMETRY, NUMBERS, TURN, Target, is_piece, pieces_left, places_of

BOX_HALF_M = np.array([0.1, 0.1, 0.05])


def poses(*at_m: tuple[float, float, float]) -> np.ndarray:
    stacked = np.tile(np.eye(4), (len(at_m), 1, 1))
    stacked[:, :3, 3] = at_m
    return stacked


@pytest.mark.parametrize(("name", "answer"), [("ball_1", True), ("cube_12", True), ("red_cube", False), ("box", False)])
def test_pieces_are_told_from_other_objects_by_their_names(name: str, answer: bool) -> None:
    assert is_piece(name) is answer


def test_a_scene_without_pieces_has_none_left() -> None:
    assert pieces_left(["red_cube", "box"], poses((0, 0, 0), (1, 0, 0)), BOX_HALF_M) is None


def test_what_is_left_is_between_the_outermost_and_at_the_one_furthest_from_the_box() -> None:
    names = ["blue_brush", "cube_1", "cube_2", "cube_3", "box"]
    left = pieces_left(
        names, poses((0, 0, 0), (0.4, -0.3, 0), (0.6, -0.5, 0), (0.5, 0.0, 0), (0.5, 0.0, 0)), BOX_HALF_M
    )
    assert left == pytest.approx([0.5, -0.5, 0.0])


def test_a_piece_above_the_box_is_not_in_it() -> None:
    names = ["cup", "ball_1", "box"]
    assert pieces_left(names, poses((0, 0, 0), (0.5, 0, 0.2), (0.5, 0, 0)), BOX_HALF_M) == pytest.approx([0.5, 0, 0.2])


def test_once_all_are_done_it_is_the_box() -> None:
    names = ["cup", "ball_1", "box"]
    assert pieces_left(names, poses((0, 0, 0), (0.55, 0, 0), (0.5, 0, 0)), BOX_HALF_M) == pytest.approx([0.5, 0, 0])


def numbers(task: str, kind: str, yaw_rad: float = 0.0) -> np.ndarray:
    target = Target(task, kind, np.array([[0.1, 0.2, 0.3]]), np.array([yaw_rad]), np.full(3, 0.02))
    return places_of(target, np.array([0.5, 0.0, 0.0]), np.array([[0.1, 0.2, 0.0]]))[0]


@pytest.mark.parametrize(
    ("task", "asked"),
    [
        ("place_red_cube_in_box", "place"),
        ("hold_red_jug_left", "hold"),
        ("pick_up_hammer", "hold"),
        ("pour_balls_into_box", "pour"),
        ("sweep_cubes_onto_mat", "sweep"),
    ],
)
def test_what_is_asked_is_one_of_the_numbers(task: str, asked: str) -> None:
    assert numbers(task, "cube")[ASKED_AT].tolist() == [float(one == asked) for one in ASKED]


def test_an_object_that_is_taken_the_same_way_after_a_part_of_a_turn_has_the_same_numbers() -> None:
    for kind, same_rad in (("cube", np.pi / 2), ("mug", np.pi), ("ball", 0.7)):
        assert numbers("place_x", kind, 0.3) == pytest.approx(numbers("place_x", kind, 0.3 + same_rad), abs=1e-6)
    assert not np.allclose(numbers("place_x", "mug", 0.3), numbers("place_x", "mug", 0.3 + np.pi / 2))


def test_where_nothing_is_poured_the_pieces_are_the_container() -> None:
    one = numbers("place_x", "cube")
    assert len(one) == NUMBERS
    places = dict(zip(GEOMETRY, one[: TURN.start].reshape(-1, 3), strict=True))
    assert places["pieces"] == pytest.approx([0.5, 0.0, 0.0])
    assert places["hand_to_target"] == pytest.approx([0.0, 0.0, 0.3])
