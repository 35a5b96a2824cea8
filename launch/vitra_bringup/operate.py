"""`vitra-operate`: operate a running graph from a terminal, also where the ros2 CLI is absent.

    vitra-operate status                        what the robot does, and what is missing to arm it
    vitra-operate arm                           arm, or re-arm after a stop; motion is possible from then on
    vitra-operate stop                          stop both arms now; latched until re-armed
    vitra-operate instruct "Right hand: Put the red cube into the box."
    vitra-operate run --time-limit-s 30         run the policy until it is done, stopped, or Ctrl-C
    vitra-operate speed 25                      arms use a quarter of their speed limit, also while they move
    vitra-operate home                          move to the ready posture
    vitra-operate record start | save | discard
    vitra-operate reset --task place_can_in_box --seed 3        simulation only

Exit codes: 0 done, 1 refused or not done, 2 wrong command or no graph, 130 Ctrl-C.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

from vitra_bringup.brief_client import own_stdout, use_udp
from vitra_bringup.graph_client import GraphClient
from vitra_bringup.graph_link import GraphError
from vitra_console.operate import words
from vitra_msgs.msg import EpisodeState, SafetyState
from vitra_policy.command_errors import print_error
from vitra_policy.errors import VitraError

_SETTLED_S, _TO_HEAR_S = 4.0, 10.0  # Fast DDS tells of a participant again after 3 s
_DOING = {"start": "recording into", "save": "saved", "discard": "discarded"}
screen = Console(highlight=False)


@dataclass(frozen=True)
class _Common:
    json: bool = False
    """Print one JSON object instead of words."""
    domain_id: int | None = None
    """ROS domain; default: ROS_DOMAIN_ID."""
    find_s: float = 10.0
    """Look so long for a running graph."""


@dataclass(frozen=True)
class Status(_Common):
    """What the robot does, and what is missing to arm it."""


@dataclass(frozen=True)
class Arm(_Common):
    """Arm, or re-arm after a stop. Everybody clear? Motion is possible from then on."""

    wait_s: float = 0.0
    """Wait so long for what is missing."""


@dataclass(frozen=True)
class Stop(_Common):
    """Stop both arms now; latched until re-armed."""


@dataclass(frozen=True)
class Home(_Common):
    """Move to the ready posture, and wait until the arms are there."""

    timeout_s: float = 30.0
    """Give up after this."""


@dataclass(frozen=True)
class Instruct(_Common):
    """Set what the policy is to do."""

    text: tyro.conf.Positional[str] = field(default="")
    """For example 'Right hand: Put the red cube into the box.'"""


@dataclass(frozen=True)
class Speed(_Common):
    """Part of the speed limit that the arms use, also while they move."""

    percent: tyro.conf.Positional[int] = 100
    """10 to 100."""


@dataclass(frozen=True)
class Run(_Common):
    """Run the policy until it is done, the time is over, somebody stops it, or Ctrl-C."""

    text: tyro.conf.Positional[str] = field(default="")
    """Instruction; empty: the one that is set."""
    time_limit_s: float = 60.0
    """End the run after this; 0: no limit."""


@dataclass(frozen=True)
class Record(_Common):
    """Record an episode."""

    what: tyro.conf.Positional[Literal["start", "save", "discard"]] = "start"
    """start one, save it, or throw it away."""


@dataclass(frozen=True)
class Reset(_Common):
    """New start state of the simulated world; the task's instruction is set too."""

    task: str = ""
    """Task; empty: the same again."""
    seed: int = 0
    """Start state."""


def _status(client: GraphClient, _: Status) -> dict[str, Any]:
    _hear(client, "executor_state", lambda: client.executor_state is not None)
    _hear(client, "episode_state", lambda: client.episode is not None)
    said, sim, executor = client.safety, client.sim, client.executor_state
    assert said is not None
    cause, mend = words.stop_words(said.stop_cause, said.stop_source, said.stop_detail)
    report: dict[str, Any] = {
        "state": words.SAFETY[int(said.state)],
        "missing": list(said.not_ready),
        "executor": words.EXECUTOR.get(int(executor.state), "unknown") if executor else "silent",
        "recording": None if client.episode is None else client.episode.state == EpisodeState.RECORDING,
    }
    if said.state == SafetyState.STOPPED:
        report |= {"cause": cause, "mend": mend}
    if sim is not None:
        report["sim"] = {"task": sim.task, "success": bool(sim.success), "failed": bool(sim.failed)}
    return report


def _hear(client: GraphClient, topic: str, came: Callable[[], bool]) -> None:
    """Give a node a moment to tell its state; the report says where it stays silent.

    Who is there arrives bit by bit, with seconds between on a full machine: that nobody speaks on a topic counts only
    once the list of topics has stood still.
    """
    listed, since_s = 0, time.monotonic()

    def is_over() -> bool:
        nonlocal listed, since_s
        now_listed = len(client.node.get_topic_names_and_types())
        if now_listed != listed:
            listed, since_s = now_listed, time.monotonic()
        speaks = client.node.count_publishers(topic) > 0
        return came() or (not speaks and time.monotonic() - since_s > _SETTLED_S)

    with suppress(GraphError):
        client.wait_for(is_over, _TO_HEAR_S, topic)


