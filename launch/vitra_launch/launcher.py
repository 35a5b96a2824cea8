"""`vitra-launch [PACKAGE] FILE [name:=value ...]`: run a launch XML file where the ros2 CLI is not to be had."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import tempfile
from pathlib import Path

from vitra_bringup.errors import LaunchError
from vitra_launch.arguments import Argument, declared
from vitra_launch.launch_file import Launch, load
from vitra_launch.processes import ProcessGroup
from vitra_launch.substitutions import Context
from vitra_policy.errors import UnknownNameError, VitraError

_EPILOG = """
examples:
  vitra-launch sim.launch.xml policy:=expert      a file of the vitra_bringup package, or any path
  vitra-launch sim.launch.xml --show-args         its arguments
  vitra-launch vitra_bringup sim.launch.xml       as with `ros2 launch`

The same files run with the native `ros2 launch`, and mean the same. Ctrl-C stops everything; a second one is not
needed. docs/native_launch.md tells the few differences.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the launcher; returns the exit code (2 for a wrong command or file)."""
    options = _parser().parse_args(argv)
    try:
        path, rest = resolve(options.words)
        if options.show_args:
            sys.stdout.write(describe(declared(path.resolve(), Context({}, path.resolve()))))
            return 0
        launch = load(path, arguments(rest), dict(os.environ))
    except VitraError as error:
        sys.stderr.write(f"vitra-launch: {error}\n")
        return 2
    if options.print:
        sys.stdout.write(command_lines(launch))
        return 0
    return run(launch)


def run(launch: Launch) -> int:
    """Start the processes and serve them until a signal or the end."""
    group = ProcessGroup()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: group.request_stop(number))
    for message in launch.messages:
        sys.stdout.write(f"[INFO] [launch.user]: {message}\n")
    if launch.shutdown_reason is not None:
        sys.stdout.write(f"[INFO] [launch]: the launch file shuts down: {launch.shutdown_reason}\n")
        return 0
    for process in launch.processes:
        group.start(process)
    return group.run()


def resolve(words: list[str]) -> tuple[Path, list[str]]:
    """The launch file a command names (path, file of vitra_bringup, or package and file) and the words after it.

    Raises:
        LaunchError, UnknownNameError: there is no such file; the message lists the files there are.
    """
    if Path(words[0]).is_file():
        return Path(words[0]), words[1:]
    package, name, rest = "vitra_bringup", words[0], words[1:]
    if rest and ":=" not in rest[0]:
        package, name, rest = words[0], rest[0], rest[1:]
    context = Context({}, Path("command line"))
    folder = context.package_prefix(package) / "share" / package / "launch"
    if not (folder / name).is_file():
        raise UnknownNameError(f"launch file of package '{package}'", name, [p.name for p in folder.glob("*.xml")])
    return folder / name, rest


def arguments(words: list[str]) -> dict[str, str]:
    """`name:=value` words as a dictionary; of a name that comes twice the last one counts.

    Raises:
        LaunchError: a word of another form; as natively, a value cannot be empty.
    """
    given = {}
    for word in words:
        name, separator, value = word.partition(":=")
        if not separator or not name or not value:
            raise LaunchError(f"'{word}' is not a launch argument. Write name:=value.")
        given[name] = value
    return given


def describe(found: dict[str, Argument]) -> str:
    """The arguments of a launch file for people."""
    lines = ["Arguments (pass as name:=value):"]
    for a in found.values():
        choices = f" Valid choices: {', '.join(a.choices)}." if a.choices else ""
        default = f" (default: '{a.default}')" if a.default is not None else " (required)"
        under = " (only under a condition)" if a.conditional else ""
        lines += [f"\n    {a.name}:{under}", f"        {a.description}{choices}{default}"]
    return "\n".join(lines) + "\n"


def command_lines(launch: Launch) -> str:
    """What would be started, one command line per process."""
    with tempfile.TemporaryDirectory() as folder:
        return "".join(f"[{p.label}] {shlex.join(p.words(Path(folder)))}\n" for p in launch.processes)


def _parser() -> argparse.ArgumentParser:
    # The options of `ros2 launch`, so argparse as there.
    parser = argparse.ArgumentParser(
        "vitra-launch", "vitra-launch [options] [package] file [name:=value ...]", __doc__, _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument(
        "-s", "--show-args", "--show-arguments", action="store_true", help="show the arguments of the file, and end"
    )
    parser.add_argument(
        "-p", "--print", "--print-description", action="store_true", help="show what would be started, and end"
    )
    parser.add_argument("-n", "--noninteractive", action="store_true", help="nothing here is interactive; accepted")
    parser.add_argument(
        "-a", "--show-all-subprocesses-output", action="store_true", help="all output is shown anyway; accepted"
    )
    parser.add_argument("words", nargs="+", metavar="package | file | name:=value", help="what to launch, and how")
    return parser


if __name__ == "__main__":
    sys.exit(main())
