import numpy as np
import pytest

from vitra_sim.outcome import Failure, failure_of, lifted
from vitra_sim.tasks.ground_truth import SceneTruth
from vitra_sim.tasks.judge import Verdict
from vitra_sim.tasks.tasks import Goal


def scene(*places_m):
    poses = []
    for place in (*places_m, (0.5, 0.0, 0.8)):
        pose = np.eye(4)
        pose[:3, 3] = place
        poses.append(pose)
    return SceneTruth(["red_cube", "blue_can", "box"], poses, [(0.03,) * 3] * 3, Verdict(False, False))


START = scene((0.4, -0.2, 0.8), (0.4, -0.3, 0.8))


def test_what_is_lifted_is_named_and_the_box_never():
    assert lifted(START, START) == ""
    assert lifted(START, scene((0.4, -0.2, 0.82), (0.4, -0.3, 0.8))) == ""
    assert lifted(START, scene((0.4, -0.2, 0.8), (0.4, -0.3, 0.84))) == "blue_can"
    raised = scene((0.4, -0.2, 0.8), (0.4, -0.3, 0.8))
    raised.poses[2][2, 3] += 0.2
    assert lifted(START, raised) == ""


def test_a_ball_that_rises_in_its_cup_is_not_what_the_hand_took():
    start, now = START, scene((0.4, -0.2, 0.9), (0.4, -0.3, 0.9))
    start, now = (SceneTruth(["ball_1", "red_cup", "box"], s.poses, s.sizes_m, s.verdict) for s in (start, now))
    assert lifted(start, now) == "red_cup"


def test_a_tool_that_was_lifted_and_did_not_do_its_work_is_no_dropped_object():
    assert failure_of(START, START, "red_cube", "red_cube", "", Goal.SWEPT) is Failure.UNDONE


@pytest.mark.parametrize(
    ("end", "taken", "reason", "failure"),
    [
        (START, "", "", Failure.MISSED),
        (scene((0.42, -0.2, 0.8), (0.4, -0.3, 0.8)), "", "", Failure.PUSHED),
        (scene((0.41, -0.2, 0.8), (0.5, -0.3, 0.8)), "", "", Failure.MISSED),
        (START, "red_cube", "", Failure.DROPPED),
        (START, "blue_can", "", Failure.WRONG),
        (START, "red_cube", "'red_cube' left the table", Failure.LOST),
    ],
)
def test_a_failure_is_told_from_where_things_are(end, taken, reason, failure):
    assert failure_of(START, end, "red_cube", taken, reason) is failure
