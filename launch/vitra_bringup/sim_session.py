"""`vitra-sim`: the stack against the simulated robot with the web console; prints the link to open, Ctrl-C ends it.

    vitra-sim                                  the scripted expert on the right arm
    vitra-sim --arms both --task place_can_in_box
    vitra-sim --launch policy_rate_hz:=5.0        any argument of sim.launch.xml

Nothing moves until somebody arms the robot, on the page or with `vitra-operate arm`. No display is needed.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from vitra_bringup.graph_run import GraphRun
from vitra_policy.command_errors import print_error
from vitra_policy.command_options import check_whole_numbers
from vitra_policy.errors import VitraError
from vitra_sim.scene.families import check_scene_name

TOKEN_VARIABLE = "VITRA_CONSOLE_TOKEN"
console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Args:
    """Open the simulated robot with the web console."""

    policy: str = "expert"
    """Policy by name, as in `policy:=` of the launch files."""
    arms: str = "right"
    """right, left or both."""
    task: str = "place_cube_in_box"
    """Task of the simulated world at the start; the page offers all of them."""
    seed: int = 0
    """Start state of the world."""
    out: Path = Path("runs/sim")
    """Folder for the log and recorded episodes."""
    host: str = "127.0.0.1"
    """Where the page is served; 0.0.0.0 lets phones in, only on a network you trust."""
    port: int = 0
    """Its port; 0: 8700 + ROS domain, or a free one where that is taken."""
    domain_id: int | None = None
    """ROS domain; default: ROS_DOMAIN_ID."""
    launch: tuple[str, ...] = ()
    """More launch arguments, name:=value."""


def main() -> int:
    """Entry point; returns the exit code."""
    args = tyro.cli(Args, prog="vitra-sim", description=__doc__)
    try:
        return run(args)
    except VitraError as error:
        print_error(console, "vitra-sim", error)
        return 2
    except KeyboardInterrupt:
        return 0


def run(args: Args) -> int:
    """Launch, print the link, wait for the end.

    Raises:
        VitraError: an option that cannot be, or a graph that does not come up.
    """
    begin_s = time.monotonic()
    check_whole_numbers(args, {"seed": 0, "port": 0}, {"port": 65535})
    check_scene_name(args.task)
    os.environ.setdefault(TOKEN_VARIABLE, secrets.token_urlsafe(18))
    log = args.out / "launch.log"
    console.print(f"starting the simulated robot ({args.arms}, policy {args.policy}); log: {log}")
    with GraphRun("sim.launch.xml", launch_arguments(args), log, args.domain_id) as graph:
        graph.wait_ready()
        url = graph.wait_said(r"console: (http://\S+)", 30.0) + f"#token={os.environ[TOKEN_VARIABLE]}"
        console.print(f"ready after {time.monotonic() - begin_s:.0f} s")
        console.print(f"\n  open  [bold]{url}[/bold]\n", soft_wrap=True)
        console.print("or, in another terminal: vitra-operate status. Ctrl-C here ends everything.")
        return graph.wait()


def launch_arguments(args: Args) -> dict[str, str]:
    """Arguments of sim.launch.xml.

    Raises:
        VitraError: one that is not name:=value.
    """
    arguments = {
        "policy": args.policy,
        "arms": args.arms,
        "task": args.task,
        "seed": str(args.seed),
        "episodes": "true",
        "episodes_dir": str((args.out / "episodes").resolve()),
        "console_host": args.host,
        "console_port": str(args.port),
    }
    for word in args.launch:
        name, separator, value = word.partition(":=")
        if not separator:
            raise VitraError(f"--launch takes name:=value, got '{word}'. See vitra-launch sim.launch.xml --show-args.")
        arguments[name] = value
    return arguments


if __name__ == "__main__":
    sys.exit(main())
