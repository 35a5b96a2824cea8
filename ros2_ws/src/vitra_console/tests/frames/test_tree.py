"""The frames are one tree, each edge has one publisher, and they are where the kinematics says."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from vitra_camera.calibration_frames import calibration_frames
from vitra_console.frames.tree import Quaternion, TreeError, calibrated_edges, check_tree, multiply, urdf_edges
from vitra_description.calibration import default_calibration
from vitra_description.description import robot_description
from vitra_policy.transforms import matrix_from_quaternion


def edges_of_the_stack() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(of calibration_publisher, of robot_state)."""
    calibrated = [(f.parent, f.child) for f in calibration_frames(default_calibration())]
    urdf = [(e.parent, e.child) for e in urdf_edges(robot_description("both", default_calibration()))]
    return calibrated, [edge for edge in urdf if edge not in calibrated_edges()]


def test_both_publishers_together_state_one_tree_from_base_link() -> None:
    calibrated, rest = edges_of_the_stack()
    assert check_tree([*calibrated, *rest]) == "base_link"


def test_no_edge_has_two_publishers() -> None:
    calibrated, rest = edges_of_the_stack()
    assert not set(calibrated) & set(rest)
    assert set(calibrated) == calibrated_edges()


def test_a_frame_with_two_parents_and_a_loose_one_are_found() -> None:
    with pytest.raises(TreeError, match="two parents"):
        check_tree([("a", "c"), ("b", "c")])
    with pytest.raises(TreeError, match="2 trees"):
        check_tree([("a", "b"), ("c", "d")])


def test_the_edges_place_every_frame_where_pinocchio_does() -> None:
    urdf = robot_description("both", default_calibration())
    model = pin.buildModelFromXML(urdf)
    q = np.random.default_rng(0).uniform(-0.5, 0.5, model.nq)
    data = model.createData()
    pin.framesForwardKinematics(model, data, q)
    base_from: dict[str, tuple[np.ndarray, Quaternion]] = {"base_link": (np.zeros(3), (0.0, 0.0, 0.0, 1.0))}
    todo = list(urdf_edges(urdf))
    while todo:
        edge = next(e for e in todo if e.parent in base_from)
        todo.remove(edge)
        angle = q[model.joints[model.getJointId(edge.joint)].idx_q] if edge.joint else 0.0
        at, turn = base_from[edge.parent]
        at = at + matrix_from_quaternion(turn) @ edge.translation_m
        base_from[edge.child] = (at, multiply(turn, edge.rotation_at(angle)))
    for name, (at, turn) in base_from.items():
        placed = data.oMf[model.getFrameId(name)]
        np.testing.assert_allclose(at, placed.translation, atol=1e-9)
        np.testing.assert_allclose(matrix_from_quaternion(turn), placed.rotation, atol=1e-9)
    assert len(base_from) > 60
