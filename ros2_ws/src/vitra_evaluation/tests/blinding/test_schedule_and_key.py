from __future__ import annotations

import dataclasses
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from vitra_evaluation.blinding import blinding_key as seal
from vitra_evaluation.errors import SealError, SessionError, SessionHeldError
from vitra_evaluation.plan.file import parse_plan, read_plan
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.plan.schedule import Schedule, draw_schedule, swapped
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.verification import verify
from vitra_policy.errors import VitraError

PLANS = Path(__file__).resolve().parents[2] / "plans"
POLICIES = ("expert", "perturbed_expert", "vitra", "remote")


def test_every_policy_meets_the_same_setting_back_to_back(small_plan: Plan) -> None:
    schedule, names = draw_schedule(small_plan, "s")
    assert len(schedule.slots) == small_plan.trials
    for first, second in zip(schedule.slots[::2], schedule.slots[1::2], strict=True):
        assert (first.block, first.cell, first.thing, first.layout) == (
            second.block,
            second.cell,
            second.thing,
            second.layout,
        )
        assert {names[first.alias], names[second.alias]} == {"one", "two"}


def test_every_cell_gets_its_trials_for_every_policy() -> None:
    plan = read_plan(PLANS / "table2_sim.yaml", POLICIES)
    schedule, names = draw_schedule(plan, "s")
    counts = Counter((slot.cell, names[slot.alias]) for slot in schedule.slots)
    assert counts == {(i, p.name): c.trials for i, c in enumerate(plan.cells) for p in plan.policies}


def test_the_order_follows_the_seed_and_the_aliases_follow_the_secret(small_plan: Plan) -> None:
    def order(plan: Plan, secret: str) -> list[tuple[int, str]]:
        return [(slot.trial, slot.layout) for slot in draw_schedule(plan, secret)[0].slots]

    assert order(small_plan, "s") == order(small_plan, "t")
    other = dataclasses.replace(small_plan, seed=4)
    assert order(other, "s") != order(small_plan, "s")
    names = [draw_schedule(small_plan, str(i))[1] for i in range(20)]
    assert len({tuple(sorted(n.items())) for n in names}) > 4
    assert draw_schedule(small_plan, "s") == draw_schedule(small_plan, "s")


def test_an_alias_means_another_policy_in_another_block() -> None:
    plan = read_plan(PLANS / "table2_sim.yaml", POLICIES)
    names = draw_schedule(plan, "s")[1]
    assert {name for alias, name in names.items() if alias.endswith("A")} == {"expert", "clumsy"}


def test_the_schedule_survives_its_file_and_its_hash_notices_an_edit(small_plan: Plan) -> None:
    schedule, _ = seal.draw(small_plan, "s")
    assert Schedule.from_json(schedule.to_json()) == schedule
    edited = dataclasses.replace(schedule, slots=schedule.slots[::-1])
    assert edited.sha256 != schedule.sha256


def test_open_files_do_not_tell_who_is_who(small_plan: Plan, tmp_path: Path) -> None:
    Session.create(tmp_path / "s", small_plan).close()
    schedule = (tmp_path / "s/schedule.json").read_text()
    for word in ("one", "two", "expert"):
        assert f'"{word}' not in schedule
    database = b"".join(p.read_bytes() for p in (tmp_path / "s").glob("session.sqlite*"))
    assert b"perturbed" not in database
    assert (tmp_path / "s/sealed.json").stat().st_mode & 0o777 == 0o600


def test_a_new_session_has_a_new_secret(small_plan: Plan, tmp_path: Path) -> None:
    secrets = set()
    for i in range(2):
        Session.create(tmp_path / str(i), small_plan).close()
        secrets.add(seal.open_blinding_key(tmp_path / str(i)).secret)
    assert len(secrets) == 2


@pytest.mark.parametrize("victim", ["plan.yaml", "schedule.json", "sealed.json"])
def test_an_edited_session_is_refused(small_plan: Plan, tmp_path: Path, victim: str) -> None:
    Session.create(tmp_path, small_plan).close()
    path = tmp_path / victim
    if victim == "plan.yaml":
        path.write_text(path.read_text().replace("trials: 3", "trials: 4"))
    elif victim == "schedule.json":
        body = json.loads(path.read_text())
        body["slots"][0]["layout"] = "b" if body["slots"][0]["layout"] == "a" else "a"
        path.write_text(json.dumps(body, sort_keys=True, indent=1) + "\n")
    else:
        body = json.loads(path.read_text())
        body["names"] = dict.fromkeys(body["names"], "one")
        path.write_text(json.dumps(body))
    with pytest.raises(SessionError, match="was changed after it was locked"):
        Session.load(tmp_path)


