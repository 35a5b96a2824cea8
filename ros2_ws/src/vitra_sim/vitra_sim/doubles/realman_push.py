"""The state datagram that a Realman controller pushes 200 times a second, built with one format operation."""

from __future__ import annotations

from vitra_sim.doubles.realman_model import MDEG_PER_RAD, flange_pose
from vitra_sim.doubles.realman_protocol import Controller

_CURRENT_UA_PER_NM = 100_000.0
"""Drive current per joint torque; a judgement, the vendor states no torque constant."""
_SPEED_PER_RAD_S = 100.0 * MDEG_PER_RAD / 1000.0
"""The SDK multiplies the raw integer by 0.01 and calls the product deg/s."""


def _list(n: int) -> str:
    return "[" + ",".join(["%d"] * n) + "]"


_TEMPLATE = (
    '{"state":"realtime_arm_joint_state","arm_current_status":"%s","err":%s,"joint_status":{'
    f'"joint_current":{_list(7)},"joint_en_flag":%s,"joint_err_code":%s,"joint_position":{_list(7)},'
    '"joint_temperature":[30000,30000,30000,30000,30000,30000,30000],"joint_voltage":[24000,24000,24000,24000,24000,'
    f'24000,24000],"joint_speed":{_list(7)}}},'
    f'"waypoint":{{"euler":{_list(3)},"position":{_list(3)},"quat":{_list(4)}}}}}'
)


def state_datagram(controller: Controller) -> bytes:
    """The controller's present state as one datagram."""
    state = controller.port.joint_state()
    position_rad = state.position_rad.tolist()
    position_m, euler_rad, quaternion = flange_pose(position_rad, controller.model.link_lengths_m)
    motion = controller.motion
    enabled = "[" + ",".join("true" if e and motion.powered else "false" for e in motion.enabled) + "]"
    text = _TEMPLATE % (
        motion.status.value,
        controller.error_codes(),
        *(round(t * _CURRENT_UA_PER_NM) for t in state.effort_nm.tolist()),
        enabled,
        controller.joint_errors,
        *(round(q * MDEG_PER_RAD) for q in position_rad),
        *(round(v * _SPEED_PER_RAD_S) for v in state.velocity_rad_s.tolist()),
        *(round(e * 1e3) for e in euler_rad),
        *(round(p * 1e6) for p in position_m),
        *(round(c * 1e6) for c in quaternion),
    )
    return text.encode()
