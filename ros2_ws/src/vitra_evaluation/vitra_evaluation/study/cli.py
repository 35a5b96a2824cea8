"""`vitra-study`: people rank anonymous videos of several models; points 3, 2, 1 with intervals."""

from __future__ import annotations

import csv
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from aiohttp import web
from rich.console import Console

from vitra_console.web.access import default_token
from vitra_evaluation.study.material import Study, check_playable, read_study
from vitra_evaluation.study.scores import scores
from vitra_evaluation.study.server import make_app
from vitra_evaluation.study.votes import VoteBook
from vitra_policy.command_errors import print_error
from vitra_policy.errors import VitraError, disk_words

console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Serve:
    """Show the pages and take votes until Ctrl-C."""

    videos: tyro.conf.Positional[Path]
    """Folder with one folder of videos per model."""
    out: Path = Path("runs/study")
    """Where the votes go; votes already there stay."""
    host: str = "127.0.0.1"
    """Address to listen on; another one than loopback opens it to the network."""
    port: int = 8766
    """Port to listen on."""
    token: str = ""
    """Part of the participants' link; default: drawn and shown."""


@dataclass(frozen=True)
class Export:
    """Write scores.csv beside the votes and show the scores."""

    videos: tyro.conf.Positional[Path]
    """Folder with one folder of videos per model."""
    out: Path = Path("runs/study")
    """Where the votes are."""


Command = Annotated[Serve, tyro.conf.subcommand("serve")] | Annotated[Export, tyro.conf.subcommand("export")]


def main() -> int:
    """Entry point."""
    command: Command = tyro.cli(Command, prog="vitra-study", description=__doc__)
    try:
        return serve(command) if isinstance(command, Serve) else export(command)
    except VitraError as error:
        print_error(console, "vitra-study", error)
        return 2
    except OSError as error:
        print_error(console, "vitra-study", disk_words(error))
        return 2


def open_study(videos: Path, out: Path) -> tuple[Study, VoteBook]:
    """Study and votes; the secret of the orders is drawn once per folder."""
    out.mkdir(parents=True, exist_ok=True)
    secret = out / "secret"
    if not secret.is_file():
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_hex(32))
    study = read_study(videos, secret.read_text())
    return study, VoteBook(out / "votes.csv", study)


def serve(args: Serve) -> int:
    """Run the web pages."""
    study, book = open_study(args.videos, args.out)
    check_playable(study)
    token = args.token or default_token()
    console.print(f"{len(study.items)} items of {len(study.models)} models; votes go to {args.out}/votes.csv")
    console.print(f"link for participants: http://{args.host}:{args.port}/#token={token}")
    app = make_app(study, book, token, args.host, args.port)
    web.run_app(app, host=args.host, port=args.port, print=None, access_log=None)
    return 0


def export(args: Export) -> int:
    """Write and show the scores."""
    study, book = open_study(args.videos, args.out)
    found = scores(book.votes, study.models)
    with (args.out / "scores.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", "points_per_page", "low_95", "high_95", "firsts", "pages"])
        for s in found:
            writer.writerow(
                [s.model, f"{s.mean:.4f}", f"{s.interval.low:.4f}", f"{s.interval.high:.4f}", s.firsts, s.pages]
            )
    for s in found:
        console.print(
            f"{s.model}: {s.mean:.2f} points ({s.interval.low:.2f} to {s.interval.high:.2f}), "
            f"first on {s.firsts} of {s.pages} pages"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
