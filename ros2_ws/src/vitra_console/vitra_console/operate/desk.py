"""The operator's desk: checks each order once more, sends it to the robot, and tells what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from vitra_console.operate.robot_view import RobotView
from vitra_console.operate.stop_latch import StopLatch
from vitra_console.operate.words import ARMED
from vitra_console.web.server import STALE, JpegImage, Page, Told

_STATIC = Path(__file__).parent / "static"
CAMERA = 1
SLOWEST_PERCENT = 10
Then = Callable[[bool, str], None]


class Robot(Protocol):
    """The graph as the desk needs it; nothing blocks, answers come through callbacks in the node's thread."""

    def in_turn(self, call: Callable[[], None]) -> None:
        """Make a call in the thread that speaks to the graph."""
        ...

    def trigger(self, service: str, then: Then) -> None:
        """Call a Trigger service."""
        ...

    def rearm(self, epoch: int, stops: int, then: Then) -> None:
        """Re-arm, as ordered in a state that was seen: no re-arm outlives a STOP.

        Args:
            epoch: Of the safety state that was seen.
            stops: Number of stops in it; a later one refuses the re-arm.
            then: Hears success and message.
        """
        ...

    def set_instruction(self, text: str, then: Then) -> None:
        """Set what the policy is to do."""
        ...

    def start_run(self, text: str, time_limit_s: float, then: Then, ended: Then) -> None:
        """Send the RunPolicy goal; `then` hears whether it was taken, `ended` why it ended.

        Args:
            text: Instruction.
            time_limit_s: The run ends after it; 0: never.
            then: Hears whether it was taken.
            ended: Hears why it ended.
        """
        ...

    def set_speed(self, share: float, then: Then) -> None:
        """Use this part of the executor's speed limit."""
        ...

    def reset_sim(self, task: str, seed: int, then: Callable[[bool, str, str], None]) -> None:
        """New start state; the callback gets success, message and the task's instruction.

        Args:
            task: Name of the task.
            seed: Of the start state.
            then: Hears success, message and the task's instruction.
        """
        ...

    def image(self) -> JpegImage | None:
        """The newest camera image."""
        ...


