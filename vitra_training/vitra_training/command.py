"""What the commands of this package have in common: options parsed, and errors that a user can fix said in one line."""

from __future__ import annotations

import io
import sys
from typing import Any

import tyro
from rich.console import Console
from rich.markup import escape

from vitra_policy.command_options import check_numbers
from vitra_policy.errors import VitraError, disk_words


def run_command(prog: str, choices: Any, about: str | None, arguments: list[str] | None, console: Console) -> int:
    """Parse a command and run it; returns the exit code.

    Args:
        prog: Its name.
        choices: Union of its subcommands, dataclasses with `run`.
        about: Text of its help.
        arguments: Of the command line; None: this program's.
        console: Where errors are said.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    plain = (tyro.conf.OmitArgPrefixes, tyro.conf.EnumChoicesFromValues)
    try:
        command = tyro.cli(choices, prog=prog, args=arguments, description=about, config=plain)
        check_numbers(command)
        return int(command.run())
    except VitraError as error:
        say(console, "error", str(error))
    except OSError as error:
        say(console, "error", disk_words(error))
    except KeyboardInterrupt:
        say(console, "interrupted", "the command was stopped before it was done")
        return 130  # as shells call it
    return 2


def say(console: Console, label: str, text: str, style: str = "red") -> None:
    """One line however long, without reading brackets in it as markup.

    Args:
        console: Where.
        label: Its first word, in `style`.
        text: The rest.
        style: Of rich.
    """
    console.print(f"[{style}]{label}[/] {escape(text)}", soft_wrap=True)
