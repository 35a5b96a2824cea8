"""The doctor node: nothing is armed before it has found everything in order; the supervisor waits for it.

It examines when the graph has come up and again every few seconds until nothing forbids arming; from then on it only
beats. `doctor/report` (std_msgs/String, latched) holds the report as JSON.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from std_msgs.msg import String

from vitra_doctor.examination import ALL_CHECKS, Subject, examine_graph, examine_machine
from vitra_doctor.finding import Report, report
from vitra_doctor.listener import GraphListener
from vitra_runtime import qos
from vitra_runtime.domain import domain_id
from vitra_runtime.node import StackNode, run
from vitra_runtime.parameters import param
from vitra_runtime.threads import WatchedThread

_SETTLE_S = 3.0


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of the doctor."""

    arms: str = param("right", "Arms (with their hands) that are driven", choices=("left", "right", "both"))
    calibration: str = param("sim", "Calibration: a name in config/calibration, or a path ending in .yaml")
    robot: str = param("", "What is driven; empty: what the calibration says", choices=("", "sim", "real"))
    xhand_sdk: str = param("xhand_controller", "Python module of the XHand SDK")
    required_nodes: tuple[str, ...] = param((), "Nodes that must beat, by name; empty: those of every graph")
    episodes_dir: str = param("runs/episodes", "Where episodes are written")
    table_height_m: float = param(0.75, "Table over base_link; below 0: no table", unit="m", bounds=(-1.0, 2.0))
    camera_rate_hz: float = param(30.0, "Nominal rate of the head camera", unit="Hz", bounds=(1.0, 120.0))
    listen_s: float = param(3.0, "How long the graph is heard", unit="s", bounds=(1.0, 15.0))
    retry_s: float = param(5.0, "Pause between two examinations", unit="s", bounds=(0.5, 60.0))

    @property
    def subject(self) -> Subject:
        """What is examined."""
        return Subject(
            arms=self.arms,
            calibration=self.calibration,
            robot=self.robot,
            xhand_sdk=self.xhand_sdk,
            folder=Path(self.episodes_dir),
            table_height_m=self.table_height_m,
            camera_hz=self.camera_rate_hz,
            nodes=tuple(name for name in self.required_nodes if name),
            domain=domain_id(),
        )


class DoctorNode(StackNode[Parameters]):
    """Examines in a thread of its own."""

    def __init__(self) -> None:
        super().__init__("doctor", Parameters)
        self._publisher = self.stream_publisher(String, "doctor/report", qos.LATCHED)
        self._ended = threading.Event()
        self._examiner: WatchedThread | None = None

    def start(self) -> None:  # noqa: D102
        self._ended.clear()
        self.waits_for("the robot is being examined")
        self._examiner = WatchedThread(self._examine_until_green, name="examination", should_run=None)
        self._examiner.start()

    def halt(self) -> None:  # noqa: D102
        self._ended.set()
        if self._examiner is not None:
            self._examiner.join(timeout=20.0)
            self._examiner = None

    def _examine_until_green(self) -> None:
        pause_s, said = _SETTLE_S, ""
        while not self._ended.wait(pause_s):
            pause_s = self.params.retry_s
            result = self._examine()
            self._publisher.publish(String(data=result.to_json()))
            self.waits_for("; ".join(f"{finding.check}: {finding}" for finding in result.errors))
            words = "\n".join(f"{finding.level}: {finding.check}: {finding}" for finding in result.findings)
            if words != said:
                said = words
                self.get_logger().warning(f"examined in {result.took_s:.1f} s:\n{words}")
            if result.is_green:
                self.get_logger().info("examined: the robot may be armed")
                return

    def _examine(self) -> Report:
        begin_s, subject = time.monotonic(), self.params.subject
        findings = list(examine_machine(subject))
        heard = GraphListener(self, subject.arms).listen(self.params.listen_s, self._ended.wait)  # type: ignore[arg-type]
        findings += examine_graph(subject, heard)
        return report(findings, ALL_CHECKS, time.monotonic() - begin_s)


def main(args: list[str] | None = None) -> None:
    """Entry point."""
    sys.exit(run(DoctorNode, args))


if __name__ == "__main__":
    main()
