"""openpi's own client and server, of a checkout of openpi, against ours: the scripted expert does a task both ways.

python requirements/try_openpi.py OPENPI --episodes 5

OPENPI holds `packages/openpi-client/src` and `src/openpi/serving`, as openpi's repository has them; nothing else of it
is needed. Exit code 1 when an episode fails.
"""

from __future__ import annotations

import argparse
import dataclasses
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from vitra_policy.mappings.mapping import load_mapping
from vitra_policy.mappings.part import Situation
from vitra_policy.mappings.translator import Translator
from vitra_policy.policies.policy import ActionChunk, Observation, PolicyMetadata
from vitra_policy.policies.registry import create_policy
from vitra_policy.policies.robot import find_robot
from vitra_policy.serving.client import make_remote_policy
from vitra_policy.serving.server import PolicyServer
from vitra_sim.lockstep.env import VitraSimEnv
from vitra_sim.tasks.tasks import DEFAULT_TASK

TERMS = ("openpi-generic", "openpi-joints")
Ask = Callable[[Observation], ActionChunk]


class Expert:
    """The scripted expert as a server's policy: it plans for what the simulator shows, whatever a request holds."""

    metadata = PolicyMetadata("expert", needs_image=True, needs_state=True)

    def __init__(self) -> None:
        self._expert = create_policy("expert", {"step_s": str(1 / 30)})
        self.shown: Observation | None = None

    def infer(self, observation: Observation | None = None) -> ActionChunk:
        """A chunk for what is shown."""
        assert self.shown is not None
        return self._expert.infer(self.shown)

    def warm_up(self) -> None:
        """Get ready."""
        self._expert.warm_up()

    def reset(self) -> None:
        """A new episode."""
        self._expert.reset()

    def close(self) -> None:
        """Nothing to free."""


def episode(env: VitraSimEnv, expert: Expert, ask: Ask, seed: int, spent_s: list[float]) -> tuple[bool, int]:
    """One episode whose chunks come from a server; whether the task is done, and after how many chunks."""
    expert.reset()
    observation, _ = env.reset(seed=seed, options={"task": DEFAULT_TASK})
    over, chunks, info = False, 0, {"success": False}
    while not over:
        expert.shown = observation
        started_s = time.monotonic()
        chunk = ask(dataclasses.replace(observation, image=np.zeros((48, 64, 3), np.uint8)))
        spent_s.append(time.monotonic() - started_s)
        observation, _, ended, truncated, info = env.step(chunk, observation)
        over, chunks = ended or truncated, chunks + 1
    return bool(info["success"]), chunks


@contextmanager
def their_client(terms: str, expert: Expert) -> Iterator[Ask]:
    """Their client asks our server, in openpi's terms."""
    from openpi_client.websocket_client_policy import WebsocketClientPolicy

    mapping, robot = load_mapping(terms), find_robot()
    with PolicyServer(expert, port=0, translator=Translator(mapping, find_robot())) as server:
        client = WebsocketClientPolicy("127.0.0.1", server.port)

        def ask(observation: Observation) -> ActionChunk:
            now = Situation(observation, mapping.step_s, robot)
            return mapping.chunk(client.infer(mapping.request(now)), now)

        yield ask


@contextmanager
def their_server(terms: str, expert: Expert) -> Iterator[Ask]:
    """`policy:=remote` asks openpi's server, behind which the expert answers in openpi's terms."""
    from openpi.serving.websocket_policy_server import WebsocketPolicyServer

    translator = Translator(load_mapping(terms), find_robot())

    class Behind:
        def infer(self, request: dict[str, Any]) -> dict[str, Any]:
            return translator.answer(expert.infer(), translator.observation(request))

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    server = WebsocketPolicyServer(Behind(), host="127.0.0.1", port=port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    policy = make_remote_policy(port=str(port), mapping=terms, infer_timeout_s="20")
    policy.warm_up()
    try:
        yield policy.infer
    finally:
        policy.close()


def main(arguments: list[str] | None = None) -> int:
    """Run all, a line for each way and mapping."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("openpi", type=Path)
    parser.add_argument("--episodes", type=int, default=5)
    given = parser.parse_args(arguments)
    if given.episodes < 1:
        parser.error(f"--episodes {given.episodes}: at least 1.")
    folders = [given.openpi / "packages/openpi-client/src", given.openpi / "src"]
    if missing := [str(folder) for folder in folders if not folder.is_dir()]:
        parser.error(f"{', '.join(missing)}: not there. Give the folder of openpi's repository.")
    sys.path[:0] = [str(folder) for folder in folders]
    expert, env, failed = Expert(), VitraSimEnv(), 0
    expert.warm_up()
    for way, connect in (("openpi's client, our server", their_client), ("our client, openpi's server", their_server)):
        for terms in TERMS:
            spent_s: list[float] = []
            with connect(terms, expert) as ask:
                results = [episode(env, expert, ask, seed, spent_s) for seed in range(given.episodes)]
            done = sum(success for success, _ in results)
            failed += len(results) - done
            chunks = ", ".join(str(count) for _, count in results)
            median_ms = np.median(spent_s) * 1e3
            sys.stdout.write(f"{way}, {terms}: {done} of {len(results)}, chunks {chunks}, {median_ms:.0f} ms median\n")
            sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
