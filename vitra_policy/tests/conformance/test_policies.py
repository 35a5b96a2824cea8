"""The suite for policies: a network of ours passes, and each fault is found."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitra_policy.action_space import ACTION_DIM, HAND, Hands
from vitra_policy.benchmarks.bench_gpu import TINY
from vitra_policy.benchmarks.random_network import example_statistics, random_network
from vitra_policy.checkpoint.store import About, save_model
from vitra_policy.cli import main
from vitra_policy.conformance.policy_cases import POLICY_CASES, PolicySubject
from vitra_policy.conformance.verdict import judge
from vitra_policy.policies.policy import ActionChunk, Observation, PolicyMetadata

PREFIX_CASES = {"committed prefix", "splice jump", "wrong delay estimate", "other hand"}


class Steady:
    """Keeps the prefix and then the last finger angles; `spoil` changes an answer."""

    def __init__(self, spoil: Any = lambda observation, chunk: chunk, uses_committed: bool = True) -> None:
        self.metadata = PolicyMetadata("steady", needs_image=False, uses_committed=uses_committed)
        self._spoil = spoil

    def warm_up(self) -> None: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...

    def infer(self, observation: Observation) -> ActionChunk:
        actions = np.zeros((16, ACTION_DIM), dtype=np.float32)
        kept = 0
        for index, side in enumerate(("left", "right")):
            hand = HAND[side]  # type: ignore[index]
            actions[:, hand] = observation.state[hand]
            actions[:, hand.start : hand.start + 6] = 0
            committed = observation.committed
            if committed is not None and committed.valid[index] and observation.hands[index]:
                kept = min(committed.steps, 16)
                actions[:kept, hand] = committed.actions[:kept, hand]
        chunk = ActionChunk(actions, observation.hands, 1 / 30, "steady", committed_steps=kept)
        return self._spoil(observation, chunk)  # type: ignore[no-any-return]


RIGHT = Hands(right=True)


def failed(policy: Any, hands: Hands = RIGHT) -> dict[str, str]:
    return {v.name: "; ".join(v.complaints) for v in judge(POLICY_CASES, PolicySubject(policy, hands)) if not v.passed}


@pytest.mark.parametrize("hands", [Hands(right=True), Hands(left=True), Hands(True, True)])
def test_a_policy_that_keeps_its_prefix_passes(hands: Hands) -> None:
    assert failed(Steady(), hands) == {}


def forgets(observation: Observation, chunk: ActionChunk) -> ActionChunk:
    actions = chunk.actions.copy()
    actions[: chunk.committed_steps] += 0.01
    return dataclasses.replace(chunk, actions=actions)


def means(observation: Observation, chunk: ActionChunk) -> ActionChunk:
    actions = chunk.actions.copy()
    actions[chunk.committed_steps] = 0
    return dataclasses.replace(chunk, actions=actions)


def shortens(observation: Observation, chunk: ActionChunk) -> ActionChunk:
    prefix = observation.committed
    return dataclasses.replace(chunk, actions=chunk.actions[: 8 if prefix and prefix.steps > 15 else 16],
                               committed_steps=min(chunk.committed_steps, 8))  # fmt: skip


def mixes_hands(observation: Observation, chunk: ActionChunk) -> ActionChunk:
    actions = chunk.actions.copy()
    if observation.committed is not None:
        actions[:, HAND["right"]][: observation.committed.steps] = 0.3
    return dataclasses.replace(chunk, actions=actions)


def fears_the_past(observation: Observation, chunk: ActionChunk) -> ActionChunk:
    if observation.stamp_s < 1000:
        raise ValueError("time goes back")
    return chunk


def claims(observation: Observation, chunk: ActionChunk) -> ActionChunk:
    return dataclasses.replace(chunk, committed_steps=4)


@pytest.mark.parametrize(
    ("spoil", "case"),
    [
        (forgets, "committed prefix"),
        (means, "splice jump"),
        (shortens, "wrong delay estimate"),
        (mixes_hands, "other hand"),
        (fears_the_past, "clock step"),
        (fears_the_past, "reordered images"),
        (claims, "cold start"),
        (claims, "dropped chunk"),
        (claims, "reset"),
    ],
)
def test_one_fault_is_found_by_its_case(spoil: Any, case: str) -> None:
    assert case in failed(Steady(spoil))


def test_what_a_policy_does_not_claim_is_not_asked_of_it() -> None:
    verdicts = judge(POLICY_CASES, PolicySubject(Steady(uses_committed=False)))
    assert {v.name for v in verdicts if not v.applies} == PREFIX_CASES


def test_the_command_examines_a_network_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    statistics = example_statistics(motion=0.01, fingers=0.05)
    checkpoint = save_model(tmp_path / "tiny", random_network(TINY), about=About(statistics=statistics))
    options = ["--option", f"checkpoint={checkpoint}", "steps=2", "guidance=1", "device=cpu", "seed=1"]
    main(["conform", "--policy", "vitra", *options, "--json", str(tmp_path / "out.json")])
    cases = json.loads((tmp_path / "out.json").read_text())["cases"]
    assert [case["name"] for case in cases] == [case.name for case in POLICY_CASES]
    assert all(case["passed"] and case["applies"] for case in cases)
    assert "committed prefix" in capsys.readouterr().out


def test_the_command_examines_clients_and_ends_with_1_when_a_case_fails(capsys: pytest.CaptureFixture[str]) -> None:
    main(["conform"])
    assert "TimelineClient" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["conform", "--client", "vitra_policy.conformance.controls:NaiveClient"])
    assert stop.value.code == 1
    for wrong in ("nonsense", "vitra_policy.errors:nothing", "no.such:thing"):
        with pytest.raises(SystemExit) as stop:
            main(["conform", "--client", wrong])
        assert stop.value.code == 2


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("raise RuntimeError('at once')", "cannot be imported: RuntimeError: at once"),
        ("def broken(:", "cannot be imported: SyntaxError"),
        ("import sys; sys.exit(0)", "cannot be imported: SystemExit"),
    ],
)
def test_a_client_whose_module_fails_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, source: str, says: str
) -> None:
    (tmp_path / "failing_client.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["conform", "--client", "failing_client:Client"])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_a_client_in_this_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "client_of_here.py").write_text(
        "from vitra_policy.conformance.clients import TimelineClient as Client\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [path for path in sys.path if path])
    main(["conform", "--client", "client_of_here:Client"])


def test_a_limit_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["conform", "--case-timeout-s", "-1"])
    assert "give seconds above 0" in capsys.readouterr().err
