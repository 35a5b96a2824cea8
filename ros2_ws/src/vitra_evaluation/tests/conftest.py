from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from vitra_console.web.presence import Presence
from vitra_evaluation.backends.port import Check, Event
from vitra_evaluation.console.server import ConsoleAddress, ConsoleServer
from vitra_evaluation.plan.file import parse_plan
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.plan.schedule import Slot
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.orders import Order
from vitra_evaluation.session.runner import Runner
from vitra_evaluation.session.trial import Command, Status
from vitra_policy.errors import VitraError


@pytest.fixture
def small_plan() -> Plan:
    """Two policies, one task, three trials each."""
    return parse_plan((Path(__file__).parent / "data/small.yaml").read_text(), None)


class FakePort:
    """A robot that does what the test says; its clock moves only when it is looked at."""

    def __init__(self, automatic: bool = True, duration_s: float = 1.0) -> None:
        self.automatic = automatic
        self.clock_s, self.duration_s = 0.0, duration_s
        self.armed, self.began_s = True, 0.0
        self.stops = 0
        self.told: list[str] = []
        self.news: list[Event] = []
        self.stop_cause = ""
        self.bag_works, self.start_fails = True, 0
        self.start_error = VitraError("the policy is gone")
        self.outcome = lambda number: True
        self.started = 0
        self.running = False

    def checks(self) -> list[Check]:
        return [Check("camera", ok=True), Check("armed", ok=self.armed, detail="" if self.armed else "re-arm")]

    def arm(self) -> None:
        self.told.append("arm")
        self.armed, self.stop_cause = True, ""

    def stop(self) -> None:
        self.stops += 1
        self.armed, self.stop_cause = False, "operator_stop"

    def home(self) -> None:
        self.told.append("home")

    def reset(self, slot: Slot, plan: Plan) -> None:
        self.told.append(f"reset {slot.layout}")

    def start(self, slot: Slot, plan: Plan, folder: Path) -> None:
        if self.start_fails:
            self.start_fails -= 1
            raise self.start_error
        self.started += 1
        self.running, self.began_s = True, self.clock_s

    def status(self) -> Status:
        self.clock_s += 0.25
        over = self.automatic and self.clock_s - self.began_s >= self.duration_s
        success = over and self.outcome(self.started)
        return Status(
            self.clock_s, self.stop_cause, bool(self.stop_cause), success=success, failed=over and not success
        )

    def now_s(self) -> float:
        return self.clock_s

    def events(self) -> list[Event]:
        news, self.news = self.news, []
        return news

    def finish(self, folder: Path) -> Path | None:
        self.running = False
        if not self.bag_works:
            return None
        write_bag(folder / "bag")
        return folder / "bag"

    def image(self) -> bytes | None:
        image = np.full((24, 42, 3), 90, np.uint8)
        image[8:16, 10:20] = 255
        return bytes(cv2.imencode(".jpg", image)[1])

    def close(self) -> None:
        pass


def write_bag(path: Path, seconds: float = 2.0) -> None:
    """A bag with one arm that moves smoothly once."""
    types = get_typestore(Stores.ROS2_JAZZY)
    make = types.types
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/right_arm/joint_states", "sensor_msgs/msg/JointState", typestore=types)
        for i in range(round(seconds * 50)):
            time_ns = 10**9 + i * 20_000_000
            header = make["std_msgs/msg/Header"](
                make["builtin_interfaces/msg/Time"](time_ns // 10**9, time_ns % 10**9), ""
            )
            q = np.full(7, 1 - np.cos(np.pi * i / (seconds * 50)))
            message = make["sensor_msgs/msg/JointState"](header, ["j"] * 7, q, np.zeros(0), np.zeros(0))
            writer.write(connection, time_ns, types.serialize_cdr(message, "sensor_msgs/msg/JointState"))


@pytest.fixture
def fake_port() -> FakePort:
    """An automatic fake robot."""
    return FakePort()


@pytest.fixture
def attended_port() -> FakePort:
    """A fake robot whose trials a person starts and judges."""
    return FakePort(automatic=False)


class LivePort(FakePort):
    """A fake robot on the wall clock, for consoles."""

    def __init__(self) -> None:
        super().__init__(automatic=False)
        self.stopped_at_s = 0.0
        self._pause = threading.Event()

    @property
    def safety(self) -> SimpleNamespace:
        state = 1 if self.armed else 2
        return SimpleNamespace(
            state=state, stop_cause=self.stop_cause, stop_source="operator", stop_detail="", not_ready=[]
        )

    def stop(self) -> None:
        self.stopped_at_s = time.time()
        super().stop()

    def status(self) -> Status:
        self._pause.wait(0.02)
        return Status(self.now_s(), self.stop_cause, bool(self.stop_cause))

    def now_s(self) -> float:
        return time.monotonic()


@dataclass
class ConsoleUnderTest:
    """A session in progress behind a console."""

    session: Session
    port: LivePort
    presence: Presence
    runner: Runner
    url: str
    address: str
    outcome: list[object]
    thread: threading.Thread

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
        deadline_s = time.monotonic() + timeout_s
        tick = threading.Event()
        while not condition():
            assert time.monotonic() < deadline_s, "waited in vain"
            tick.wait(0.02)


TOKEN = "correct-horse"


@pytest.fixture
def console(small_plan: Plan, tmp_path: Path) -> Iterator[ConsoleUnderTest]:
    """An attended session, waiting for orders from its console."""
    session = Session.create(tmp_path / "session", small_plan)
    port, presence, outcome = LivePort(), Presence(timeout_s=5.0), []
    runner = Runner(session, port, "ann")

    def run() -> None:
        try:
            outcome.append(runner.run())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    with ConsoleServer(runner, port, session, presence, ConsoleAddress(TOKEN, tcp_port=0)) as server:
        thread.start()
        address = f"http://127.0.0.1:{server.port}"
        yield ConsoleUnderTest(session, port, presence, runner, f"{address}/#token={TOKEN}", address, outcome, thread)
        port.armed = True
        for _ in range(20):
            if not thread.is_alive():
                break
            runner.give(Order(Command.VOID, "test over"))
            runner.give(Order(Command.QUIT))
            thread.join(1.0)
    session.close()
