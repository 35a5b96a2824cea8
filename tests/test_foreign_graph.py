"""A foreign server drives the robot graph: an EgoSteer server's double with the scripted expert behind it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from light_graph import light_config

from vitra_bringup.graph_run import GraphRun
from vitra_description.calibration import default_calibration
from vitra_msgs.msg import SimState
from vitra_policy.action_space import ACTION_DIM, FINGERS, HAND, ROTATION, TRANSLATION
from vitra_policy.hand.xhand_map import mano_from_xhand
from vitra_policy.mappings import egosteer, egosteer_double
from vitra_policy.policies.policy import BASE_FROM_CAMERA, SIM_TIME_S, Observation
from vitra_policy.policies.registry import create_policy
from vitra_policy.policies.robot import find_robot
from vitra_policy.prompt import format_instruction
from vitra_policy.serving.openpi_double import OpenpiDouble
from vitra_policy.transforms import euler_xyz_from_matrix
from vitra_runtime import qos
from vitra_runtime.sim_state import extras_of

pytestmark = [pytest.mark.graph, pytest.mark.slow, pytest.mark.timeout(400)]

SIDE = "right"


class ExpertBehind:
    """Answers requests with the expert's plan; what EgoSteer does not send comes from the simulator's ground truth."""

    def __init__(self) -> None:
        self.expert = create_policy("expert", {"return_s": "0.3"})  # 30 steps a second leave no room for a leap back
        self.robot = find_robot()
        self.base_from_camera = default_calibration().base_from_head_camera
        self.truth: SimState | None = None
        self.prefixes = 0
        self._joints, self._lock = np.zeros(12), threading.Lock()
        self.expert.warm_up()

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        egosteer_double.check_request(request)
        with self._lock:
            observation = self._observation(request)
            chunk = self.expert.infer(observation)
        answer = egosteer_double.answer_of(chunk, observation, request["states"], self.robot)
        self.prefixes += request["action_rtc"] is not None
        return {"pred_actions": egosteer_double.continued(answer["pred_actions"], request["action_rtc"])}

    def _observation(self, request: dict[str, Any]) -> Observation:
        hand = egosteer.read_state(np.asarray(request["states"], dtype=np.float64)[-1])[SIDE]
        self._joints = self.robot.hand_for_fingertips(SIDE, hand.fingertips_m, self._joints)
        state = np.zeros(ACTION_DIM)
        mine = state[HAND[SIDE]]
        mine[TRANSLATION] = hand.camera_from_wrist[:3, 3]
        mine[ROTATION] = euler_xyz_from_matrix(hand.camera_from_wrist[:3, :3])
        mine[FINGERS] = mano_from_xhand(self._joints)
        assert self.truth is not None
        extras = extras_of(self.truth)
        extras[BASE_FROM_CAMERA] = self.base_from_camera
        K = np.asarray(request["camera_intrinsics"])
        return Observation(
            stamp_s=float(extras[SIM_TIME_S]),
            instruction=format_instruction(right=request["instruction"]),
            image=None,
            intrinsics=K,
            fov_rad=2 * np.arctan2(192.0, [K[0, 0], K[1, 1]]),
            state=state,
            state_valid=np.array([False, True]),
            hands=np.array([False, True]),
            extras=extras,
        )


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bool, str, ExpertBehind, int]:
    folder, domain = tmp_path_factory.mktemp("egosteer"), 30 + os.getpid() % 60
    behind = ExpertBehind()
    with OpenpiDouble(behind, egosteer_double.METADATA) as server:
        arguments = {
            "policy": "egosteer",
            "policy_options": f"url={server.url},infer_timeout_s=2",
            "policy_rate_hz": "4.0",
            "record": "false",
            "bag": str(folder / "bag"),
            "config": light_config(folder),
        }
        with GraphRun("demo.launch.xml", arguments, folder / "launch.log", domain) as run:
            run.client.watch(SimState, "sim/state", qos.SETPOINT, lambda state: setattr(behind, "truth", state))
            run.wait_ready()
            run.client.rearm()
            run.client.home()
            instruction = run.client.reset_sim("place_cube_in_box", 0)
            behind.expert.reset()
            success, reason = run.client.run_until_success(instruction, 60.0)
            stops = len(run.client.stops)
            log = Path(folder / "launch.log").read_text()[-3000:]
    return success, f"{reason}\n{log}", behind, stops


def test_an_egosteer_server_places_the_cube_through_the_robot_graph(
    placed: tuple[bool, str, ExpertBehind, int],
) -> None:
    success, reason, _, stops = placed
    assert success, reason
    assert stops == 0


def test_its_real_time_chunking_was_used(placed: tuple[bool, str, ExpertBehind, int]) -> None:
    assert placed[2].prefixes > 3
