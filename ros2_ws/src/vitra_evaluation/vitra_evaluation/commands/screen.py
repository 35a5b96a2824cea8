"""Where the commands write for people."""

from rich.console import Console

console = Console(stderr=True, highlight=False)
