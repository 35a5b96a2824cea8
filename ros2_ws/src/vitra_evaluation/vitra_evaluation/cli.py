"""`vitra-eval`: check a plan, run or resume a blind session, look after its seal, write its report."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.markup import escape

from vitra_console.web.access import default_token
from vitra_evaluation.plan.file import read_plan
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.plan.scene import check_scene
from vitra_evaluation.report.write import write_report
from vitra_evaluation.session.attended_session import Sitting, SittingSettings
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.provenance import plan_hashes
from vitra_evaluation.session.store import Outcome
from vitra_policy.errors import UnknownNameError, VitraError
from vitra_policy.policies.registry import policy_names

console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class CheckPlan:
    """Check a plan and show how long it takes; nothing moves."""

    plan: tyro.conf.Positional[Path]
    """The plan: a YAML file, or the name of a shipped one (demo, table2_sim, table2_real)."""


@dataclass(frozen=True)
class Options:
    """How trials are made."""

    graph: Literal["launch", "attach", "lockstep"] = "launch"
    """launch starts the robot graph; attach uses the one that runs; lockstep simulates without it, faster."""
    arms: Literal["right", "left", "both"] = "right"
    """Arms of the robot."""
    person: str = "evaluator"
    """Who evaluates, for the record."""
    console: bool = False
    """Serve the web console; on the real robot it is always served."""
    host: str = "127.0.0.1"
    """Address of the console; another one than loopback opens it to the network."""
    port: int = 8765
    """Port of the console."""
    token: str = ""
    """Token of the console; default: drawn and shown."""
    domain_id: int | None = None
    """ROS domain; default: ROS_DOMAIN_ID."""
    render: bool = False
    """Lockstep: render the head camera for the policies."""
    report: bool = True
    """Write the report when the session is complete."""


@dataclass(frozen=True)
class Run:
    """Begin a new session."""

    plan: tyro.conf.Positional[Path]
    """The plan: a YAML file, or the name of a shipped one."""
    out: Path = Path("runs/eval/session")
    """Folder of the session; must not hold one yet."""
    options: tyro.conf.OmitArgPrefixes[Options] = Options()


@dataclass(frozen=True)
class Resume:
    """Go on with a session, after a break, a crash or a power cut."""

    session: tyro.conf.Positional[Path]
    """Folder of the session."""
    options: tyro.conf.OmitArgPrefixes[Options] = Options()


@dataclass(frozen=True)
class Report:
    """Open the seal of a finished session and write its report."""

    session: tyro.conf.Positional[Path]
    """Folder of the session."""
    unseal: bool = False
    """End the session here although trials are missing."""


@dataclass(frozen=True)
class SealCheck:
    """Check that plan, schedule and seal are as they were locked, without telling who is who."""

    session: tyro.conf.Positional[Path]
    """Folder of the session."""


@dataclass(frozen=True)
class Void:
    """Take a recorded trial out of the statistics; it is made again."""

    session: tyro.conf.Positional[Path]
    """Folder of the session."""
    trial: int
    """Number of the trial."""
    reason: str
    """Why."""
    person: str = "evaluator"
    """Who says so."""


@dataclass(frozen=True)
class Rate:
    """A second judge labels a trial from its video."""

    session: tyro.conf.Positional[Path]
    """Folder of the session."""
    trial: int
    """Number of the trial."""
    outcome: Outcome
    """What the video shows."""
    rater: str
    """Who judges."""


Command = (
    Annotated[CheckPlan, tyro.conf.subcommand("plan")]
    | Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Resume, tyro.conf.subcommand("resume")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[SealCheck, tyro.conf.subcommand("seal-check")]
    | Annotated[Void, tyro.conf.subcommand("void")]
    | Annotated[Rate, tyro.conf.subcommand("rate")]
)


def main() -> int:
    """Entry point."""
    command: Command = tyro.cli(Command, description=__doc__)  # type: ignore[call-overload]
    try:
        return dispatch(command)
    except VitraError as error:
        console.print(f"[red]vitra-eval:[/red] {escape(str(error))}", markup=True, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        console.print("interrupted; go on with vitra-eval resume")
        return 130


def dispatch(command: Command) -> int:
    """Run one subcommand."""
    match command:
        case CheckPlan():
            describe(load_plan(command.plan))
            return 0
        case Run():
            plan = load_plan(command.plan)
            return sit(Session.create(command.out, plan, plan_hashes(plan)), command.options)
        case Resume():
            return sit(Session.load(command.session), command.options)
        case Report():
            with opened(command.session) as session:
                console.print(f"report: {write_report(session, command.unseal)}")
            return 0
        case SealCheck():
            with opened(command.session) as session:
                problems = session.problems()
                done, total = len(session.store.counted()), len(session.schedule.slots)
                console.print(*problems or ["plan, schedule and seal are as they were locked"], sep="\n")
                console.print(f"{done} of {total} trials count; {'unsealed' if session.is_unsealed else 'sealed'}")
            return 1 if problems else 0
        case Void():
            with opened(command.session) as session:
                known(session, command.trial)
                session.store.void(command.trial, command.reason, command.person)
            return 0
        case Rate():
            with opened(command.session) as session:
                known(session, command.trial)
                session.store.rate(command.trial, command.rater, command.outcome)
            return 0


def load_plan(path: Path) -> Plan:
    """A checked plan from a file, or a shipped one by name.

    Raises:
        PlanError: what is wrong with it, line by line.
    """
    path = plan_path(path)
    plan = read_plan(path, policy_names())
    check_scene(plan, path)
    return plan


def plan_path(path: Path) -> Path:
    """The file of a plan.

    Raises:
        UnknownNameError: no file, and no shipped plan of that name.
    """
    if path.suffix in (".yaml", ".yml"):
        return path
    from ament_index_python.packages import get_package_share_directory

    shipped = {
        p.stem: p for p in sorted((Path(get_package_share_directory("vitra_evaluation")) / "plans").glob("*.yaml"))
    }
    if path.name not in shipped:
        raise UnknownNameError("plan", str(path), shipped, "Or give the path of a .yaml file.")
    return shipped[path.name]


def describe(plan: Plan) -> None:
    """What a plan asks for."""
    console.print(f"[bold]{plan.name}[/bold] ({plan.robot}): {', '.join(p.name for p in plan.policies)}")
    for cell in plan.cells:
        console.print(f"  {cell.key}: {cell.trials} trials for each of {len(plan.policies)} policies")
    hours = plan.longest_s / 3600
    console.print(
        f"{plan.trials} trials; {hours:.1f} h if every one takes its {plan.time_limit_s:g} s + {plan.reset_s:g} s"
    )


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Session]:
    """A session that is closed again."""
    session = Session.load(folder)
    try:
        yield session
    finally:
        session.close()


def known(session: Session, trial: int) -> None:
    """Refuse numbers of trials that were never begun."""
    numbers = [str(a.id) for a in session.store.attempts()]
    if str(trial) not in numbers:
        raise UnknownNameError("trial", str(trial), numbers)


def sit(session: Session, options: Options) -> int:
    """Run trials until the session is complete or the evaluator leaves; then the report."""
    try:
        settings = SittingSettings(
            graph=options.graph, arms=options.arms, person=options.person, console=options.console,
            host=options.host, port=options.port, token=options.token or default_token(),
            domain_id=options.domain_id, render=options.render,
        )  # fmt: skip
        complete = Sitting(session, settings, console.print).run()
        if not complete:
            console.print(f"to go on: vitra-eval resume {session.folder}")
            return 3
        if options.report:
            console.print(f"report: {write_report(session)}")
        return 0
    finally:
        session.close()


if __name__ == "__main__":
    sys.exit(main())
