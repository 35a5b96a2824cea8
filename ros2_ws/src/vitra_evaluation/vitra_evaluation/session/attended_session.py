"""One sitting of an evaluator: brings robot, console, terminal and runner together, and takes them down again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from vitra_evaluation.backends.port import TrialPort
from vitra_evaluation.blinding.blinded_policy import BlindedPolicy
from vitra_evaluation.errors import SessionError
from vitra_evaluation.plan.plan import Robot
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.provenance import calibration_key
from vitra_evaluation.session.runner import Runner
from vitra_evaluation.session.terminal import Terminal
from vitra_evaluation.session.view import View
from vitra_policy.action_space import sides_of

_READY_S = 120.0


@dataclass(frozen=True, slots=True)
class AttendedSettings:
    """See `vitra_evaluation.cli.Options`."""

    graph: str
    arms: str
    person: str
    console: bool
    host: str
    port: int
    token: str
    domain_id: int | None
    render: bool
    names: tuple[str, ...] = ()


class AttendedSession:
    """Runs a session with the given settings.

    Args:
        session: the session.
        settings: how.
        say: shows a line to the person at the terminal.
    """

    def __init__(self, session: Session, settings: AttendedSettings, say: Callable[[str], None]) -> None:
        self._session, self._settings, self._say = session, settings, say
        self._shown = ""

    def run(self) -> bool:
        """Run trials; True when the session is over."""
        session, settings = self._session, self._settings
        if session.is_complete:
            return True
        session.hold()
        attended = session.plan.robot is Robot.REAL
        with ExitStack() as stack:
            port = self._lockstep(stack) if settings.graph == "lockstep" else self._graph(stack, attended)
            watched = attended or settings.console
            runner = Runner(session, port, settings.person, self._show, unattended=not watched)
            if watched:
                self._serve_console(stack, runner, port)
            if watched and sys.stdin.isatty():
                stack.enter_context(Terminal(runner, self._say, session.plan.failure_codes))
            return runner.run()

    def _lockstep(self, stack: ExitStack) -> TrialPort:
        from vitra_evaluation.backends.lockstep_port import LockstepPort

        if self._session.plan.robot is not Robot.SIM:
            raise SessionError("--graph lockstep simulates; the plan is for the real robot.")
        blinded_policy = BlindedPolicy(self._session.folder)
        if blinded_policy.metadata.needs_image and not self._settings.render:
            raise SessionError("A policy of this plan looks at the head camera: give --render.")
        blinded_policy.warm_up()
        port = LockstepPort(blinded_policy, self._session.plan.time_limit_s, self._settings.render)
        stack.callback(port.close)
        return port

    def _graph(self, stack: ExitStack, attended: bool) -> TrialPort:
        from vitra_bringup.graph_client import GraphClient
        from vitra_bringup.graph_run import GraphRun
        from vitra_evaluation.backends.attach import NeededGraph, check_attached
        from vitra_evaluation.backends.graph_port import GraphPort

        session, settings = self._session, self._settings
        if settings.graph == "launch":
            self._say("launching evaluate.launch.xml ...")
            arguments = {
                "session": str(session.folder.resolve()),
                "robot": str(session.plan.robot),
                "arms": settings.arms,
                "calibration": session.plan.calibration,
                "require_operator": "true" if attended or settings.console else "false",
            }
            if session.plan.robot is Robot.SIM:
                arguments.pop("calibration")
            run = GraphRun("evaluate.launch.xml", arguments, unused_log(session.folder), settings.domain_id)
            stack.enter_context(run)
            client = run.client
            if not (attended or settings.console):
                run.wait_ready(_READY_S)
        else:
            client = stack.enter_context(GraphClient("vitra_eval", settings.domain_id))
            plan, needs_operator = session.plan, attended or settings.console
            needed = NeededGraph(
                session.folder, plan.robot, settings.arms, plan.calibration, needs_operator,
                str(session.hashes.get(calibration_key(plan), "")), session.made_in,
            )  # fmt: skip
            check_attached(client, needed)
        arms = sides_of(settings.arms)
        self._client = client
        return GraphPort(client, session.plan.robot, arms, session.folder)

    def _serve_console(self, stack: ExitStack, runner: Runner, port: TrialPort) -> None:
        from vitra_console.operator_beat import OperatorBeat
        from vitra_console.web.presence import Presence
        from vitra_evaluation.console.phone import qr_text
        from vitra_evaluation.console.server import ConsoleAddress, ConsoleServer

        settings = self._settings
        presence = Presence()
        client = getattr(self, "_client", None)
        if client is not None:
            beat = OperatorBeat(client.node, presence)
            stack.callback(beat.close)
        address = ConsoleAddress(settings.token, settings.host, settings.port, settings.names)
        server = ConsoleServer(runner, port, self._session, presence, address)
        stack.enter_context(server)
        self._say(f"console: http://{settings.host}:{server.port}/#token={settings.token}")
        for url in server.phone_urls:
            self._say(f"on the phone: {url}\n{qr_text(url)}")

    def _show(self, view: View) -> None:
        trial = view.trial
        line = f"{view.done}/{view.total}"
        if view.slot and trial:
            line += f"  {view.slot.task}  {view.slot.thing}  {view.slot.layout}  {view.slot.alias}  {trial.phase}"
        if view.message:
            line += f"  {view.message}"
        if line != self._shown:
            self._shown = line
            self._say(line)


def unused_log(folder: Path) -> Path:
    """A log file that does not replace an earlier one."""
    number = 1
    while (path := folder / f"launch_{number:02d}.log").exists():
        number += 1
    return path
