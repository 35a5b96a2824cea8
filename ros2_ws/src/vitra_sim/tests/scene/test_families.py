import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_description.reachability import ReachDemands, check_reachability
from vitra_policy.action_space import SIDES
from vitra_policy.errors import UnknownNameError
from vitra_sim.expert.grasp import Grasp, base_from_wrist, preferred_yaw_rad
from vitra_sim.scene.families import REACH_ZONE, Split, combinations, family_layout, get_family
from vitra_sim.scene.objects import COMMON_KINDS, RARE_KINDS
from vitra_sim.scene.table import TABLE_HEIGHT_M, for_side
from vitra_sim.scene.world import World
from vitra_sim.tasks.tasks import get_task


def test_the_same_seed_gives_the_same_scene_and_another_seed_another_one():
    assert family_layout("place@seen", 3) == family_layout("place@seen", 3)
    assert family_layout("place@seen", 3) != family_layout("place@seen", 4)


def test_the_other_object_of_a_scene_is_asked_for_in_the_same_scene():
    for seed in range(10):
        one, other = family_layout("place@seen", seed), family_layout("place@seen#1", seed)
        assert one.objects[0] == other.objects[1]
        assert one.objects[1] == other.objects[0]
        assert one.objects[2:] == other.objects[2:]
        assert one.look == other.look
        assert one.task.target != other.task.target


def test_unseen_objects_and_categories_are_never_asked_for_in_seen_scenes():
    seen, unseen, rare = (set(combinations(split)) for split in Split)
    assert not seen & unseen
    assert not seen & rare
    assert {kind for kind, _ in seen} == set(COMMON_KINDS) == {kind for kind, _ in unseen}
    assert {kind for kind, _ in rare} == set(RARE_KINDS)
    for seed in range(20):
        layout = family_layout("place@seen", seed)
        assert all((o.spec.kind, o.spec.name.split("_")[0]) in seen for o in layout.objects)


def test_unseen_scenes_have_looks_that_seen_scenes_never_have():
    seen = {family_layout("place@seen", seed).look.table for seed in range(30)}
    unseen = {family_layout("place@unseen_object", seed).look.table for seed in range(30)}
    assert not seen & unseen


def test_the_instruction_names_the_first_object_and_words_vary():
    layouts = [family_layout("place_left@seen", seed) for seed in range(30)]
    for layout in layouts:
        assert layout.target.spec.name == layout.task.target
        assert layout.task.target.replace("_", " ") in layout.task.instruction
        assert layout.task.instruction.endswith("Right hand: None.")
    assert len({layout.task.wording for layout in layouts}) > 3


@pytest.mark.parametrize("name", ["place@seen", "place_left@unseen_object#1", "place@unseen_category"])
def test_a_world_is_made_again_from_its_name_and_seed(name):
    world = World(name, 5)
    assert world.layout.name == name
    assert world.layout == World(world.layout.name, world.layout.seed).layout
    assert get_task(world.task.name).target == world.task.target


def test_an_unknown_family_is_refused_with_those_that_exist():
    with pytest.raises(UnknownNameError, match="place@unseen_category"):
        get_family("place@unseeen")


@pytest.mark.parametrize("side", SIDES)
def test_every_grasp_of_the_reach_zone_is_reachable(side):
    calibration, zone = default_calibration(), for_side(REACH_ZONE, side)
    grasp = Grasp(side, np.zeros(3), 0.0, 0.06)
    poses = [
        base_from_wrist(calibration, grasp, np.array([x, y, TABLE_HEIGHT_M + height]), yaw)
        for x in zone.x_m
        for y in zone.y_m
        for height in (0.03, 0.20)
        for yaw in preferred_yaw_rad(side, y) + np.deg2rad([-45.0, 0.0, 45.0])
    ]
    report = check_reachability(side, calibration, poses, demands=ReachDemands(restarts=5))
    assert report.all_reached, str(report)
