"""A robot that obeys at once, behind the operator's desk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from vitra_console.operate.desk import OperatorDesk
from vitra_console.operate.robot_view import RobotView
from vitra_console.operate.stop_latch import StopLatch
from vitra_console.web.server import JpegImage

DISARMED, ARMED, STOPPED = 0, 1, 2


class FakeRobot:
    """Answers at once, or when told to (`hold`)."""

    def __init__(self) -> None:
        self.view = RobotView(("right",), clock=lambda: 100.0)
        self.latch = StopLatch(self._stopped, lambda: 0.0)
        self.desk = OperatorDesk(self, self.view, self.latch, ["place_cube_in_box", "place_can_in_box"])
        self.told: list[str] = []
        self.stops = 0
        self.refuse: dict[str, str] = {}
        self.hold = False
        self.held: list[Callable[[], None]] = []
        self.turns: list[Callable[[], None]] = []
        self.turns_wait = False
        self.ended: Any = None
        self._lock = threading.Lock()
        self._frame = 0
        self.safety(DISARMED)
        self.executor(4)
        self.sim()
        self.episode(0)
        self.view.hear_beat(SimpleNamespace(node="/policy", state=1, detail=""))
        for part in ("arm", "hand"):
            self.view.hear(f"right_{part}", SimpleNamespace(state="holding", fault="", stop_cause=""))
        names = [f"right_joint_{n}" for n in range(1, 8)]
        joints = SimpleNamespace(name=names, position=[0.1] * 7, velocity=[0.0] * 7)
        self.view.hear("right_arm/joints", joints)

    def safety(self, state: int, cause: str = "", missing: tuple[str, ...] = ()) -> None:
        self.view.hear("safety", SimpleNamespace(
            state=state, stop_cause=cause, stop_source="operator", stop_detail="", not_ready=list(missing),
            epoch=7, stops=self.stops,
        ))  # fmt: skip

    def executor(self, state: int, homes: int = 0, home_result: str = "") -> None:
        self.view.hear("executor", SimpleNamespace(
            state=state, homes=homes, home_result=home_result, in_limit=False, limit="", observation_to_setpoint_s=0.02
        ))  # fmt: skip

    def sim(self, success: bool = False, task: str = "place_cube_in_box") -> None:
        self.view.hear("sim", SimpleNamespace(task=task, success=success, failed=False, real_time_factor=1.0))

    def episode(self, state: int, saved: int = 0) -> None:
        self.view.hear("episode", SimpleNamespace(
            state=state, elapsed_s=3.0, path="runs/sim/episodes/episode_000001", saved=saved, dropped=0, warnings=[]
        ))  # fmt: skip

    # The desk's robot ---------------------------------------------------------------------------------------------

    def in_turn(self, call: Callable[[], None]) -> None:
        if self.turns_wait:
            self.turns.append(call)
        else:
            call()

    def _answer(self, name: str, act: Callable[[], None], then: Callable[[bool, str], None]) -> None:
        self.told.append(name)

        def answer() -> None:
            if name in self.refuse:
                then(False, self.refuse[name])
                return
            act()
            then(True, "runs/sim/episodes/episode_000001" if name.startswith("recorder") else "well")

        if self.hold:
            self.held.append(answer)
        else:
            answer()

    def trigger(self, service: str, then: Callable[[bool, str], None]) -> None:
        acts = {
            "recorder/start": lambda: self.episode(1),
            "recorder/save": lambda: self.episode(0, saved=1),
            "recorder/discard": lambda: self.episode(0),
            "executor/home": lambda: self.executor(3),
            "policy/stop": self._end,
        }
        self._answer(service, acts[service], then)

    def rearm(self, epoch: int, stops: int, then: Callable[[bool, str], None]) -> None:
        def act() -> None:
            if (epoch, stops) == (7, self.stops):
                self._arm()

        def answered(ok: bool, message: str) -> None:
            fresh = (epoch, stops) == (7, self.stops)
            then(ok and fresh, message if fresh or not ok else "refused: a STOP is newer than this order")

        self._answer("safety_supervisor/rearm_from", act, answered)

    def set_instruction(self, text: str, then: Callable[[bool, str], None]) -> None:
        self._answer("instruct", lambda: self.view.hear("instruction", SimpleNamespace(data=text)), then)

    def start_run(self, text: str, time_limit_s: float, then: Any, ended: Any) -> None:
        self.ended = ended
        self._answer(f"run {text} {time_limit_s:g}", lambda: self.executor(1), then)

    def set_speed(self, share: float, then: Callable[[bool, str], None]) -> None:
        self._answer(f"speed {share:g}", lambda: None, then)

    def reset_sim(self, task: str, seed: int, then: Callable[[bool, str, str], None]) -> None:
        self._answer(
            f"reset {task} {seed}", lambda: self.sim(task=task),
            lambda ok, message: then(ok, message, f"Right hand: {task}."),
        )  # fmt: skip

    def image(self) -> JpegImage:
        with self._lock:
            self._frame += 1
            jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
            return JpegImage(str(self._frame), jpeg)

    def _arm(self) -> None:
        self.safety(ARMED)
        self.executor(0)

    def _end(self) -> None:
        self.executor(0)
        if self.ended is not None:
            self.ended(True, "stopped")

    def _stopped(self, latched: Callable[[], None]) -> None:
        self.told.append("STOP")
        self.stops += 1
        self.safety(STOPPED, "operator_stop")
        self._end()
        self.executor(4)
        latched()
