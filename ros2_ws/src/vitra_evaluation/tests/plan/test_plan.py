from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from vitra_evaluation.errors import PlanError
from vitra_evaluation.plan.file import parse_plan, read_plan
from vitra_evaluation.plan.plan import Condition, Plan, Robot
from vitra_evaluation.plan.scene import check_scene
from vitra_policy.policies.registry import create_policy

PLANS = Path(__file__).resolve().parents[2] / "plans"
POLICIES = ("expert", "perturbed_expert", "vitra", "remote")
SMALL_PLAN = (Path(__file__).parents[1] / "data/small.yaml").read_text()


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(PlanError) as caught:
        parse_plan(text, POLICIES, "my.yaml")
    return caught.value.problems


def test_a_good_plan_is_read(small_plan: Plan) -> None:
    assert small_plan.robot is Robot.SIM
    assert small_plan.trials == 6
    assert small_plan.longest_s == 150
    assert small_plan.instruction("place", "red_cube") == "Left hand: None. Right hand: Put the red cube into the box."
    assert [small_plan.cells[0].setting(i)[1] for i in range(3)] == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("task: place,", "task: plce,", 17, "unknown task 'plce'. Did you mean 'place'?"),
        ("trials: 3", "trials: 0", 17, "trials must be more than 0, got 0"),
        ("trials: 3", "trials: many", 17, "trials must be int"),
        ("[red_cube]", "[blue_cube]", 17, "unknown object 'blue_cube'. Did you mean 'red_cube'?"),
        ("[a, b]", "[a, z]", 17, "unknown layout 'z'"),
        ("condition: seen", "condition: sen", 17, "unknown condition 'sen'. Did you mean 'seen'?"),
        ("policy: expert}", "policy: exprt}", 7, "unknown policy 'exprt'. Did you mean 'expert'?"),
        (", sim_task: place_cube_in_box", "", 10, "lacks 'sim_task'"),
        ("time_limit_s: 20", "time_limit: 20", 4, "Did you mean 'time_limit_s'?"),
        ("time_limit_s: 20", "time_limit_s: -1", 4, "must be more than 0"),
        ("time_limit_s: 20", "time_limit_s: .inf", 4, "must be a finite number, got inf"),
        ("time_limit_s: 20", "time_limit_s: .nan", 4, "must be a finite number, got nan"),
        ("time_limit_s: 20", "time_limit_s: 3601", 4, "must be at most 3600"),
        ("trials: 3", "trials: 10000000000", 17, "trials must be at most 10000"),
        ("trials: 3", "trials: 1" + "0" * 400, 17, "trials must be at most 10000"),
        ("seed: 3", "seed: 1" + "0" * 400, 3, "seed must be at most"),
        ("reset_s: 5", "reset_s: 1.0e+300", 5, "reset_s must be at most 3600"),
        ("time_limit_s: 20", "time_limit_s: 1" + "0" * 400, 4, "must be a finite number"),
        ("time_limit_s: 20", "time_limit_s: 2020-99-99", 4, "time_limit_s must be float"),
        ("time_limit_s: 20", "time_limit_s: !!timestamp x", 4, "time_limit_s must be float"),
        ("{object}", "{object}" + " gently" * 100, 17, "characters; policies take 500"),
        ("robot: sim", "robot: moon", 2, "unknown robot 'moon'"),
        ("  b: {seed: 2}", "  a: {seed: 2}", 13, "'a' is given twice in layouts"),
        ("{object}", "{thing}", 15, "may only hold {object}"),
        ("name: small", "name: [", 3, "not YAML"),
        ("name: small", 'name: "a \\ud800"', 1, "has half a character in it"),
        ('policy: perturbed_expert, options: {noise_m: "0.05"}', "policy: expert", 8, "is the same as 'one'"),
    ],
)
def test_a_mistake_is_reported_with_its_line(old: str, new: str, line: int, reason: str) -> None:
    assert old in SMALL_PLAN
    found = problems(SMALL_PLAN.replace(old, new))
    assert any(at == line and reason in text for at, text in found), found


def test_a_plan_that_is_too_deep_to_read_is_refused() -> None:
    assert problems("[\n" * 50_000) == [(1, "not a plan: brackets within brackets, too deep to read")]


VALUES = (
    "null", "true", "-1", "1.5", ".nan", "-.inf", "1" + "0" * 400, "1e400", "''", "x", "[]", "{}", "[[1]]", "{a: 1}",
    "2020-99-99", "2020-01-01", "!!python/object:os.system x", "&a 5", "*b", "!!binary x", "!!set {a}", "!!int x",
    "!!float x", "!!timestamp x", "1:99:99", "9" * 5000,
)  # fmt: skip


