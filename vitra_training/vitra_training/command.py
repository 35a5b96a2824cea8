"""What the commands of this package have in common: options parsed, and errors that a user can fix said in one line."""

from __future__ import annotations

import math
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

import tyro
from rich.console import Console
from rich.markup import escape

from vitra_policy.errors import VitraError, disk_words
from vitra_training.datasets.errors import OptionValueError


def check_numbers(options: Any) -> None:
    """Every number of a command, whatever is nested in it, is one; infinity only where it is the default.

    Raises:
        OptionValueError: one that is not; it is named.
    """
    for one in fields(options):
        value = getattr(options, one.name)
        if is_dataclass(value):
            check_numbers(value)
        elif isinstance(value, float) and not (math.isfinite(value) or _is_default(one, value)):
            raise OptionValueError(one.name, value, "a finite number")


def _is_default(one: Field[Any], value: float) -> bool:
    return one.default is not MISSING and bool(one.default == value)


def run_command(prog: str, choices: Any, about: str | None, arguments: list[str] | None, console: Console) -> int:
    """Parse a command and run it; returns the exit code.

    Args:
        prog: Its name.
        choices: Union of its subcommands, dataclasses with `run`.
        about: Text of its help.
        arguments: Of the command line; None: this program's.
        console: Where errors are said.
    """
    plain = (tyro.conf.OmitArgPrefixes, tyro.conf.EnumChoicesFromValues)
    try:
        command = tyro.cli(choices, prog=prog, args=arguments, description=about, config=plain)
        check_numbers(command)
        return int(command.run())
    except VitraError as error:
        say(console, "error", str(error))
    except OSError as error:
        say(console, "error", disk_words(error))
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
