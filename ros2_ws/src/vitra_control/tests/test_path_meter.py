"""What the path meter measures, on a generator that says what the test wants."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vitra_control.path_meter import PathMeter
from vitra_control.setpoints import Mode
from vitra_description.calibration import default_calibration
from vitra_description.kinematics import ArmModel
from vitra_description.names import ArmVariant
from vitra_description.postures import home
from vitra_policy.action_space import Side
from vitra_policy.transforms import quaternion_from_matrix

CALIBRATION = default_calibration()
REST_RAD = np.array(home("right"))
POSE = ArmModel(ArmVariant.RM75_6F, CALIBRATION.right).wrist_pose(REST_RAD)


def generator(beside_m: float, along_m: float, *, limit: str = "", mode: Mode = Mode.FOLLOWING) -> Any:
    """An arm at rest whose plan passes beside it."""
    place = POSE[:3, 3] + [along_m, 0.0, beside_m]
    target = np.concatenate([place, quaternion_from_matrix(POSE[:3, :3])])
    side = SimpleNamespace(
        timeline=SimpleNamespace(value=lambda _: target),
        limit=limit,
        variant=ArmVariant.RM75_6F,
        calibration=CALIBRATION,
    )
    return SimpleNamespace(sides={Side.RIGHT: side}, path_s=0.0, mode=mode, arm_rad=lambda _: REST_RAD)


def look(*generators: Any) -> PathMeter:
    meter = PathMeter(Side.RIGHT)
    for each in generators:
        meter.look(each)
    return meter


def test_the_distance_is_that_from_the_line_between_targets() -> None:
    meter = look(generator(0.003, -0.01), generator(0.003, 0.01))
    assert meter.distance_m == pytest.approx(0.003, abs=1e-6)
    assert meter.rotation_rad == pytest.approx(0.0, abs=1e-3)


def test_places_where_a_limit_is_named_are_left_out() -> None:
    assert look(generator(0.003, -0.01), generator(0.003, 0.01, limit="joint 5")).distance_m == 0.0


def test_a_plan_that_begins_anew_is_no_line_from_the_old_one() -> None:
    meter = look(
        generator(0.0, -0.01), generator(0.0, 0.01), generator(0.0, 0.0, mode=Mode.SEEDING), generator(0.3, 0.0)
    )
    assert meter.distance_m == pytest.approx(0.0, abs=1e-6)
