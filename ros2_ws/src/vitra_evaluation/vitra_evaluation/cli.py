"""`vitra-eval`: plan and check, run or resume a blind session, look after its record, write its report."""

from __future__ import annotations

import sys
from typing import Annotated

import tyro
from rich.markup import escape

from vitra_evaluation.commands import planning, sessions
from vitra_evaluation.commands.screen import console
from vitra_policy.command_errors import print_error
from vitra_policy.errors import VitraError, disk_words

Command = (
    Annotated[planning.Init, tyro.conf.subcommand("init")]
    | Annotated[planning.CheckPlan, tyro.conf.subcommand("plan")]
    | Annotated[planning.Power, tyro.conf.subcommand("power")]
    | Annotated[planning.Compare, tyro.conf.subcommand("compare")]
    | Annotated[sessions.Run, tyro.conf.subcommand("run")]
    | Annotated[sessions.Resume, tyro.conf.subcommand("resume")]
    | Annotated[sessions.Correct, tyro.conf.subcommand("correct")]
    | Annotated[sessions.Void, tyro.conf.subcommand("void")]
    | Annotated[sessions.Rate, tyro.conf.subcommand("rate")]
    | Annotated[sessions.Report, tyro.conf.subcommand("report")]
    | Annotated[sessions.Verify, tyro.conf.subcommand("verify")]
)


def main() -> int:
    """Entry point."""
    command: Command = tyro.cli(Command, prog="vitra-eval", description=__doc__)
    try:
        return dispatch(command)
    except VitraError as error:
        print_error(console, "vitra-eval", error)
        return 2
    except OSError as error:
        words = f"[red]vitra-eval:[/red] {escape(disk_words(error))} A session goes on with vitra-eval resume."
        console.print(words, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        console.print("interrupted; go on with vitra-eval resume")
        return 130


def dispatch(command: Command) -> int:
    """Run one subcommand."""
    match command:
        case planning.Init():
            return planning.init(command)
        case planning.CheckPlan():
            return planning.check_plan(command)
        case planning.Power():
            return planning.power(command)
        case planning.Compare():
            return planning.compare(command)
        case sessions.Run():
            return sessions.run(command)
        case sessions.Resume():
            return sessions.resume(command)
        case sessions.Report():
            return sessions.report(command)
        case sessions.Verify():
            return sessions.check(command)
        case sessions.Correct():
            return sessions.correct(command)
        case sessions.Void():
            return sessions.void(command)
        case sessions.Rate():
            return sessions.rate(command)


if __name__ == "__main__":
    sys.exit(main())
