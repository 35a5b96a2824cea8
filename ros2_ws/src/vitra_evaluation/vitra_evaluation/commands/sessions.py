"""A session from its start to its report, and what may be done to it in between."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.markup import escape

from vitra_console.web.access import default_token
from vitra_evaluation.commands.planning import check_camera, check_setup, load_plan
from vitra_evaluation.commands.screen import console
from vitra_evaluation.errors import SessionError
from vitra_evaluation.plan.plan import Robot
from vitra_evaluation.report.write import write_report
from vitra_evaluation.session.attempt import Outcome
from vitra_evaluation.session.attended_session import AttendedSession, AttendedSettings
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.orders import read_label
from vitra_evaluation.session.provenance import misplaced_inputs, plan_hashes
from vitra_evaluation.session.trial_setup import Arms, Graph, Setup, resumed
from vitra_evaluation.session.verification import verify
from vitra_policy.errors import UnknownNameError

QUIT = 3
"""Exit code of a session that can be gone on with."""


@dataclass(frozen=True)
class Options:
    """How trials are attended."""

    person: str = "evaluator"
    """Who evaluates, for the record."""
    console: bool = False
    """Serve the web console; on the real robot it is always served."""
    host: str = "127.0.0.1"
    """Address of the console; another one than loopback opens it to the network, and shows a QR code for the phone."""
    allow_host: tuple[str, ...] = ()
    """Further names under which the console is reached, e.g. robot-pc.local, or the name of a tunnel."""
    port: int = 8765
    """Port of the console."""
    token: str = ""
    """Token of the console; default: drawn and shown."""
    domain_id: int | None = None
    """ROS domain; default: ROS_DOMAIN_ID."""
    report: bool | None = None
    """Write the report when the session is complete; default: only where nobody judged (second judges come first)."""


@dataclass(frozen=True)
class Run:
    """Begin a new session."""

    plan: tyro.conf.Positional[Path]
    """The plan: a YAML file, or the name of a shipped one."""
    out: Path = Path("runs/eval/session")
    """Folder of the session; must not hold anything yet."""
    setup: tyro.conf.OmitArgPrefixes[Setup] = Setup()
    options: tyro.conf.OmitArgPrefixes[Options] = Options()


@dataclass(frozen=True)
class Resume:
    """Go on with a session, after a break, a crash or a power cut."""

    session: tyro.conf.Positional[Path]
    """Folder of the session."""
    graph: Graph | None = None
    """As the session was begun, which is the default; a launched graph may be attached to, and the other way round."""
    arms: Arms | None = None
    """As the session was begun, which is the default."""
    render: tyro.conf.FlagCreatePairsOff[bool] = False
    """As the session was begun; need not be given."""
    options: tyro.conf.OmitArgPrefixes[Options] = Options()


@dataclass(frozen=True)
class Report:
    """Open the names of a finished session and write its report; nothing can be changed after that."""

    session: tyro.conf.Positional[Path]
    """Folder of the session."""
    unseal: bool = False
    """End the session here although trials are missing."""


@dataclass(frozen=True)
class Verify:
    """Check that a session is still what was recorded: plan, seal, record, bags, videos, checkpoints, report."""

    session: tyro.conf.Positional[Path]
    """Folder of the session."""
    anchor: tuple[str, ...] = ()
    """Anchors that somebody wrote down; without one, a record that was made anew as a whole goes unnoticed."""


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
class Correct:
    """Set the label of the last trial right, before the next one begins."""

    session: tyro.conf.Positional[Path]
    """Folder of the session."""
    trial: int
    """Number of the trial."""
    label: str
    """success, safety_stop, or a failure code of the plan."""
    reason: str
    """Why."""
    person: str = "evaluator"
    """Who says so."""


@dataclass(frozen=True)
class Rate:
    """A second judge labels a trial from its video, before the report."""

    session: tyro.conf.Positional[Path]
    """Folder of the session."""
    trial: int
    """Number of the trial."""
    outcome: Outcome
    """What the video shows."""
    rater: str
    """Who judges."""


def run(command: Run) -> int:
    """Begin a session."""
    plan = load_plan(command.plan)
    check_setup(plan, command.setup)
    check_camera(plan, command.setup)
    session = Session.create(command.out, plan, plan_hashes(plan), setup=command.setup)
    console.print(f"anchor of the locked session, to write down or to send: [bold]{session.store.anchor}[/bold]")
    return sit(session, command.setup, command.options)


def resume(command: Resume) -> int:
    """Go on with a session."""
    session = Session.load(command.session)
    try:
        setup = resumed(command.session, session.setup, command.graph, command.arms, command.render)
        check_setup(session.plan, setup)
        check_place(session)
        session.hold()
    except BaseException:
        session.close()
        raise
    return sit(session, setup, command.options)


def report(command: Report) -> int:
    """Write the report; 1 when something is not as it was recorded, which the report says too."""
    with changing(command.session) as session:
        problems = _written_report(session, command.unseal)
        console.print(f"anchor: [bold]{session.store.anchor}[/bold]")
    return 1 if problems else 0


def _written_report(session: Session, unseal: bool = False) -> list[str]:
    """Write the report and say where it is; returns, and says, what is not as it was recorded."""
    path = write_report(session, unseal)
    problems: list[str] = json.loads((path.parent / "report.json").read_text())["problems"]
    console.print(f"report: {path}", soft_wrap=True, markup=False)
    for problem in problems:
        console.print(f"[red]changed:[/red] {escape(problem)}", soft_wrap=True)
    if problems:
        says = f"The report says so too. All that can be checked: vitra-eval verify {session.folder}"
        console.print(says, soft_wrap=True)
    return problems


def check(command: Verify) -> int:
    """Verify a session; 1 when something is not as it was recorded."""
    found = verify(command.session, command.anchor)
    for problem in found.problems:
        console.print(f"[red]changed:[/red] {escape(problem)}", soft_wrap=True)
    for note in found.notes:
        console.print(f"note: {escape(note)}", soft_wrap=True)
    if not found.problems:
        console.print(f"{found.checked} files and the record are as they were written{_fitting(found.anchors)}")
        if not command.anchor:
            console.print("Without an anchor from that time nobody can tell a record that was made anew as a whole.")
    return 1 if found.problems else 0


def _fitting(anchors: int) -> str:
    """Of anchors that fit, which all do that were given."""
    if not anchors:
        return "; no anchor was given (--anchor)"
    return f"; {anchors} anchor{'s fit' if anchors > 1 else ' fits'}"


def void(command: Void) -> int:
    """Void a trial."""
    with changing(command.session) as session:
        known(session, command.trial)
        session.store.void(command.trial, command.reason, command.person)
    return 0


def correct(command: Correct) -> int:
    """Correct a label."""
    with changing(command.session) as session:
        known(session, command.trial)
        label = read_label(f"{command.label}: {command.reason}", session.plan.failure_codes)
        session.store.correct(command.trial, label.outcome, label.failure_code, label.reason, command.person)
    return 0


def rate(command: Rate) -> int:
    """Add a second judge's label."""
    with changing(command.session) as session:
        known(session, command.trial)
        session.store.rate(command.trial, command.rater, command.outcome)
    return 0


