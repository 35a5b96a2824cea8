"""`vitra-teleop-demo`: a simulated operator demonstrates, episodes are recorded, checked and converted.

Launches teleop.launch.xml on the simulated robot. Demonstrations that reach the goal are saved, one is discarded on
purpose; then `vitra-bag check` and `vitra-bag convert` judge and convert what was saved.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console
from std_msgs.msg import String

from vitra_bringup.graph_client import GraphClient
from vitra_bringup.graph_link import GraphError
from vitra_bringup.graph_run import GraphRun
from vitra_msgs.msg import EpisodeState
from vitra_msgs.srv import DiscardEpisode, SetInstruction
from vitra_policy.command_errors import print_error
from vitra_policy.command_options import check_numbers, check_positive, check_whole_numbers
from vitra_policy.errors import VitraError
from vitra_policy.output_folder import clear_results
from vitra_runtime import qos
from vitra_sim.scene.families import check_scene_name

console = Console(stderr=True, highlight=False)
_RESULTS = ("episodes", "launch.log", "check.json", "images", "converted", "summary.json")
_ATTEMPTS = 3
_OPERATOR_S = 60.0
"""The simulated operator may still be loading when all others are ready."""


@dataclass(frozen=True)
class Args:
    """Record demonstrations in simulation."""

    out: Path = Path("runs/teleop-demo")
    """Folder for the results; results of an earlier run in it are replaced."""
    episodes: int = 5
    """How many to save."""
    task: str = "place_cube_in_box"
    """Task of the simulated world."""
    seed: int = 0
    """Seed of the first start state."""
    time_limit_s: float = 60.0
    """Give up a demonstration after this."""
    stale_s: float = 0.3
    """When the simulated operator counts as lost; generous, since everything runs on this machine."""
    discard: bool = True
    """Also record one that is discarded."""
    domain_id: int | None = None
    """ROS domain; default: ROS_DOMAIN_ID."""

    def launch_arguments(self, episodes: Path) -> dict[str, str]:
        """Of teleop.launch.xml, with the simulated operator recording into a folder."""
        return {
            "robot": "sim", "arms": "right", "task": self.task, "seed": str(self.seed), "operator_double": "true",
            "operator": "simulated operator", "stale_s": str(self.stale_s), "episodes_dir": str(episodes.resolve()),
        }  # fmt: skip


def main() -> int:
    """Entry point; 0 when everything was saved, checked and converted."""
    args = tyro.cli(Args, prog="vitra-teleop-demo", description=__doc__)
    try:
        return run(args)
    except VitraError as error:
        print_error(console, "vitra-teleop-demo", error)
        return 2
    except KeyboardInterrupt:
        return 130


def run(args: Args) -> int:
    """Record, check, convert, report.

    Raises:
        VitraError: an option that cannot be, or a graph that does not come up.
    """
    begin_s = time.monotonic()
    check_numbers(args)
    check_whole_numbers(args, {"episodes": 1, "seed": 0})
    check_positive(args, "time_limit_s", "stale_s")
    check_scene_name(args.task)
    bags, log = args.out / "episodes", args.out / "launch.log"
    clear_results(args.out, _RESULTS)
    with GraphRun("teleop.launch.xml", args.launch_arguments(bags), log, args.domain_id) as graph:
        graph.wait_ready()
        demonstrations = Demonstrations(graph.client, args)
        demonstrations.record()
    checked = _tool("check", bags, "--report", args.out / "check.json", "--images", args.out / "images")
    converted = _tool("convert", bags, args.out / "converted")
    summary = {
        "saved": demonstrations.saved,
        "discarded": demonstrations.discarded,
        "checked": checked == 0,
        "converted": converted == 0,
        "formats": sorted(path.name for path in (args.out / "converted").glob("*")),
        "seconds": round(time.monotonic() - begin_s),
    }
    (args.out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    console.print_json(json.dumps(summary))
    return 0 if demonstrations.saved == args.episodes and checked == converted == 0 else 1


class Demonstrations:
    """The operator's shift.

    Args:
        client: of the running graph.
        args: what to record.
    """

    def __init__(self, client: GraphClient, args: Args) -> None:
        self._client, self._args = client, args
        self._episode: EpisodeState | None = None
        self.saved = self.discarded = 0
        client.watch(EpisodeState, "episode_state", qos.LATCHED, lambda m: setattr(self, "_episode", m))
        self._heard: list[str] = []
        client.watch(String, "instruction", qos.LATCHED, lambda m: self._heard.append(m.data))

    def record(self) -> None:
        """Save as many as wanted; failed ones are discarded and tried again with the next start state."""
        seed = self._args.seed
        self._client.trigger("operator_double/end", _OPERATOR_S)  # answered once the operator has learned the task
        if self._args.discard:
            self._demonstrate(seed, discard=True)
        for _ in range(self._args.episodes * _ATTEMPTS):
            if self.saved >= self._args.episodes:
                return
            self._demonstrate(seed)
            seed += 1

    def _demonstrate(self, seed: int, discard: bool = False) -> None:
        client = self._client
        self.go_home()
        instruction = client.reset_sim(self._args.task, seed)
        client.call(SetInstruction, "teleop/set_instruction", SetInstruction.Request(instruction=instruction))
        client.wait_for(lambda: self._heard[-1:] == [instruction], 5.0, "the instruction to be heard")
        self._patiently(lambda: client.trigger("recorder/start"))
        client.trigger("operator_double/begin")
        success, reason = self._watch(2.0 if discard else self._args.time_limit_s)
        client.trigger("operator_double/end")
        if success and not discard:
            path = client.trigger("recorder/save", 30.0)
            self.saved += 1
            console.print(f"[green]saved[/green] {path}")
            return
        reason = "shown on purpose" if discard else reason
        answer = client.call(DiscardEpisode, "recorder/discard_because", DiscardEpisode.Request(reason=reason), 30.0)
        self.discarded += 1
        console.print(f"[yellow]discarded[/yellow] {answer.message} ({reason})")

    def go_home(self) -> None:
        """Arm if needed and move to the ready posture; after a stop it may take the executor a moment to see it."""
        self._patiently(self._arm_and_home)

    def _arm_and_home(self) -> None:
        self._client.arm_again(("right",))
        self._client.home()

    @staticmethod
    def _patiently(what: Callable[[], object]) -> None:
        """Ask again when it is refused at first: nodes may not have found each other yet."""
        for attempt in range(_ATTEMPTS):
            try:
                what()
                return
            except GraphError:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(1.0)

    def _watch(self, limit_s: float) -> tuple[bool, str]:
        """Wait for the judge, a stop, or the time."""
        client, stops = self._client, len(self._client.stops)

        def is_over() -> bool:
            return len(client.stops) > stops or bool(client.sim and (client.sim.success or client.sim.failed))

        try:
            client.wait_for(is_over, limit_s, "the demonstration")
        except GraphError:
            return False, "not done in time"
        if len(client.stops) > stops:
            last = client.stops[-1]
            return False, f"stopped: {last.stop_cause} {last.stop_detail}".strip()
        return bool(client.sim and client.sim.success), "the object was lost"


def _tool(*arguments: object) -> int:
    command = [sys.executable, "-m", "vitra_training.cli_bag", *map(str, arguments)]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
