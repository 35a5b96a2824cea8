"""The README's table of scene families says what the families are."""

import re
from pathlib import Path

import pytest

from vitra_sim.scene.families import get_family, namings
from vitra_sim.scene.splits import Split
from vitra_sim.suites import SUITES
from vitra_sim.tasks.tasks import SHOWN_KINDS, UNSHOWN_KINDS, Goal, get_task

README = (Path(__file__).parents[1] / "README.md").read_text()
ROWS = re.findall(r"^  \| `(\w+@\w+)` \.\.\. \| ([^|]+) \| ([^|]+) \|$", README, re.M)
PATTERN = re.search(r"`\{([\w,]+)\}\[_left\]@\{([\w,]+)\}`", README)


def test_the_pattern_names_all_families():
    assert PATTERN is not None
    names = [f"{goal}{left}@{split}" for goal in PATTERN[1].split(",") for left in ("", "_left") for split in Split]
    assert {get_family(name).goal for name in names} == set(Goal)
    assert PATTERN[2].split(",") == list(Split)


def test_every_goal_has_a_row():
    assert [get_family(name).goal for name, _, _ in ROWS] == [
        get_family(f"{g}@seen").goal for g in PATTERN[1].split(",")
    ]


@pytest.mark.parametrize(("family", "stands", "unseen"), ROWS)
def test_a_row_names_the_kinds(family: str, stands: str, unseen: str):
    goal = get_family(family).goal
    assert unseen.split(", ") == [str(kind) for kind in UNSHOWN_KINDS[goal]]
    assert [str(kind) for kind in SHOWN_KINDS[goal] if str(kind) not in stands] == []
    assert ("of which one is named" in stands) == (len(namings(family)) == 2)


@pytest.mark.parametrize(("stem", "kind"), [("hold", "jug"), ("pour", "cup"), ("sweep", "brush")])
def test_tasks_of_any_colour_have_the_names_that_it_gives(stem: str, kind: str):
    assert f"`{stem}_{{colour}}_{{kind}}`" in README
    assert get_task(f"{stem}_red_{kind}_left").colour == "red"


@pytest.mark.parametrize("suite", SUITES)
def test_suites_are_named(suite: str):
    assert f"`--suite {suite}`" in README
