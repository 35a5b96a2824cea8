"""RobotEra XHand1, vendor description 1.3: twelve joints, four fingers and a thumb."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitra_description.hand_description import HandDescription, Pad, Pinch
from vitra_description.joint_limits import JointLimits
from vitra_policy.hand.xhand_map import XHAND_MAP

_VENDOR_LIMITS = JointLimits.build(
    [0.0, -0.698, 0.0, -0.174, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [1.832, 1.57, 1.57, 0.174, 1.919, 1.919, 1.919, 1.919, 1.919, 1.919, 1.919, 1.919],
    [8.63, 8.63, 14.38, 14.38, 8.63, 14.38, 8.63, 14.38, 8.63, 14.38, 8.63, 14.38],
    400.0,  # a judgement: about 30 ms to full speed
)

_OPEN_RAD = np.zeros(XHAND_MAP.dof)
_OPEN_RAD[0] = 1.2  # the thumb opposed in front of the palm

_PINCH = Pinch(
    # Postures in which thumb and index/middle oppose each other, found by least squares on the forward kinematics:
    # closing axis in the plane of the fingers, pads facing each other.
    open_rad=np.deg2rad([84.4, 8.2, 21.2, 0.0, 26.3, 33.1, 26.3, 33.1, 30.0, 30.0, 30.0, 30.0]),
    closed_rad=np.deg2rad([76.4, 47.8, 2.9, 0.0, 83.9, 5.2, 83.9, 5.2, 75.0, 30.0, 75.0, 30.0]),
    thumb=Pad("thumb_rota_link2", (0.0, 0.0407, 0.0), 0.0095),
    fingers=(Pad("index_rota_link2", (0.0, 0.0, 0.0337), 0.0085), Pad("mid_link2", (0.0, 0.0, 0.0337), 0.0085)),
)

XHAND1 = HandDescription(
    name="xhand1",
    folder=Path(__file__).resolve().parent,
    map=XHAND_MAP,
    vendor_limits=_VENDOR_LIMITS,
    limits=JointLimits.build(_VENDOR_LIMITS.lower_rad, _VENDOR_LIMITS.upper_rad, 6.0, 120.0),
    max_step_rad=float(np.deg2rad(8.0)),
    first_command_rad=float(np.deg2rad(5.0)),  # a grasping finger stands up to several degrees short of its command
    open_rad=_OPEN_RAD,
    tips=("thumb_rota_tip", "index_rota_tip", "mid_tip", "ring_tip", "pinky_tip"),
    thumb_links=("thumb_rota_link1", "thumb_rota_link2"),
    finger_links=("index_rota_link2", "mid_link2", "ring_link2", "pinky_link2"),
    fingers_capsule_m=((0.01, 0.0, 0.095), (0.03, 0.0, 0.155), 0.045),
    pinch=_PINCH,
)
"""The vendor's range is kept whole: its ends are the hard stops."""
