"""How a command says that it could not do what was asked: one line, whatever the terminal's width."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape


def print_error(console: Console, command: str, error: object) -> None:
    """Say an error.

    The line is not broken, so that a path in it stays one word, and its brackets are no markup.

    Args:
        console: Where to.
        command: Name of the command, which the line begins with.
        error: An exception, or words.
    """
    console.print(f"[red]{escape(command)}:[/red] {escape(str(error))}", markup=True, soft_wrap=True)
