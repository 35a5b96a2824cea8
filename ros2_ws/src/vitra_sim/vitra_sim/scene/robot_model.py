"""The robot's URDF as a MuJoCo spec, plus what a URDF does not say: drives, damping, contact, camera."""

from __future__ import annotations

import itertools

import mujoco
import numpy as np

from vitra_description.calibration import Calibration, default_calibration
from vitra_description.description import robot_description
from vitra_description.hand_description import HandDescription
from vitra_description.names import ARM_DOF, CAMERA_FRAME, arm_joints
from vitra_policy.action_space import SIDES

HEAD_CAMERA = "head_camera"

# Position drives: stiffness [N m/rad] per joint; critically damped by `dampratio`.
ARM_STIFFNESS = (2000.0, 2000.0, 1500.0, 1500.0, 600.0, 600.0, 300.0)
ARM_ARMATURE, ARM_DAMPING = 0.08, 2.0
HAND_STIFFNESS, HAND_ARMATURE, HAND_DAMPING = 3.0, 0.001, 0.02

FRICTION = (1.0, 0.005, 0.0001)
SOLREF, SOLIMP = (0.004, 1.0), (0.95, 0.99, 0.001, 0.5, 2.0)

# Collision classes: everything meets everything, but for neighbours of the robot (`_exclude_neighbours`).
ROBOT_CLASS, WORLD_CLASS = 1, 2
LOOKS_GROUP, UNSEEN_GROUP = 1, 4
"""Geom groups; MuJoCo draws the groups 0 to 2."""

_NEIGHBOURS = 2  # joints apart
_FREE_LEVEL = 3  # links before this joint are part of the shoulder

_urdf_texts: dict[tuple[str, str], str] = {}


def _urdf(calibration: Calibration) -> str:
    """The robot's URDF, kept: expanding xacro takes longer than everything else here together."""
    key = (calibration.sha256, calibration.hardware.hand)
    if key not in _urdf_texts:
        _urdf_texts[key] = robot_description("both", calibration)
    return _urdf_texts[key]


def robot_spec(calibration: Calibration | None = None, *, looks: bool = False) -> mujoco.MjSpec:
    """A fresh spec of the whole robot with position drives `{joint}` and the camera `head_camera`.

    Args:
        calibration: mounting; None takes the simulator's.
        looks: show the URDF's visual shapes instead of the collision shapes; for images, since it costs time.
    """
    calibration = calibration or default_calibration()
    urdf = _urdf(calibration)
    spec = mujoco.MjSpec.from_string(urdf.replace('discardvisual="true"', 'discardvisual="false"') if looks else urdf)
    spec.modelname = "vitra_sim"
    for geom in list(spec.geoms):
        if geom.contype == geom.conaffinity == 0:
            geom.group = LOOKS_GROUP
        elif looks:
            geom.group = UNSEEN_GROUP
    _merge_capsules(spec)
    for body in spec.bodies[1:]:
        body.gravcomp = 1.0
    for geom in spec.geoms:
        if geom.group != LOOKS_GROUP:
            set_contact(geom, robot=True)
    for side in SIDES:
        for name, stiffness in zip(arm_joints(side), ARM_STIFFNESS, strict=True):
            _add_drive(spec, name, stiffness, ARM_ARMATURE, ARM_DAMPING)
        for name in calibration.hand.joint_names(side):
            _add_drive(spec, name, HAND_STIFFNESS, HAND_ARMATURE, HAND_DAMPING)
        _add_thumb_contacts(spec, side, calibration.hand)
    _exclude_neighbours(spec)
    _add_head_camera(spec, calibration)
    return spec


def set_contact(geom: mujoco.MjsGeom, *, robot: bool) -> None:
    """Give a geom the contact parameters that all parts of the world share."""
    geom.contype = ROBOT_CLASS if robot else WORLD_CLASS
    geom.conaffinity = ROBOT_CLASS | WORLD_CLASS
    geom.condim = 4
    geom.friction = FRICTION
    geom.solref, geom.solimp = SOLREF, SOLIMP


def _add_drive(spec: mujoco.MjSpec, name: str, stiffness: float, armature: float, damping: float) -> None:
    joint = spec.joint(name)
    joint.armature, joint.damping = armature, [damping, 0, 0]
    drive = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    drive.set_to_position(stiffness, dampratio=1.0)
    drive.forcerange = joint.actfrcrange  # the URDF's effort


def _add_head_camera(spec: mujoco.MjSpec, calibration: Calibration) -> None:
    intrinsics = calibration.head_camera
    fovy_deg = np.rad2deg(2 * np.arctan(intrinsics.height_px / 2 / intrinsics.fy_px))
    # MuJoCo cameras look along -z with y up: half a turn about x from the optical frame.
    spec.body(CAMERA_FRAME).add_camera(name=HEAD_CAMERA, quat=[0, 1, 0, 0], fovy=fovy_deg)


def _add_thumb_contacts(spec: mujoco.MjSpec, side: str, hand: HandDescription) -> None:
    """The only contacts within a hand: the thumb's outer links against the outer links of the fingers."""
    for thumb, finger in itertools.product(hand.thumb_links, hand.finger_links):
        spec.add_pair(geomname1=f"{side}_hand_{thumb}_shape", geomname2=f"{side}_hand_{finger}_shape", condim=1)


def _exclude_neighbours(spec: mujoco.MjSpec) -> None:
    """Parts that always touch or cannot meet, as `vitra_safety.collision` sees them; within a hand, pairs are named."""
    bodies = [body for body in spec.bodies[1:] if len(body.geoms)]
    for a, b in itertools.combinations(bodies, 2):
        (side_a, level_a), (side_b, level_b) = _place(a.name), _place(b.name)
        levels_apart = abs(level_a - level_b)
        if (levels_apart <= _NEIGHBOURS) if side_a == side_b else (max(level_a, level_b) < _FREE_LEVEL):
            spec.add_exclude(bodyname1=a.name, bodyname2=b.name)


def _place(body: str) -> tuple[str, int]:
    """Side of a body (empty: the torso) and the number of the joint that moves it; fingers count as the wrist."""
    side, _, rest = body.partition("_")
    if side not in tuple(SIDES):
        return "", 0
    if rest.startswith("link_"):
        return side, int(rest.removeprefix("link_"))
    return side, 0 if rest == "arm_base" else ARM_DOF


def _merge_capsules(spec: mujoco.MjSpec) -> None:
    """Turn `x` + `x_near` + `x_far` (a cylinder with end spheres, all a URDF can say) into one capsule each.

    One capsule instead of three shapes: fewer contacts, and smooth ones.
    """
    names = {geom.name for geom in spec.geoms}
    for geom in list(spec.geoms):
        if geom.type == mujoco.mjtGeom.mjGEOM_CYLINDER and f"{geom.name}_far" in names:
            geom.type = mujoco.mjtGeom.mjGEOM_CAPSULE
            for end in ("near", "far"):
                if f"{geom.name}_{end}" in names:
                    spec.delete(spec.geom(f"{geom.name}_{end}"))
