import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_policy.action_space import SIDES
from vitra_policy.errors import UnknownNameError
from vitra_safety.reachability import ReachDemands, check_reachability
from vitra_sim.expert.grasp import Grasp, base_from_wrist, preferred_yaw_rad
from vitra_sim.scene.families import REACH_ZONE, Split, combinations, family_layout, get_family, namings
from vitra_sim.scene.family_scenes import TOOL_ZONE
from vitra_sim.scene.objects import COMMON_KINDS, RARE_KINDS
from vitra_sim.scene.table import TABLE_HEIGHT_M, for_side
from vitra_sim.scene.world import World
from vitra_sim.tasks.tasks import SHOWN_KINDS, UNSHOWN_KINDS, Goal, get_task


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


@pytest.mark.parametrize("goal", Goal)
def test_each_goal_has_seen_and_unseen_colours_of_its_kinds_and_kinds_of_its_own(goal):
    seen, unseen, rare = (set(combinations(split, goal)) for split in Split)
    assert not seen & unseen
    assert {kind for kind, _ in seen} == {kind for kind, _ in unseen} == set(SHOWN_KINDS[goal])
    assert {kind for kind, _ in rare} == set(UNSHOWN_KINDS[goal])
    assert not set(SHOWN_KINDS[goal]) & set(UNSHOWN_KINDS[goal])


@pytest.mark.parametrize("name", ["pour_left@seen", "sweep@unseen_object", "grasp@seen"])
def test_the_target_comes_first_then_the_pieces_then_the_others(name):
    for seed in range(10):
        layout = family_layout(name, seed)
        pieces = [o.spec.name for o in layout.objects[1 : 1 + layout.pieces]]
        assert layout.target.spec.name == layout.task.target
        assert pieces == [one.spec.name for one in layout.judged] or name == "grasp@seen"
        assert len(layout.objects) == 1 + layout.pieces + layout.task.distractors


def test_only_scenes_with_two_objects_to_name_have_a_second_name():
    assert namings("grasp@seen") == ("grasp@seen", "grasp@seen#1")
    assert namings("pour@seen") == ("pour@seen",)
    assert namings("place_can_in_box") == ("place_can_in_box",)
    with pytest.raises(UnknownNameError, match="pour@seen"):
        get_family("pour@seen#1")


def test_an_open_hand_fits_around_either_handle():
    for seed in range(30):
        objects = family_layout("grasp@unseen_category", seed).objects
        for tool in objects[:2]:
            for other in objects:
                assert other is tool or other.distance_m(tool.position_m[:2]) > 0.11
                assert other is tool or other.gap_m(tool) > 0.0


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


@pytest.mark.parametrize(
    "name", [
        "place@seen", "place_left@unseen_object#1", "place@unseen_category", "grasp_left@unseen_category#1",
        "grasp@seen", "pour@unseen_category", "pour_left@seen", "sweep@unseen_object", "sweep_left@unseen_category",
    ],
)  # fmt: skip
def test_a_world_is_made_again_from_its_name_and_seed(name):
    world = World(name, 5)
    assert world.layout.name == name
    assert world.layout == World(world.layout.name, world.layout.seed).layout
    assert get_task(world.task.name).target == world.task.target


def test_an_unknown_family_is_refused_with_those_that_exist():
    with pytest.raises(UnknownNameError, match="place@unseen_category"):
        get_family("place@unseeen")


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("anywhere", "width_m", "turn_deg"), [(REACH_ZONE, 0.06, 45.0), (TOOL_ZONE, 0.028, 35.0)])
def test_every_grasp_of_the_zones_is_reachable(side, anywhere, width_m, turn_deg):
    calibration, zone = default_calibration(), for_side(anywhere, side)
    grasp = Grasp(side, np.zeros(3), 0.0, width_m)
    poses = [
        base_from_wrist(calibration, grasp, np.array([x, y, TABLE_HEIGHT_M + height]), yaw)
        for x in zone.x_m
        for y in zone.y_m
        for height in (0.03, 0.20)
        for yaw in preferred_yaw_rad(side, y) + np.deg2rad([-turn_deg, 0.0, turn_deg])
    ]
    report = check_reachability(side, calibration, poses, demands=ReachDemands(restarts=5))
    assert report.all_reached, str(report)
