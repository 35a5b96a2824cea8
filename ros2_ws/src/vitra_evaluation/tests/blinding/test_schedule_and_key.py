from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path

import pytest

from vitra_evaluation.blinding import blinding_key as seal
from vitra_evaluation.errors import SealError, SessionError
from vitra_evaluation.plan.file import read_plan
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.plan.schedule import Schedule, draw_schedule, swapped
from vitra_evaluation.session.folder import Session

PLANS = Path(__file__).resolve().parents[2] / "plans"
POLICIES = ("expert", "handicapped_expert", "vitra", "remote")


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
    first = swapped(schedule, names)
    assert min(first.values()) > 0.35 * sum(first.values())


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
    assert b"handicapped" not in database
    assert (tmp_path / "s/sealed.json").stat().st_mode & 0o777 == 0o600


def test_a_new_session_has_a_new_secret(small_plan: Plan, tmp_path: Path) -> None:
    secrets = set()
    for i in range(2):
        Session.create(tmp_path / str(i), small_plan).close()
        secrets.add(seal.open_seal(tmp_path / str(i)).secret)
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


def test_a_seal_that_others_can_read_is_reported(small_plan: Plan, tmp_path: Path) -> None:
    session = Session.create(tmp_path, small_plan)
    assert session.problems() == []
    (tmp_path / "sealed.json").chmod(0o644)
    assert "can be read by others" in session.problems()[0]
    session.close()


def test_a_session_is_sealed_once_and_never_overwritten(small_plan: Plan, tmp_path: Path) -> None:
    session = Session.create(tmp_path, small_plan)
    with pytest.raises(SessionError, match="holds a session already"):
        Session.create(tmp_path, small_plan)
    with pytest.raises(SealError, match="sealed once"):
        seal.write_seal(tmp_path, seal.open_seal(tmp_path))
    session.close()


def test_only_one_program_runs_a_session(small_plan: Plan, tmp_path: Path) -> None:
    first, second = Session.create(tmp_path, small_plan), Session.load(tmp_path)
    first.hold()
    with pytest.raises(SessionError, match="Another vitra-eval"):
        second.hold()
    first.close()
    second.hold()
    second.close()


def test_there_is_no_session_in_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no session"):
        Session.load(tmp_path)