def _arm(client: GraphClient, args: Arm) -> dict[str, Any]:
    if args.wait_s > 0:
        client.wait_ready(args.wait_s)
    return {"state": "armed", "epoch": client.rearm()}


def _stop(client: GraphClient, _: Stop) -> dict[str, Any]:
    client.stop()
    client.wait_for(
        lambda: client.safety is not None and client.safety.state == SafetyState.STOPPED, 5.0, "the stop"
    )  # fmt: skip
    return {"state": "stopped"}


def _home(client: GraphClient, args: Home) -> dict[str, Any]:
    client.home(args.timeout_s)
    return {"posture": "ready"}


def _instruct(client: GraphClient, args: Instruct) -> dict[str, Any]:
    client.set_instruction(args.text)
    return {"instruction": args.text}


def _speed(client: GraphClient, args: Speed) -> dict[str, Any]:
    if not 10 <= args.percent <= 100:
        raise GraphError(f"The speed is 10 to 100 percent, not {args.percent}.")
    client.set_speed(args.percent / 100)
    return {"speed": f"{args.percent} % of the limit"}


def _run(client: GraphClient, args: Run) -> dict[str, Any]:
    """The run; where a simulation judges it, its word counts, and a run that it judged is ended."""
    if not client.is_armed:
        raise GraphError("The robot is not armed. Look at `vitra-operate status`, then `vitra-operate arm`.")
    stops = len(client.stops)
    handle = client.start_policy(args.text, args.time_limit_s)
    ended = client.result_of(handle)
    limit_s = args.time_limit_s + 10.0 if args.time_limit_s > 0 else float("inf")

    def judged() -> bool:
        return client.sim is not None and (client.sim.success or client.sim.failed)

    try:
        client.wait_for(lambda: ended.done() or len(client.stops) > stops or judged(), limit_s, "the run to end")
    finally:
        result = client.finish_policy(handle)
    report = {"result": str(result.termination_reason), "detail": str(result.detail), "chunks": int(result.chunks)}
    if judged() and client.sim is not None:
        report["result"] = "success" if client.sim.success else "object_lost"
    if len(client.stops) > stops:
        last = client.stops[-1]
        report |= {
            "result": "stopped",
            "detail": words.stop_words(last.stop_cause, last.stop_source, last.stop_detail)[0],
        }
    return report | {"ok": report["result"] in ("success", "policy_done", "time_limit")}


def _record(client: GraphClient, args: Record) -> dict[str, Any]:
    return {_DOING[args.what]: client.trigger(f"recorder/{args.what}", 30.0)}


def _reset(client: GraphClient, args: Reset) -> dict[str, Any]:
    instruction = client.reset_sim(args.task, args.seed)
    client.set_instruction(instruction)
    return {"instruction": instruction}


_ACTS: dict[type, Callable[[GraphClient, Any], dict[str, Any]]] = {
    Status: _status,
    Arm: _arm,
    Stop: _stop,
    Home: _home,
    Instruct: _instruct,
    Speed: _speed,
    Run: _run,
    Record: _record,
    Reset: _reset,
}
Command = (
    Annotated[Status, tyro.conf.subcommand("status")]
    | Annotated[Arm, tyro.conf.subcommand("arm")]
    | Annotated[Stop, tyro.conf.subcommand("stop")]
    | Annotated[Home, tyro.conf.subcommand("home")]
    | Annotated[Instruct, tyro.conf.subcommand("instruct")]
    | Annotated[Speed, tyro.conf.subcommand("speed")]
    | Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Record, tyro.conf.subcommand("record")]
    | Annotated[Reset, tyro.conf.subcommand("reset")]
)


@contextmanager
def _joined(args: _Common) -> Iterator[GraphClient]:
    with GraphClient("vitra_operate", args.domain_id) as client:
        if not isinstance(args, Stop):  # a stop is sent before anything is looked at
            client.wait_for(
                lambda: client.safety is not None, args.find_s,
                "a safety supervisor. Is a graph running in this ROS domain, as `make sim` starts one",
            )  # fmt: skip
        yield client


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args: Any = tyro.cli(Command, prog="vitra-operate", description=__doc__, args=argv)
    use_udp()
    try:
        with own_stdout(), _joined(args) as client:  # Fast DDS prints its troubles where the report goes
            report = _ACTS[type(args)](client, args)
    except VitraError as error:
        return _tell(args, {"ok": False, "error": str(error)}, 1)
    except KeyboardInterrupt:
        return 130
    return _tell(args, {"ok": True} | report, 0 if report.get("ok", True) else 1)


def _tell(args: _Common, report: dict[str, Any], code: int) -> int:
    if args.json:
        sys.stdout.write(json.dumps(report) + "\n")
    elif "error" in report:
        print_error(Console(stderr=True, highlight=False), "vitra-operate", report["error"])
    else:
        for key, value in report.items():
            if key != "ok" and value not in ("", [], {}):
                text = "\n  ".join(["", *value]) if isinstance(value, list) else value
                screen.print(f"{key}: {text}", soft_wrap=True, markup=False)
    return code


if __name__ == "__main__":
    sys.exit(main())