def places(value: object, above: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inside:
        yield (*above, key)
        yield from places(below, (*above, key))


def test_any_value_in_any_place_is_taken_or_refused_with_its_line() -> None:
    for path in places(yaml.safe_load(SMALL_PLAN)):
        document = at = yaml.safe_load(SMALL_PLAN)
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = "PUT HERE"
        text = yaml.safe_dump(document, sort_keys=False)
        for value in VALUES:
            with contextlib.suppress(PlanError):  # refused; any other error is a traceback
                assert parse_plan(text.replace("PUT HERE", value), POLICIES).longest_s < 1e9, (path, value)


def test_duplicate_cells_are_refused() -> None:
    found = problems(SMALL_PLAN + SMALL_PLAN.splitlines()[-1] + "\n")
    assert found == [(18, "cell 'place / seen' is there already, on line 17")]


def test_all_mistakes_are_reported_at_once_in_one_message() -> None:
    text = SMALL_PLAN.replace("trials: 3", "trials: 0").replace("[a, b]", "[c]").replace("seed: 3", "seed: -3")
    with pytest.raises(PlanError, match="3 mistakes; nothing was started") as caught:
        parse_plan(text, POLICIES, "my.yaml")
    assert "my.yaml:3: seed must not be negative" in str(caught.value)


def test_sequential_stopping_needs_two_policies() -> None:
    assert parse_plan(SMALL_PLAN + "sequential: {alpha: 0.01}\n", POLICIES).sequential is not None
    one = SMALL_PLAN.replace('  two: {policy: perturbed_expert, options: {noise_m: "0.05"}}\n', "")
    assert "compares two policies" in problems(one + "sequential: {}\n")[0][1]
    assert "between 0 and 0.5" in problems(SMALL_PLAN + "sequential: {alpha: 2}\n")[0][1]


def test_an_empty_or_missing_file_is_a_plan_error(tmp_path: Path) -> None:
    assert problems("") == [(1, "the file is empty")]
    with pytest.raises(PlanError, match="cannot be read"):
        read_plan(tmp_path / "none.yaml", POLICIES)


@pytest.mark.parametrize("name", ["table2_sim", "table2_real"])
def test_the_shipped_plans_have_the_papers_trials_per_cell(name: str) -> None:
    plan = read_plan(PLANS / f"{name}.yaml", POLICIES)
    counts = {(c.task, c.condition): c.trials for c in plan.cells}
    assert counts == {
        ("pick_and_place", Condition.SEEN): 40,
        ("functional_grasp", Condition.SEEN): 24,
        ("pour", Condition.SEEN): 8,
        ("sweep", Condition.SEEN): 8,
        ("pick_and_place", Condition.UNSEEN_OBJECT_BACKGROUND): 16,
        ("functional_grasp", Condition.UNSEEN_OBJECT_BACKGROUND): 16,
        ("pour", Condition.UNSEEN_OBJECT_BACKGROUND): 8,
        ("pick_and_place", Condition.UNSEEN_CATEGORY): 24,
    }


@pytest.mark.parametrize(
    ("name", "baselines"),
    [("table2_real", {"pi0", "vpp"}), ("baselines_sim", {"pi0", "vpp", "being-h0"})],
)
def test_the_papers_baselines_are_ready_by_mapping_and_have_a_page(
    name: str, baselines: set[str], repo_root: Path
) -> None:
    plan = read_plan(PLANS / f"{name}.yaml", POLICIES)
    remote = {policy.name: dict(policy.options) for policy in plan.policies if policy.policy == "remote"}
    assert remote.keys() == baselines
    assert len({options["port"] for options in remote.values()}) == len(remote), "each server has its own port"
    for policy, options in remote.items():
        assert create_policy("remote", options).metadata.policy_id == options["mapping"]
        page = (repo_root / "docs/neighbours" / f"{policy.replace('-', '_')}.md").read_text()
        assert f"port={options['port']},mapping={options['mapping']}" in page
        assert name in page


@pytest.mark.parametrize("name", ["demo", "baselines_sim", "table2_real"])
def test_the_shipped_plans_are_within_reach(name: str) -> None:
    check_scene(read_plan(PLANS / f"{name}.yaml", POLICIES), name)


def test_an_unreachable_layout_is_refused_with_its_line() -> None:
    text = (
        (PLANS / "table2_real.yaml").read_text().replace("point_m: [0.36, -0.10, 0.82]", "point_m: [1.9, -0.10, 0.82]")
    )
    with pytest.raises(PlanError, match=r"layout 'near_left': out of reach: the right arm") as caught:
        check_scene(parse_plan(text, POLICIES), "real.yaml")
    first = next(i for i, line in enumerate(text.splitlines(), 1) if line.startswith("  - {task: pick_and_place"))
    assert caught.value.problems[0][0] == first


def test_an_unknown_simulator_task_or_the_wrong_hand_is_refused() -> None:
    unknown = parse_plan(SMALL_PLAN.replace("place_cube_in_box", "place_cub_in_box"), POLICIES)
    with pytest.raises(PlanError, match="Did you mean 'place_cube_in_box'"):
        check_scene(unknown, "p")
    left = parse_plan(SMALL_PLAN.replace("place_cube_in_box", "place_cube_in_box_left"), POLICIES)
    with pytest.raises(PlanError, match="is for the left hand"):
        check_scene(left, "p")
