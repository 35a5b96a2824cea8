"""`vitra-doctor`: examines this machine and the running graph before a robot moves; what it finds, it says how to mend.

    vitra-doctor                                       the graph of this ROS domain, right arm, simulator's calibration
    vitra-doctor --arms both --calibration ~/lab.yaml  a real robot
    vitra-doctor --no-graph                            only the machine, before anything is launched
    vitra-doctor --json                                for programs

Exit codes: 0 the robot may be armed, 1 something forbids it, 130 Ctrl-C. Launch runs the same before a real robot's
first arming (doctor:=true).
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import rclpy
import tyro
from rclpy.context import Context
from rich.console import Console

from vitra_doctor.checks.machine_checks import MACHINE_CHECKS
from vitra_doctor.examination import ALL_CHECKS, Subject, examine_graph, examine_machine
from vitra_doctor.finding import Finding, Level, Report, report
from vitra_doctor.listener import GraphListener
from vitra_runtime.domain import domain_id

_DISCOVERY_S = 1.0
_COLOURS = {Level.ERROR: "red", Level.WARNING: "yellow"}


@dataclass(frozen=True)
class Args:
    """Examine machine, graph, devices and calibration."""

    arms: Literal["left", "right", "both"] = "right"
    """Arms (with their hands) that are driven."""
    calibration: str = "sim"
    """Calibration: a name in config/calibration, or a path ending in .yaml."""
    robot: Literal["", "sim", "real"] = ""
    """What is driven; empty: what the calibration says."""
    graph: bool = True
    """Examine the running graph too; --no-graph: only the machine."""
    listen_s: float = 3.0
    """How long the graph is heard."""
    table_height_m: float = 0.75
    """Table over base_link; below 0: no table."""
    episodes: Path = Path("runs/episodes")
    """Where episodes are written."""
    domain_id: int | None = None
    """ROS domain; default: ROS_DOMAIN_ID."""
    json: bool = False
    """Print one JSON object instead of words."""


def examine(args: Args) -> Report:
    """Look, hear and judge."""
    begin_s = time.monotonic()
    domain = domain_id() if args.domain_id is None else args.domain_id
    subject = Subject(
        arms=args.arms,
        calibration=args.calibration,
        robot=args.robot,
        folder=args.episodes,
        table_height_m=args.table_height_m,
        domain=domain,
    )
    findings: list[Finding] = list(examine_machine(subject))
    if args.graph:
        findings += _examine_graph(subject, args.listen_s)
    return report(findings, ALL_CHECKS if args.graph else MACHINE_CHECKS, time.monotonic() - begin_s)


def _examine_graph(subject: Subject, listen_s: float) -> list[Finding]:
    context = Context()
    context.init(domain_id=subject.domain)
    try:
        node = rclpy.create_node("vitra_doctor", context=context)
        listener = GraphListener(node, subject.arms)
        time.sleep(_DISCOVERY_S)
        findings = list(examine_graph(subject, listener.listen(listen_s)))
        node.destroy_node()
        return findings
    finally:
        context.try_shutdown()


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = tyro.cli(Args, prog="vitra-doctor", description=__doc__, args=argv)
    try:
        result = examine(args)
    except KeyboardInterrupt:
        return 130
    if args.json:
        sys.stdout.write(result.to_json() + "\n")
    else:
        _show(result)
    return 0 if result.is_green else 1


def _show(result: Report) -> None:
    screen = Console(highlight=False)
    found = {finding.check for finding in result.findings}
    for finding in result.findings:
        screen.print(f"[{_COLOURS[finding.level]}]{finding.level}[/] {finding.check}: ", end="")
        screen.print(finding.what, markup=False, soft_wrap=True)
        screen.print(f"        mend: {finding.mend}", markup=False, soft_wrap=True)
    well = [name for name in result.checks if name not in found]
    screen.print(f"in order: {', '.join(well)}", soft_wrap=True)
    verdict = (
        "[green]the robot may be armed[/]"
        if result.is_green
        else f"[red]{len(result.errors)} findings forbid arming[/]"
    )
    screen.print(f"{len(result.checks)} checks in {result.took_s:.1f} s: {verdict}")


if __name__ == "__main__":
    sys.exit(main())
