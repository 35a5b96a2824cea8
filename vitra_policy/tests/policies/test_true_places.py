"""A learned policy that is told where things are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitra_policy.action_space import HAND, Hands
from vitra_policy.benchmarks.random_network import example_statistics, random_network
from vitra_policy.checkpoint.store import About, Provenance, save_model
from vitra_policy.model.config import VisionConfig, preset
from vitra_policy.places import ASKED_AT, NUMBERS, TURN, Target, pieces_left, places_of
from vitra_policy.policies.policy import SIM_OBJECT_NAMES, SIM_OBJECT_POSES, make_example_observation
from vitra_policy.policies.registry import PolicyOptionError, create_policy
from vitra_policy.policies.true_places import TruePlaces

SMALL = replace(
    preset("mini-lite0"),
    vision=VisionConfig(kind="efficientnet_lite0", image_size=96, image_height=64, patch_size=16),
)
SEEN = make_example_observation(hands=Hands(right=True))


def saved(folder: Path, **training: object) -> Path:
    made = Provenance("a test", training={"step_s": 1 / 15} | training)
    return save_model(folder, random_network(SMALL), about=About(statistics=example_statistics(), provenance=made))


def test_a_turn_counts_modulo_the_symmetry_of_the_object() -> None:
    def turn(kind: str, yaw_rad: float) -> np.ndarray:
        origin = np.zeros((1, 3))
        return places_of(Target("place_it", kind, origin, np.array([yaw_rad]), np.zeros(3)), np.zeros(3), origin)[
            0, TURN
        ]

    assert turn("cube", 0.3) == pytest.approx(turn("cube", 0.3 + np.pi / 2), abs=1e-6)
    assert turn("mug", 0.3) == pytest.approx(turn("mug", 0.3 + np.pi), abs=1e-6)
    assert turn("mug", 0.3) != pytest.approx(turn("mug", 0.3 + np.pi / 2), abs=0.1)
    assert not turn("can", 0.3).any()


@pytest.mark.parametrize(
    ("task", "number"), [("place_red_cube_in_box", 0), ("hold_red_pan", 1), ("pick_up_hammer", 1), ("pour_x", 2)]
)
def test_what_is_asked_for_is_one_of_the_numbers(task: str, number: int) -> None:
    origin = np.zeros((1, 3))
    asked = places_of(Target(task, "can", origin, np.zeros(1), np.zeros(3)), np.zeros(3), origin)[0, ASKED_AT]
    assert asked.tolist() == [float(i == number) for i in range(4)]


def test_pieces_that_are_left_count_as_one_place_and_as_the_box_once_all_are_there() -> None:
    names, box_half_m = ["purple_cup", "ball_1", "ball_2", "red_ball", "box"], np.array([0.1, 0.1, 0.03])
    poses = np.tile(np.eye(4), (3, 5, 1, 1))
    poses[:, 4, :3, 3] = 0.5, 0.0, 0.03
    poses[:, 1, :3, 3] = (0.4, -0.3, 0.02), (0.4, -0.3, 0.02), (0.5, 0.0, 0.01)
    poses[:, 2, :3, 3] = (0.44, -0.2, 0.02), (0.5, 0.0, 0.02), (0.5, 0.05, 0.01)
    left = pieces_left(names, poses, box_half_m)
    assert left is not None
    assert left == pytest.approx(np.array([(0.42, -0.3, 0.02), (0.4, -0.3, 0.02), (0.5, 0.0, 0.03)]))
    assert pieces_left(["red_ball", "box"], poses[:, :2], box_half_m) is None


def test_the_object_is_told_as_seen_from_the_acting_hand() -> None:
    told = TruePlaces(np.zeros(NUMBERS), np.ones(NUMBERS))(SEEN)
    wrist = SEEN.state[HAND["right"]][:3]
    assert told[6:9] == pytest.approx(told[:3] - wrist, abs=1e-6)


def test_a_policy_that_is_told_does_not_look(tmp_path: Path) -> None:
    folder = saved(tmp_path / "one", places_mean=[0.0] * NUMBERS, places_std=[1.0] * NUMBERS)
    options = {"checkpoint": str(folder), "steps": "2", "seed": "1", "places": "true"}
    policy = create_policy("learned", options)
    assert SIM_OBJECT_NAMES in policy.metadata.needs_extras
    policy.load()  # type: ignore[attr-defined]
    assert SEEN.image is not None
    blank = replace(SEEN, image=np.zeros_like(SEEN.image))
    poses = np.array(SEEN.extras[SIM_OBJECT_POSES])
    poses[0, 0, 3] += 0.1
    moved = replace(SEEN, extras={**SEEN.extras, SIM_OBJECT_POSES: poses})
    first, unseen, elsewhere = (policy.infer(o).actions for o in (SEEN, blank, moved))
    assert np.array_equal(first, unseen)
    assert not np.array_equal(first, elsewhere)


def test_a_checkpoint_that_does_not_say_how_it_counts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyOptionError, match="train it anew"):
        create_policy("learned", {"checkpoint": str(saved(tmp_path / "one")), "places": "true"})


def test_places_are_seen_or_true(tmp_path: Path) -> None:
    with pytest.raises(PolicyOptionError, match="seen or true"):
        create_policy("learned", {"checkpoint": str(saved(tmp_path / "one")), "places": "maybe"})
