"""Command that runs the real-time chunking suite on a policy or on a client: conform."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from vitra_policy.action_space import Hands
from vitra_policy.errors import VitraError

if TYPE_CHECKING:
    from vitra_policy.conformance.client import ClientFactory
    from vitra_policy.conformance.verdict import Verdict

OWN_CLIENT = "vitra_policy.conformance.clients:TimelineClient"


class SubjectError(VitraError):
    """What is to be examined cannot be had."""


@dataclass(frozen=True, kw_only=True)
class Conform:
    """Examine a policy or a client for real-time chunking: cold start, delays, loss, order, seams, clocks.

    A policy: --policy vitra --option checkpoint=runs/mini, or --policy remote --option port=8000 (any registered one).
    A client, which turns chunks into setpoints: --client my_package.my_module:MyClient, a class or function without
    arguments that gives a `vitra_policy.conformance.client.ChunkClient`, in this folder or installed. Without either,
    our own client. Exit code 1 when a case fails.
    """

    policy: str = ""
    """Policy by name."""
    option: tuple[str, ...] = ()
    """Options of the policy, each key=value, e.g. checkpoint=runs/mini."""
    hands: Literal["left", "right", "both"] = "right"
    """Hands that the policy is asked to move."""
    client: str = ""
    """Client as module:name."""
    case_timeout_s: float = 120.0
    """How long a case may take; one that takes longer has failed, and ends the examination."""
    json: Path | None = None
    """File for the verdicts."""

    def run(self) -> None:
        """Examine, print, and exit with 1 if something failed.

        Raises:
            SubjectError: both a policy and a client are named.
            SystemExit: something failed.
        """
        if self.policy and self.client:
            raise SubjectError("Give either --policy or --client.")
        if not 0 < self.case_timeout_s <= threading.TIMEOUT_MAX:
            raise SubjectError(f"--case-timeout-s {self.case_timeout_s:g}: give seconds above 0.")
        name = self.policy or self.client or OWN_CLIENT
        verdicts = self._policy_verdicts() if self.policy else _client_verdicts(name, self.case_timeout_s)
        _print(name, verdicts)
        if self.json is not None:
            self.json.parent.mkdir(parents=True, exist_ok=True)
            content = {"subject": name, "cases": [dataclasses.asdict(v) | {"passed": v.passed} for v in verdicts]}
            self.json.write_text(json.dumps(content, indent=1) + "\n")
        if not all(verdict.passed for verdict in verdicts):
            raise SystemExit(1)

    def _policy_verdicts(self) -> list[Verdict]:
        from vitra_policy.conformance.policy_cases import POLICY_CASES, PolicySubject
        from vitra_policy.conformance.verdict import judge
        from vitra_policy.policies.registry import create_policy, parse_options

        policy = create_policy(self.policy, parse_options(self.option))
        policy.warm_up()
        try:
            hands = Hands(left=self.hands in ("left", "both"), right=self.hands in ("right", "both"))
            return judge(POLICY_CASES, PolicySubject(policy, hands), self.case_timeout_s)
        finally:
            policy.close()


def _client_verdicts(name: str, case_timeout_s: float) -> list[Verdict]:
    from vitra_policy.conformance.client_cases import CLIENT_CASES
    from vitra_policy.conformance.verdict import judge

    module, _, attribute = name.partition(":")
    factory = None
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # as `python -m` has it; behind what is installed
    try:
        if attribute and all(part.isidentifier() for part in module.split(".")):
            factory = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # other people's code runs while it is imported
        raise SubjectError(f"Client '{name}' cannot be imported: {type(error).__name__}: {error}.") from error
    if not callable(factory):
        raise SubjectError(f"Client '{name}' must be module:name of a class or function, e.g. {OWN_CLIENT}.")
    return judge(CLIENT_CASES, cast("ClientFactory", factory), case_timeout_s)


def _print(subject: str, verdicts: list[Verdict]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"Real-time chunking: {subject}")
    for column in ("case", "", "found", "what it does to a robot"):
        table.add_column(column, overflow="fold")
    for verdict in verdicts:
        state = "[red]fails" if not verdict.passed else "[green]passes" if verdict.applies else "does not apply"
        table.add_row(verdict.name, state, escape("; ".join(verdict.complaints)), verdict.why)
    Console(file=sys.stdout).print(table)
