from __future__ import annotations

import io

from rich.console import Console

from vitra_policy.command_errors import print_error


def test_an_error_is_one_line_on_a_narrow_terminal_and_its_brackets_are_kept() -> None:
    written = io.StringIO()
    path = "/home/somebody/recordings/of/a/rather/long/day/README.md"
    print_error(Console(file=written, width=40), "vitra-bag", f"{path}: File exists [Errno 17] [/red]")
    assert written.getvalue() == f"vitra-bag: {path}: File exists [Errno 17] [/red]\n"