class OperatorDesk:
    """One operator's page of any graph.

    Args:
        robot: the graph.
        view: what is known of it.
        latch: carries STOP.
        tasks: names of the simulator's tasks; empty on a real robot.
    """

    pages: Mapping[str, Page] = {
        "/": Page(_STATIC / "index.html", "text/html"),
        "/operate.js": Page(_STATIC / "operate.js", "text/javascript"),
        "/operate.css": Page(_STATIC / "operate.css", "text/css"),
    }

    def __init__(self, robot: Robot, view: RobotView, latch: StopLatch, tasks: Sequence[str] = ()) -> None:
        self._robot, self._view, self._latch, self._tasks = robot, view, latch, list(tasks)
        self._busy = self._ending = ""
        self._orders: dict[str, Callable[[Told], str]] = {
            "rearm": self._rearm,
            "instruct": self._instruct,
            "run": self._run,
            "end": lambda _: self._end("ended here"),
            "home": self._home,
            "record": lambda _: self._trigger("recorder/start", "starting the recorder", "recording"),
            "save": lambda _: self._trigger("recorder/save", "saving the episode", "saved: {}"),
            "discard": lambda _: self._trigger("recorder/discard", "discarding the episode", "discarded: {}"),
            "reset": self._reset,
            "speed": self._speed,
        }

    @property
    def stops(self) -> int:
        """Stops that the supervisor reported."""
        return self._view.stops

    def state(self) -> dict[str, Any]:
        """State of robot, run, recording and simulation."""
        return self._view.page() | {
            "stopping": self._latch.is_wanted, "busy": self._busy, "tasks": self._tasks
        }  # fmt: skip

    def images(self) -> Mapping[int, JpegImage]:
        """The head camera with the predicted wrist paths."""
        image = self._robot.image()
        return {} if image is None else {CAMERA: image}

    def stop(self, person: str) -> None:
        """STOP."""
        self._latch.press()
        self._view.say("STOP was pressed here.", ok=False)

    def order(self, told: Told) -> str:
        """Take an order; refusals are told at once, results in the page's message."""
        act = self._orders.get(told.what)
        if act is None:
            return f"Unknown order '{told.what[:40]}'."
        if self._busy and told.what != "end":
            return f"Still {self._busy}."
        return act(told)

    def _send(self, doing: str, call: Callable[[], None]) -> str:
        """Send in turn, unless a STOP came before the turn did."""
        pressed, stops = self._latch.pressed, self._view.stops
        self._busy = doing
        self._view.say(f"{doing[0].upper()}{doing[1:]} …")

        def in_turn() -> None:
            if (pressed, stops) != (self._latch.pressed, self._view.stops):
                self._done(False, STALE)
            else:
                call()

        self._robot.in_turn(in_turn)
        return ""

    def _done(self, ok: bool, text: str) -> None:
        self._busy = ""
        self._view.say(text[:1].upper() + text[1:], ok=ok)

    def _trigger(self, service: str, doing: str, done: str) -> str:
        def then(ok: bool, message: str) -> None:
            self._done(ok, done.format(message) if ok else message)

        return self._send(doing, lambda: self._robot.trigger(service, then))

    def _rearm(self, _: Told) -> str:
        pressed, seen = self._latch.pressed, self._view.newest("safety", 3.0)
        if seen is None:
            return "The safety supervisor is silent."
        epoch, stops = int(seen.epoch), int(seen.stops)

        def then(ok: bool, message: str) -> None:
            if self._latch.answered(pressed):
                self._done(False, "STOP was pressed while re-arming; it holds.")
            else:
                self._done(ok, "armed: the robot may move" if ok else message)

        return self._send("re-arming", lambda: self._robot.rearm(epoch, stops, then))

    def _instruct(self, told: Told) -> str:
        if not told.text.strip():
            return "Type an instruction first."
        return self._send(
            "setting the instruction",
            lambda: self._robot.set_instruction(
                told.text, lambda ok, message: self._done(ok, f"instruction: {message}" if ok else message)
            ),
        )

    def _run(self, told: Told) -> str:
        if self._view.run["running"]:
            return "A run is under way; end it first."
        text = told.text.strip()
        try:
            limit_s = max(0.0, float(told.said.get("time_limit_s", 0.0)))
        except (TypeError, ValueError, OverflowError):
            return "The time limit is a number of seconds; 0 is none."

        def then(ok: bool, message: str) -> None:
            self._view.run = {"running": ok, "instruction": text, "result": "" if ok else message}
            self._done(ok, "the policy runs" if ok else message)

        self._ending = ""

        def ended(ok: bool, message: str) -> None:
            if self._ending and self._view.safety_state == ARMED:  # whoever ended it knows why better than the node
                ok, message = True, self._ending
            self._view.run = {**self._view.run, "running": False, "result": message}
            self._view.say(f"The run has ended: {message}", ok=ok)

        return self._send("starting the policy", lambda: self._robot.start_run(text, limit_s, then, ended))

    def _home(self, _: Told) -> str:
        executor = self._view.newest("executor")
        before = executor.homes if executor is not None else None

        def then(ok: bool, message: str) -> None:
            if ok and before is not None:
                self._view.hear("homing", before)
            self._done(ok, "on the way to the ready posture" if ok else message)

        return self._send("asking for the ready posture", lambda: self._robot.trigger("executor/home", then))

    def _speed(self, told: Told) -> str:
        try:
            percent = int(told.said.get("percent", 0))
        except (TypeError, ValueError, OverflowError):
            percent = 0
        if not SLOWEST_PERCENT <= percent <= 100:
            return f"The speed is {SLOWEST_PERCENT} to 100 percent."

        def then(ok: bool, message: str) -> None:
            if ok:
                self._view.speed_share = percent / 100
            self._done(ok, f"at {percent} percent of the speed" if ok else message)

        return self._send("changing the speed", lambda: self._robot.set_speed(percent / 100, then))

    def watch(self) -> None:
        """Look whether a move to the ready posture, or a simulated task, has come to its end; called often."""
        executor, before = self._view.newest("executor"), self._view.newest("homing", 60.0)
        if executor is not None and before is not None and executor.homes != before:
            self._view.hear("homing", executor.homes)
            if executor.home_result:
                self._view.say(f"The ready posture was not reached: {executor.home_result}", ok=False)
            else:
                self._view.say("The arms are in the ready posture.")
        if self._view.run["running"] and (lost := self._view.why_no_run_goes_on()):
            self._view.run = {**self._view.run, "running": False, "result": lost}
        sim = self._view.sim
        if self._view.run["running"] and sim is not None and (sim.success or sim.failed) and not self._busy:
            self._end("the task is done" if sim.success else "the object is lost")

    def _end(self, why: str) -> str:
        self._ending = why
        return self._trigger("policy/stop", "ending the run", f"the run has ended: {why}")

    def _reset(self, told: Told) -> str:
        if self._view.sim is None:
            return "There is no simulation to reset."
        if self._view.run["running"]:
            return "End the run first."
        try:
            seed = int(told.said.get("seed", 0))
        except (TypeError, ValueError, OverflowError):
            return "The start state is a whole number."

        def then(ok: bool, message: str, instruction: str) -> None:
            if ok and instruction:
                self._robot.set_instruction(
                    instruction, lambda good, why: self._done(good, "the scene is set up anew" if good else why)
                )
            else:
                self._done(ok, "the scene is set up anew" if ok else message)

        return self._send("resetting the scene", lambda: self._robot.reset_sim(told.text, max(0, seed), then))
