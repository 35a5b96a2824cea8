"""The JSON lines of a Realman controller: one command in, its replies out (no sockets here)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitra_sim.doubles.ports import ArmPort
from vitra_sim.doubles.realman_model import (
    ACCELERATION_RAD_S2,
    DOF,
    MDEG_PER_RAD,
    POSITION_LIMIT_RAD,
    ArmModel,
    ErrorCode,
    flange_pose,
    from_mrpm,
    to_mdeg,
    to_mrpm,
)
from vitra_sim.doubles.realman_motion import ControllerMotion, Status

Reply = dict[str, Any]
_CUSTOM_PUSH = ("joint_speed", "lift_state", "expand_state", "hand_state", "arm_current_status", "aloha_state")


@dataclass(slots=True)
class PushConfig:
    """Where and how often the state is pushed; the cycle counts units of 5 ms."""

    ip: str
    port: int
    enable: bool = True
    cycle: int = 1
    force_coordinate: int = -1


class Controller:
    """Answers commands and moves the arm.

    Args:
        port: the arm.
        model: identity and limits.
        push: initial configuration of the state push.
    """

    def __init__(self, port: ArmPort, model: ArmModel, push: PushConfig) -> None:
        self.port, self.model, self.push = port, model, push
        self.motion = ControllerMotion(port)
        self.motion.on_arrival = self._arrived
        self.collision_stage = 0
        self.line_speed_mm_s, self.avoid_singularity, self.self_collision = 250, 0, False
        self.joint_errors = [0] * DOF
        self.events: list[Reply] = []
        self.counts: dict[str, int] = {}
        self._now_s = 0.0

    def handle(self, line: bytes, now_s: float) -> tuple[str, list[Reply]]:
        """One line of the client: its command name and the replies (none for pass-through and unknown commands)."""
        self._now_s = now_s
        try:
            message = json.loads(line)
            name = message["command"]
        except (ValueError, KeyError, TypeError, OverflowError):
            return "", []
        self.counts[name] = self.counts.get(name, 0) + 1
        handler: Callable[[Reply], Reply | None] | None = getattr(self, f"_on_{name}", None)
        try:
            reply = handler(message) if handler else None
        except (KeyError, TypeError, ValueError, IndexError, OverflowError):
            reply = {"command": name, "receive_state": False}
        return name, [reply] if reply else []

    def step(self, dt_s: float, now_s: float) -> None:
        """One control cycle."""
        self.motion.step(dt_s, now_s)

    def error_codes(self) -> list[int]:
        """System errors in force; [0] when healthy."""
        return self.motion.errors or [0]

    def _arrived(self) -> None:
        self.events.append(
            {"state": "current_trajectory_state", "trajectory_state": True, "device": 0, "trajectory_connect": 0}
        )

    def _target(self, message: Reply) -> np.ndarray | None:
        joints = message["joint"]
        if len(joints) != DOF or not all(isinstance(j, (int, float)) and math.isfinite(j) for j in joints):
            self.motion.refused += 1
            self.motion.raise_error(ErrorCode.BEYOND_LIMIT)
            return None
        return np.array(joints, dtype=float) / MDEG_PER_RAD

    # Identity and state ---------------------------------------------------------------------------------------------

    def _on_get_arm_software_info(self, _: Reply) -> Reply:
        return self.model.software_info()

    def _on_get_arm_current_trajectory(self, _: Reply) -> Reply:
        kind = "movej" if self.motion.status is Status.MOVE_J else "none"
        return {"state": "arm_current_trajectory", "type": kind, "data": self._measured()}

    def _on_get_current_work_frame(self, _: Reply) -> Reply:
        return {"state": "current_work_frame", "frame_name": "World", "pose": [0] * 6}

    def _on_get_current_tool_frame(self, _: Reply) -> Reply:
        frame = {"state": "current_tool_frame", "tool_name": "Arm_Tip", "pose": [0] * 6}
        return {**frame, "payload": 0, "position": [0, 0, 0]}

    def _on_get_install_pose(self, _: Reply) -> Reply:
        return {"state": "install_pose", "pose": [0, 0, 0]}

    def _on_get_joint_min_pos(self, _: Reply) -> Reply:
        return {"state": "joint_min_pos", "min_pos": to_mdeg(-POSITION_LIMIT_RAD)}

    def _on_get_joint_max_pos(self, _: Reply) -> Reply:
        return {"state": "joint_max_pos", "max_pos": to_mdeg(POSITION_LIMIT_RAD)}

    def _on_get_joint_max_acc(self, _: Reply) -> Reply:
        return {"state": "joint_max_acc", "joint_acc": [to_mrpm(ACCELERATION_RAD_S2)] * DOF}

    def _on_get_joint_max_speed(self, _: Reply) -> Reply:
        return {"state": "joint_max_speed", "joint_speed": [to_mrpm(v) for v in self.motion.speed_limit_rad_s]}

    def _on_get_DH_data(self, _: Reply) -> Reply:  # noqa: N802 - the vendor's name
        return self.model.dh_data()

    def _on_get_joint_degree(self, _: Reply) -> Reply:
        return {"state": "joint_degree", "joint": self._measured()}

    def _on_get_current_arm_state(self, _: Reply) -> Reply:
        position_rad = self.port.joint_state().position_rad
        position_m, euler_rad, _quaternion = flange_pose(position_rad.tolist(), self.model.link_lengths_m)
        pose = [round(p * 1e6) for p in position_m] + [round(e * 1e3) for e in euler_rad]
        state = {"joint": to_mdeg(position_rad), "pose": pose, "err": self.error_codes()}
        return {"state": "current_arm_state", "arm_state": state}

    def _on_get_arm_all_state(self, _: Reply) -> Reply:
        flags = {"err_flag": self.joint_errors, "en_flag": self._enabled(), "err": self.error_codes()}
        levels = {"temperature": [30_000] * DOF, "current": [0] * DOF, "voltage": [24_000] * DOF}
        return {"state": "arm_all_state", "all_state": {**levels, **flags}}

    def _on_get_controller_state(self, _: Reply) -> Reply:
        levels = {"voltage": 24_000, "current": 1_000, "temperature": 35_000}
        return {"state": "controller_state", **levels, "err_flag": 0}

    def _on_get_joint_en_state(self, _: Reply) -> Reply:
        return {"state": "joint_en_state", "en_state": self._enabled()}

    def _on_get_joint_err_flag(self, _: Reply) -> Reply:
        return {"state": "joint_err_flag", "err_flag": self.joint_errors, "brake_state": [0] * DOF}

    # Settings -------------------------------------------------------------------------------------------------------

    def _on_get_realtime_push(self, _: Reply) -> Reply:
        push = self.push
        custom = {name: name in ("joint_speed", "arm_current_status") for name in _CUSTOM_PUSH}
        where = {"cycle": push.cycle, "enable": push.enable, "port": push.port, "ip": push.ip}
        return {"command": "get_realtime_push", **where, "force_coordinate": push.force_coordinate, "custom": custom}

    def _on_set_realtime_push(self, message: Reply) -> Reply:
        push = self.push
        push.enable = bool(message.get("enable", push.enable))
        push.cycle = max(1, int(message.get("cycle", push.cycle)))
        push.port, push.ip = int(message.get("port", push.port)), str(message.get("ip", push.ip))
        return {"command": "set_realtime_push", "state": True}

    def _on_set_joint_max_speed(self, message: Reply) -> Reply:
        joint, speed = message["joint_max_speed"]
        self.motion.speed_limit_rad_s[int(joint) - 1] = from_mrpm(speed)
        return {"command": "set_joint_max_speed", "joint_max_speed": True}

    def _on_set_collision_stage(self, message: Reply) -> Reply:
        stage = int(message["collision_stage"])
        valid = 0 <= stage <= 8
        self.collision_stage = stage if valid else self.collision_stage
        return {"command": "set_collision_stage", "collision_state": valid}

    def _on_get_collision_stage(self, _: Reply) -> Reply:
        return {"state": "get_collision_stage", "collision_stage": self.collision_stage}

    def _on_set_arm_max_line_speed(self, message: Reply) -> Reply:
        self.line_speed_mm_s = int(message["arm_line_speed"])
        return {"command": "set_arm_max_line_speed", "arm_line_speed": True}

    def _on_get_arm_max_line_speed(self, _: Reply) -> Reply:
        return {"state": "arm_max_line_speed", "arm_line_speed": self.line_speed_mm_s}

    def _on_set_self_collision_enable(self, message: Reply) -> Reply:
        self.self_collision = bool(message["set_enable"])
        return {"command": "set_self_collision_enable", "set_state": True}

    def _on_get_self_collision_enable(self, _: Reply) -> Reply:
        return {"command": "get_self_collision_enable", "enable_state": self.self_collision}

    def _on_set_avoid_singularity_mode(self, message: Reply) -> Reply:
        self.avoid_singularity = int(message["mode"])
        return {"command": "set_avoid_singularity_mode", "set_state": True}

    def _on_get_avoid_singularity_mode(self, _: Reply) -> Reply:
        return {"state": "get_avoid_singularity_mode", "mode": self.avoid_singularity}

    def _on_get_arm_power_state(self, _: Reply) -> Reply:
        return {"state": "arm_power_state", "power_state": int(self.motion.powered)}

    def _on_set_arm_power(self, message: Reply) -> Reply:
        self.motion.powered = bool(message["arm_power"])
        return {"command": "set_arm_power", "arm_power": True}

    def _on_get_arm_run_mode(self, _: Reply) -> Reply:
        return {"command": "get_arm_run_mode", "mode": int(self.motion.real)}

    def _on_set_arm_run_mode(self, message: Reply) -> Reply:
        self.motion.real = bool(message["mode"])
        return {"command": "set_arm_run_mode", "mode": True}

    def _on_set_joint_en_state(self, message: Reply) -> Reply:
        joint, state = message["joint_en_state"]
        self.motion.enabled[int(joint) - 1] = bool(state)
        return {"command": "set_joint_en_state", "joint_en_state": True}

    def _on_set_joint_clear_err(self, message: Reply) -> Reply:
        self.joint_errors[int(message["joint_clear_err"]) - 1] = 0
        return {"command": "set_joint_clear_err", "joint_clear_err": True}

    def _on_clear_system_err(self, _: Reply) -> Reply:
        self.motion.clear_errors()
        return {"command": "clear_system_err", "clear_state": True}

    # Motion ---------------------------------------------------------------------------------------------------------

    def _on_movej_canfd(self, message: Reply) -> None:
        target = self._target(message)
        if target is not None:
            move = self.motion.pass_through if message.get("follow", True) else self.motion.follow
            move(target, self._now_s)

    def _on_movej_follow(self, message: Reply) -> None:
        target = self._target(message)
        if target is not None:
            self.motion.follow(target, self._now_s)

    def _on_movep_canfd(self, _: Reply) -> None:
        self.motion.raise_error(ErrorCode.UNREACHABLE)  # poses are not served: the stack streams joints

    _on_movep_follow = _on_movep_canfd

    def _on_movej(self, message: Reply) -> Reply:
        target = self._target(message)
        connect = bool(message.get("trajectory_connect", 0))
        taken = target is not None and self.motion.plan(target, message["v"] / 100.0, more_to_come=connect)
        return {"command": "movej", "receive_state": taken}

    def _on_set_arm_stop(self, _: Reply) -> Reply:
        self.motion.stop()
        return {"command": "set_arm_stop", "arm_stop": True}

    def _on_set_arm_slow_stop(self, _: Reply) -> Reply:
        self.motion.stop(slow=True)
        return {"command": "set_arm_slow_stop", "arm_slow_stop": True}

    def _on_set_arm_pause(self, _: Reply) -> Reply:
        self.motion.pause()
        return {"command": "set_arm_pause", "arm_pause": True}

    def _on_set_arm_continue(self, _: Reply) -> Reply:
        self.motion.resume()
        return {"command": "set_arm_continue", "arm_continue": True}

    def _on_set_delete_current_trajectory(self, _: Reply) -> Reply:
        self.motion.delete_plans()
        return {"command": "set_delete_current_trajectory", "delete_current_trajectory": True}

    def _on_set_arm_emergency_stop(self, message: Reply) -> Reply | None:
        if self.model.generation < 4:
            return None
        self.motion.stop()
        self.motion.powered = not bool(message["emergency_stop"])
        return {"command": "set_arm_emergency_stop", "set_state": True}

    def _measured(self) -> list[int]:
        return to_mdeg(self.port.joint_state().position_rad)

    def _enabled(self) -> list[int]:
        return [int(e and self.motion.powered) for e in self.motion.enabled]