def check_place(session: Session) -> None:
    """Refuse to go on from a folder where the plan's relative paths lead elsewhere.

    Raises:
        SessionError: which, and from where to go on.
    """
    if session.made_in is not None and (lost := misplaced_inputs(session.plan, session.made_in)):
        raise SessionError(
            f"From here {', '.join(lost)} would not be what the session was begun with. Go on from there: "
            f"cd {session.made_in}, then vitra-eval resume {session.folder.resolve()}"
        )


@contextlib.contextmanager
def changing(folder: Path) -> Iterator[Session]:
    """A session that this program alone may change; closed again."""
    session = Session.load(folder)
    try:
        session.hold()
        yield session
    finally:
        session.close()


def known(session: Session, trial: int) -> None:
    """Refuse numbers of trials that were never begun.

    Raises:
        UnknownNameError: there is no such trial; the message lists those there are.
    """
    numbers = [str(a.id) for a in session.store.attempts()]
    if str(trial) not in numbers:
        raise UnknownNameError("trial", str(trial), numbers)


def sit(session: Session, setup: Setup, options: Options) -> int:
    """Run trials until the session is complete or the evaluator leaves; then the report.

    Args:
        session: Held; closed at the end.
        setup: Where the trials run.
        options: How they are attended.
    """
    try:
        settings = AttendedSettings(
            graph=setup.graph, arms=setup.arms, person=options.person, console=options.console,
            host=options.host, port=options.port, token=options.token or default_token(),
            domain_id=options.domain_id, render=setup.render, names=options.allow_host,
        )  # fmt: skip
        complete = AttendedSession(session, settings, console.print).run()
        console.print(f"anchor of the record so far: [bold]{session.store.anchor}[/bold]")
        if not complete:
            console.print(f"to go on: vitra-eval resume {session.folder}")
            return QUIT
        automatic = session.plan.robot is Robot.SIM and not options.console
        if options.report if options.report is not None else automatic:
            _written_report(session)
        else:
            console.print(f"second judges first (vitra-eval rate), then: vitra-eval report {session.folder}")
        return 0
    finally:
        session.close()
