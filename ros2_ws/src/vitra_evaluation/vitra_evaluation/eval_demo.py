"""`make eval-demo`: a blind session through the robot graph, killed once in the middle, resumed, and reported twice.

python -m vitra_evaluation.eval_demo --out runs/eval-demo
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from vitra_evaluation.session.folder import JOURNAL_NAME, Session
from vitra_evaluation.session.store import Store
from vitra_policy.command_errors import print_error
from vitra_policy.command_options import check_whole_numbers
from vitra_policy.errors import UnknownNameError, VitraError
from vitra_policy.output_folder import remove_run

console = Console(stderr=True, highlight=False)
_POLL_S = 0.5
_GRAPHS = ("launch", "lockstep")


@dataclass(frozen=True)
class Args:
    """Run the demo session."""

    out: Path = Path("runs/eval-demo")
    """Folder of the session; an earlier one in it is replaced."""
    plan: str = "demo"
    """Plan to run."""
    kill_after: int = 7
    """Kill the session (SIGKILL) while the trial after this many is running; 0: never."""
    graph: str = "launch"
    """launch: through the robot graph; lockstep: without it."""
    tries: int = 3
    """How often a session that gave up is resumed."""


def main() -> int:
    """Entry point; 0 when the session came to its end and its report is the same twice."""
    args = tyro.cli(Args, prog="python -m vitra_evaluation.eval_demo", description=__doc__)
    try:
        return run(args)
    except VitraError as error:
        print_error(console, "eval-demo", error)
        return 2


def run(args: Args) -> int:
    """Session, kill, resume, reports.

    Raises:
        VitraError: an option that cannot be, or a folder of something else.
    """
    begun_s = time.monotonic()
    check_whole_numbers(args, {"kill_after": 0, "tries": 0})
    if args.graph not in _GRAPHS:
        raise UnknownNameError("graph", args.graph, _GRAPHS)
    remove_run(args.out, JOURNAL_NAME)
    command = [sys.executable, "-m", "vitra_evaluation.cli"]
    options = ["--graph", args.graph, "--report", "False"]
    process = subprocess.Popen([*command, "run", args.plan, "--out", str(args.out), *options])
    if args.kill_after and kill_while_running(process, args.out, args.kill_after):
        console.print("[bold]killed[/bold] in the middle of a trial; resuming")
    else:
        process.wait()
    for _ in range(args.tries):
        code = subprocess.run([*command, "resume", str(args.out), *options], check=False).returncode
        if code == 0:
            break
    report = [*command, "report", str(args.out)]
    contents = []
    for _ in range(2):
        code = code or subprocess.run(report, check=False).returncode
        contents.append({p.name: p.read_bytes() for p in sorted((args.out / "report").glob("*"))})
    same = bool(contents[0]) and contents[0] == contents[1]
    session = Session.load(args.out)
    done, total = len(session.store.counted()), len(session.schedule.slots)
    session.close()
    console.print(
        f"[bold]{done} of {total} trials[/bold] in {time.monotonic() - begun_s:.0f} s; the report written twice is "
        f"{'identical' if same else 'DIFFERENT'}: {args.out}/report/report.html"
    )
    return 0 if code == 0 and same and done == total else 1


def kill_while_running(process: subprocess.Popen[bytes], folder: Path, done: int) -> bool:
    """Kill the process in the trial that follows `done` counted ones; False if it ended before.

    Args:
        process: The session's.
        folder: Of the session.
        done: Trials that count before it.
    """
    database = folder / JOURNAL_NAME
    while process.poll() is None:
        time.sleep(_POLL_S)
        if not database.is_file():
            continue
        store = Store(database)
        running = [a for a in store.attempts() if a.result is None and a.void_reason is None]
        enough = len(store.counted()) >= done
        store.close()
        if enough and running:
            time.sleep(_POLL_S)  # well into the trial
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
