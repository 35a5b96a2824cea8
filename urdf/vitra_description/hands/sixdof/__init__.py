"""A made-up hand with six joints, for the simulator only: the example of docs/how_to/add_a_hand.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitra_description.hand_description import HandDescription, Pad, Pinch
from vitra_description.joint_limits import JointLimits
from vitra_policy.hand.hand_map import HandMap, MappedJoint

_MAP = HandMap(
    (
        MappedJoint("thumb_turn_joint", ((44, 1.0),)),
        MappedJoint("thumb_flex_joint", ((43, -1.0), (46, -0.5))),
        MappedJoint("index_joint", ((8, 1.0), (14, 0.5))),
        MappedJoint("mid_joint", ((17, 1.0), (23, 0.5))),
        MappedJoint("ring_joint", ((35, 1.0), (41, 0.5))),
        MappedJoint("pinky_joint", ((26, 1.0), (32, 0.5))),
    )
)
"""A stiff finger stands for two angles of a human one: the first joint whole, the second by half."""

_VENDOR_LIMITS = JointLimits.build(0.0 * np.ones(6), [1.83, 1.4, 1.6, 1.6, 1.6, 1.6], 6.0, 200.0)

_PINCH = Pinch(
    open_rad=np.deg2rad([84.1, 12.3, 35.8, 35.8, 35.8, 35.8]),
    closed_rad=np.deg2rad([75.5, 45.9, 74.7, 74.7, 70.0, 70.0]),
    thumb=Pad("thumb_tip_link", (0.0, 0.041, 0.0), 0.0095),
    fingers=(Pad("index_tip_link", (0.0, 0.0, 0.035), 0.0085), Pad("mid_tip_link", (0.0, 0.0, 0.035), 0.0085)),
)

SIXDOF = HandDescription(
    name="sixdof",
    folder=Path(__file__).resolve().parent,
    map=_MAP,
    vendor_limits=_VENDOR_LIMITS,
    limits=JointLimits.build(_VENDOR_LIMITS.lower_rad, _VENDOR_LIMITS.upper_rad, 5.0, 100.0),
    max_step_rad=float(np.deg2rad(8.0)),
    first_command_rad=float(np.deg2rad(5.0)),
    open_rad=np.array([1.2, 0.0, 0.0, 0.0, 0.0, 0.0]),
    tips=("thumb_tip", "index_tip", "mid_tip", "ring_tip", "pinky_tip"),
    thumb_links=("thumb_link", "thumb_tip_link"),
    finger_links=("index_tip_link", "mid_tip_link", "ring_tip_link", "pinky_tip_link"),
    fingers_capsule_m=((0.01, 0.0, 0.095), (0.03, 0.0, 0.155), 0.045),
    pinch=_PINCH,
)
