"""`vitra-launch FILE name:=value ...`: run a launch XML file where the ros2 CLI is not to be had.

    vitra-launch sim.launch.xml policy:=expert          a file of the vitra_bringup package, or any path
    vitra-launch sim.launch.xml --show-args             its arguments
    vitra-launch vitra_bringup sim.launch.xml           as with `ros2 launch`

The same files run with the native `ros2 launch`. Ctrl-C stops everything; a second Ctrl-C is not needed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from vitra_bringup.errors import LaunchError
from vitra_launch.launch_file import Launch, load
from vitra_launch.processes import ProcessGroup
from vitra_launch.substitutions import Context
from vitra_policy.errors import UnknownNameError, VitraError


def main(argv: list[str] | None = None) -> int:
    """Run the launcher; returns the exit code (2 for a wrong command or file)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write((__doc__ or "") + "\n")
        return 0 if words else 2
    try:
        show = any(w in ("-s", "--show-args", "--show-arguments") for w in words)
        words = [w for w in words if not w.startswith("-")]
        path, rest = resolve(words)
        launch = load(path, arguments(rest), dict(os.environ))
    except VitraError as error:
        sys.stderr.write(f"vitra-launch: {error}\n")
        return 2
    if show:
        sys.stdout.write(describe(launch))
        return 0
    return run(launch)


def run(launch: Launch) -> int:
    """Start the processes and serve them until a signal or the end."""
    group = ProcessGroup()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: group.request_stop(number))
    for message in launch.messages:
        sys.stdout.write(f"[INFO] [launch]: {message}\n")
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
    if rest and rest[0].endswith(".xml"):
        package, name, rest = words[0], rest[0], rest[1:]
    context = Context({}, Path("command line"))
    folder = context.package_prefix(package) / "share" / package / "launch"
    if not (folder / name).is_file():
        raise UnknownNameError(f"launch file of package '{package}'", name, [p.name for p in folder.glob("*.xml")])
    return folder / name, rest


def arguments(words: list[str]) -> dict[str, str]:
    """`name:=value` words as a dictionary.

    Raises:
        LaunchError: a word of another form.
    """
    given = {}
    for word in words:
        name, separator, value = word.partition(":=")
        if not separator or not name:
            raise LaunchError(f"'{word}' is not a launch argument. Write name:=value.")
        given[name] = value
    return given


def describe(launch: Launch) -> str:
    """The arguments of a launch file for people."""
    lines = ["Arguments (pass as name:=value):"]
    for a in launch.arguments.values():
        choices = f" Valid choices: {', '.join(a.choices)}." if a.choices else ""
        default = f" (default: '{a.default}')" if a.default is not None else " (required)"
        lines += [f"\n    {a.name}:", f"        {a.description}{choices}{default}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
