"""`vitra-policy`: look at checkpoints, convert, try, serve and export them; examine policies."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

from vitra_policy.cli_checkpoints import Convert, ExportOnnx, Inspect, NewMini
from vitra_policy.cli_conform import Conform
from vitra_policy.cli_run import Predict, Serve
from vitra_policy.errors import VitraError, disk_words

COMMANDS: dict[str, Callable[..., Any]] = {
    "inspect": Inspect,
    "convert": Convert,
    "predict": Predict,
    "serve": Serve,
    "conform": Conform,
    "export-onnx": ExportOnnx,
    "new-mini": NewMini,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a mistake of the user ends with exit code 2 and one message.

    Raises:
        SystemExit: the command failed (2), or was interrupted (130).
    """
    import tyro

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    command = tyro.extras.subcommand_cli_from_dict(
        COMMANDS, prog="vitra-policy", description=__doc__, args=arguments, sort_subcommands=False
    )
    try:
        command.run()
    except VitraError as error:
        sys.stderr.write(f"vitra-policy: {error}\n")
        raise SystemExit(2) from None
    except OSError as error:
        sys.stderr.write(f"vitra-policy: {disk_words(error)}\n")
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