def test_a_copied_seal_is_readable_reported_and_closed_again(small_plan: Plan, tmp_path: Path) -> None:
    Session.create(tmp_path / "s", small_plan).close()
    shutil.copytree(tmp_path / "s", tmp_path / "copy")
    (tmp_path / "copy/sealed.json").chmod(0o644)  # as after a copy by way of a memory stick
    assert "can be read by others (mode 644" in verify(tmp_path / "copy").notes[0]
    session = Session.load(tmp_path / "copy")
    session.hold()
    assert (tmp_path / "copy/sealed.json").stat().st_mode & 0o777 == 0o600
    assert session.problems() == []
    session.close()


def test_a_session_is_sealed_once_and_never_overwritten(small_plan: Plan, tmp_path: Path) -> None:
    session = Session.create(tmp_path, small_plan)
    with pytest.raises(SessionError, match="holds a session already"):
        Session.create(tmp_path, small_plan)
    with pytest.raises(SealError, match="sealed once"):
        seal.write_blinding_key(tmp_path, seal.open_blinding_key(tmp_path))
    session.close()


def test_only_one_program_runs_a_session(small_plan: Plan, tmp_path: Path) -> None:
    first, second = Session.create(tmp_path, small_plan), Session.load(tmp_path)
    with pytest.raises(SessionHeldError, match="Another vitra-eval"):
        second.hold()
    with pytest.raises(SessionHeldError, match="has not taken the session in hand"):
        second.store.event("meddled", "from another terminal")
    first.close()
    second.hold()
    second.close()


def test_there_is_no_session_in_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no session"):
        Session.load(tmp_path)


@pytest.mark.parametrize("policies", [1, 2, 3, 5])
def test_every_policy_has_every_place_equally_often_in_each_cell_and_over_all(policies: int) -> None:
    text = (PLANS / "table2_sim.yaml").read_text()
    more = "".join(f'  p{i}: {{policy: perturbed_expert, options: {{noise_m: "0.{i}"}}}}\n' for i in range(policies))
    start, end = text.index("  expert: {policy"), text.index("objects:\n")
    plan = parse_plan((text[:start] + more + text[end:]).replace("trials: 8}", "trials: 7}"), POLICIES)
    for secret in "abc":
        schedule, names = draw_schedule(plan, secret)
        places = Counter((names[s.alias], s.alias[-1]) for s in schedule.slots)
        assert max(places.values()) - min(places.values()) <= 1
        for cell in range(len(plan.cells)):
            mine = Counter((names[s.alias], s.alias[-1]) for s in schedule.slots if s.cell == cell)
            assert max(mine.values()) - min(mine.values()) <= (
                1 if policies < 4 else 2
            )  # left-over rows of two squares
        assert max(swapped(schedule, names).values()) - min(swapped(schedule, names).values()) <= 1


def test_no_two_simulated_blocks_have_the_same_start_state() -> None:
    plan = read_plan(PLANS / "table2_sim.yaml", POLICIES)
    schedule, _ = draw_schedule(plan, "s")
    starts = {(s.thing, s.seed) for s in schedule.slots}
    assert len(starts) == len({s.block for s in schedule.slots}) == 144
    for first, second in zip(schedule.slots[::2], schedule.slots[1::2], strict=True):
        assert first.seed == second.seed  # both policies of a block meet the same one
    assert {s.seed for s in schedule.slots if s.layout == "l1" and s.trial < 3} == {201}


def test_a_killed_creation_leaves_nothing_and_can_be_repeated(small_plan: Plan, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    steps = ["write_durably", "Store"]
    for step in steps:
        with pytest.MonkeyPatch.context() as patch:

            def kill(*_: object, **__: object) -> None:
                raise Killed

            patch.setattr(f"vitra_evaluation.session.folder.{step}", kill)
            with pytest.raises(Killed):
                Session.create(tmp_path / "s", small_plan)
        assert not (tmp_path / "s").exists()
    (tmp_path / ".s.creating/trials").mkdir(parents=True)  # what kill -9 leaves behind
    Session.create(tmp_path / "s", small_plan).close()
    assert [p.name for p in tmp_path.iterdir()] == ["s"]
    Session.load(tmp_path / "s").close()


def test_a_folder_with_something_else_in_it_is_left_alone(small_plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SessionError, match="is not empty"):
        Session.create(tmp_path, small_plan)


@pytest.mark.parametrize("name", ["schedule.json", "plan.yaml", "sealed.json"])
def test_a_truncated_file_is_damage_with_its_name_not_a_traceback(small_plan: Plan, tmp_path: Path, name: str) -> None:
    Session.create(tmp_path / "s", small_plan).close()
    path = tmp_path / "s" / name
    path.write_text(path.read_text()[: path.stat().st_size // 2])
    with pytest.raises(VitraError, match=name):
        Session.load(tmp_path / "s")
