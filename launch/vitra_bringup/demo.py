"""`vitra-demo`: the whole stack at work in simulation, with figures and images to show for it.

Launches demo.launch.xml, waits until the supervisor would arm, places the object with the chosen policy through the
vendor SDK and the drivers, and leaves summary.json, bag/, demo.mp4, demo.rrd and timeline.png (one episode) or a table
of episodes (more than one) in the output folder.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console

from vitra_bringup import bag_report, images
from vitra_bringup.graph_run import GraphRun
from vitra_bringup.processor_use import ProcessorUse
from vitra_policy.action_space import sides_of
from vitra_policy.command_errors import print_error
from vitra_policy.command_options import OptionValueError, check_numbers, check_positive, check_whole_numbers
from vitra_policy.errors import UnknownNameError, VitraError
from vitra_policy.output_folder import clear_results
from vitra_policy.policies.registry import policy_names
from vitra_sim.scene.families import check_scene_name

console = Console(stderr=True, highlight=False)
_RESULTS = (
    "summary.json", "demo.mp4", "demo.rrd", "timeline.png", "launch.log", "world_trace.npz", "bag", "bag.partial",
)  # fmt: skip


@dataclass(frozen=True)
class Args:
    """Run the demo."""

    out: Path = Path("runs/demo")
    """Folder for the results; results of an earlier run in it are replaced."""
    task: str = "place_cube_in_box"
    """Task of the simulated world (vitra_sim.tasks.tasks), or a family of scenes such as place@seen."""
    policy: str = "expert"
    """Policy by name, as in `policy:=` of the launch files."""
    checkpoint: str = ""
    """Checkpoint folder for policy 'vitra', or for 'learned' another than the package's."""
    arms: str = "right"
    """right, left or both."""
    episodes: int = 1
    """How many episodes; more than one skips recording and images."""
    seed: int = 0
    """Seed of the first episode's object poses; episode i uses seed + i."""
    time_limit_s: float = 30.0
    """Give up an episode after this."""
    domain_id: int | None = None
    """ROS domain; default: ROS_DOMAIN_ID."""


@dataclass(frozen=True)
class Episode:
    """Outcome of one episode."""

    seed: int
    success: bool
    reason: str
    duration_s: float


def main() -> int:
    """Entry point; returns the exit code (0 = everything placed)."""
    args = tyro.cli(Args, prog="vitra-demo", description=__doc__)
    try:
        return run(args)
    except VitraError as error:
        print_error(console, "vitra-demo", error)
        return 2
    except KeyboardInterrupt:
        return 130


def run(args: Args) -> int:
    """Launch, run the episodes, stop, report.

    Raises:
        VitraError: an option that cannot be, or a graph that does not come up.
    """
    check(args)
    begin_s = time.monotonic()
    prepare(args.out)
    single = args.episodes == 1
    console.print(f"[bold]launching[/bold] demo.launch.xml ({args.policy}, {args.arms} arm) ...")
    with GraphRun("demo.launch.xml", launch_arguments(args), args.out / "launch.log", args.domain_id) as graph:
        graph.wait_ready()
        console.print(f"ready after {time.monotonic() - begin_s:.1f} s; arming")
        processors = ProcessorUse()
        episodes = [run_episode(graph, args, i, record=single) for i in range(args.episodes)]
        if single:
            graph.client.trigger("recorder/stop", 20.0)
        stops, advice = len(graph.client.stops), processors.advice()
    placed = sum(e.success for e in episodes)
    summary: dict[str, Any] = {"success": placed == len(episodes), "task": args.task, "policy": args.policy}
    if single:
        console.print("reading the bag, drawing the images ...")
        summary |= bag_report.summarize(args.out / "bag")
        summary |= {"reason": episodes[0].reason, "episode_s": round(episodes[0].duration_s, 2)}
        draw(args, summary)
    else:
        rows = [
            {"seed": e.seed, "success": e.success, "reason": e.reason, "s": round(e.duration_s, 1)} for e in episodes
        ]
        summary |= {"placed": placed, "episodes": len(episodes), "stops": stops, "outcomes": rows}
    (args.out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    console.print_json(json.dumps({k: v for k, v in summary.items() if k != "outcomes"}))
    console.print(
        f"[bold]{placed} of {len(episodes)} placed[/bold], {time.monotonic() - begin_s:.0f} s, see {args.out}"
    )
    if advice and (stops or placed < len(episodes)):
        console.print(advice, soft_wrap=True)
    return 0 if placed == len(episodes) or (not single and placed >= 0.9 * len(episodes)) else 1


def check(args: Args) -> None:
    """Refuse before anything is launched what would fail in the graph, or never end there.

    Raises:
        VitraError: an option that cannot be; it is named.
    """
    check_numbers(args)
    check_whole_numbers(args, {"episodes": 1, "seed": 0})
    check_positive(args, "time_limit_s")
    check_scene_name(args.task)
    if args.policy not in policy_names():
        raise UnknownNameError("policy", args.policy, policy_names())
    if args.checkpoint and not Path(args.checkpoint).is_dir():
        raise OptionValueError("checkpoint", args.checkpoint, "a folder that is there")


def prepare(out: Path) -> None:
    """Empty the output folder of what an earlier run left; other files stay."""
    clear_results(out, _RESULTS)


def launch_arguments(args: Args) -> dict[str, str]:
    """Arguments of demo.launch.xml."""
    out = args.out.resolve()
    arguments = {
        "policy": args.policy,
        "arms": args.arms,
        "task": args.task,
        "seed": str(args.seed),
        "record": "false",
        "bag": str(out / "bag"),
        "trace": str(out / "world_trace.npz") if args.episodes == 1 else "",
    }
    if args.checkpoint:
        arguments["checkpoint"] = str(Path(args.checkpoint).resolve())
    return arguments


def run_episode(graph: GraphRun, args: Args, index: int, *, record: bool) -> Episode:
    """Home, new object poses, run the policy until the judge or the clock decides.

    Args:
        graph: The running graph, armed.
        args: The command's options.
        index: Number of the episode from 0; its seed is the command's plus this.
        record: Start the recorder before the run.
    """
    client = graph.client
    seed = args.seed + index
    client.arm_again(sides_of(args.arms))
    client.home()
    instruction = client.reset_sim(args.task, seed)
    if record:
        client.trigger("recorder/start", 20.0)
    begin_s = time.monotonic()
    success, reason = client.run_until_success(instruction, args.time_limit_s)
    episode = Episode(seed, success, reason, time.monotonic() - begin_s)
    mark = "[green]placed[/green]" if success else f"[red]{reason}[/red]"
    console.print(f"episode {index + 1}/{args.episodes} seed {seed}: {mark} in {episode.duration_s:.1f} s")
    return episode


def draw(args: Args, summary: dict[str, Any]) -> None:
    """demo.mp4, timeline.png and demo.rrd from the bag and the world's trace."""
    from vitra_sim.realtime.replay_view import ReplayView

    trace = args.out / "world_trace.npz"
    caption = f"{args.task}  {args.policy}  {'success' if summary['success'] else 'failed'}"
    with ReplayView(trace) as view:
        images.write_demo_video(args.out / "demo.mp4", args.out / "bag", view.at, every=2, caption=caption)
    images.write_timeline(args.out / "timeline.png", args.out / "bag")
    try:
        from vitra_console.view.bag import write_bag
    except ImportError:
        console.print("no demo.rrd: Rerun is not installed (pip install -r requirements/view.txt; needs numpy 2)")
    else:
        write_bag(args.out / "bag", args.out / "demo.rrd")


if __name__ == "__main__":
    sys.exit(main())
