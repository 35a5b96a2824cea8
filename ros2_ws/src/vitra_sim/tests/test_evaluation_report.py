import pytest

from vitra_sim.evaluation_report import Rate, markdown, summarize
from vitra_sim.outcome import Failure, Outcome
from vitra_sim.suites import Cell

CELL = Cell("c", ("place@seen",), 4, seed=1, target=0.95)


def outcome(seed, other, taken, success=False, failure=Failure.DROPPED):
    scene, named = ("place@seen#1", "can") if other else ("place@seen", "cube")
    return Outcome("c", scene, seed, success, named, taken, Failure.NONE if success else failure, 9.0, 30)


ROWS = [
    outcome(1, False, "cube", success=True),
    outcome(1, True, "can", success=True),
    outcome(2, False, "cube"),
    outcome(2, True, "cube", failure=Failure.WRONG),
    outcome(3, False, "", failure=Failure.MISSED),
    outcome(3, True, "can", success=True),
]


def test_a_rate_has_wilsons_interval():
    assert Rate(8, 10).interval == pytest.approx((0.490, 0.943), abs=1e-3)  # Brown, Cai and DasGupta (2001)
    assert Rate(0, 0).interval == (0.0, 1.0)


def test_a_cell_counts_success_language_and_swapped_words():
    report = summarize(CELL, [*ROWS, Outcome("other cell", "s", 1, True, "x", "x", Failure.NONE, 1.0, 1)])
    assert report.success == Rate(3, 6)
    assert report.language == Rate(4, 5)
    assert report.swapped == Rate(1, 2)
    assert report.failures == {
        "lifted it, put it elsewhere": 1,
        "took the other object": 1,
        "did not touch the object": 1,
    }


def test_the_page_shows_what_was_wanted_and_the_settings():
    page = markdown([summarize(CELL, ROWS)], {"policy": "vitra", "cell": ()})
    assert "3/6 = 50 %" in page
    assert "95 %" in page
    assert "policy vitra." in page
