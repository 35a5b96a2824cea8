"""What an evaluator can see during a session does not depend on who is behind the aliases."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from vitra_bringup import bag_report
from vitra_evaluation.backends.lockstep_port import LockstepPort
from vitra_evaluation.blinding.blinded_policy import LATENCY_NAME, LOG_NAME, BlindedPolicy
from vitra_evaluation.blinding.blinding_key import SEAL_NAME, open_blinding_key
from vitra_evaluation.blinding.perturbed_expert import make_perturbed_expert
from vitra_evaluation.console.state import page_state
from vitra_evaluation.errors import SessionError
from vitra_evaluation.plan.file import parse_plan
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.runner import Runner
from vitra_evaluation.session.view import View
from vitra_policy.policies import registry
from vitra_policy.policies.policy import ActionChunk

TELLING = ("perturbed", "expert", "noise_m", '"one"', '"two"')
SEALED = {SEAL_NAME, LATENCY_NAME, LOG_NAME, "plan.yaml"}  # the plan lists the policies, not who is who
Leak = Callable[[ActionChunk, str], ActionChunk]


def sit(folder: Path, leak: Leak | None = None) -> list[str]:
    """Run a whole small session; returns everything that the console was told.

    Args:
        folder: of the session.
        leak: spoils what the blinded_policy answers, given the chunk and the name of the policy behind it.
    """
    text = (Path(__file__).parents[1] / "data/small.yaml").read_text()
    text = text.replace("trials: 3", "trials: 1").replace("time_limit_s: 20", "time_limit_s: 1")
    plan = parse_plan(text, None)
    session = Session.create(folder, plan)
    blinded_policy = BlindedPolicy(folder)
    blinded_policy.warm_up()
    if leak is not None:
        infer, names = blinded_policy.infer, open_blinding_key(folder).names
        blinded_policy.infer = lambda seen: leak(chunk := infer(seen), names[chunk.policy_id])
    port = LockstepPort(blinded_policy, plan.time_limit_s)
    told: list[str] = []

    def look(view: View) -> None:
        told.append(view.message + json.dumps(page_state(session, view, port)))

    Runner(session, port, "ann", look).run()
    port.close()
    session.close()
    return told


def leaks(folder: Path, told: list[str]) -> list[str]:
    """Whatever tells the policies apart before the report."""
    found = [f"name {p}" for p in folder.rglob("*") if any(word in p.name for word in ("perturbed", "expert"))]
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in SEALED:
            content = path.read_bytes()
            found += [f"{word} in {path.name}" for word in TELLING if word.encode() in content]
    words = (*TELLING, "latency", "inference", "answer_ms")
    found += [f"{word} on the console" for text in told for word in words if word in text]
    names, shapes = open_blinding_key(folder).names, {}
    for bag in sorted(folder.glob("trials/*/bag")):
        with bag_report.open_bag(bag) as reader:
            topics = tuple(sorted((c.topic, c.msgtype) for c in reader.connections))
            for _, _, chunk in bag_report.messages(reader, ("hand_action_chunk",)):
                if chunk.policy_id not in names:
                    found.append(f"policy id {chunk.policy_id} in a bag")
                    continue
                shape = (topics, chunk.steps, chunk.step_s, chunk.source, *chunk.stage_names, chunk.inference_s)
                shapes.setdefault(names[chunk.policy_id], set()).add(shape)
    if len({frozenset(shape) for shape in shapes.values()}) > 1:
        found.append("chunks of the policies look different")
    for name in (SEAL_NAME, LATENCY_NAME):
        if (folder / name).stat().st_mode & 0o777 != 0o600:
            found.append(f"{name} is open to others")
    return found


@pytest.fixture(autouse=True)
def _perturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._registered, "perturbed_expert", make_perturbed_expert)


def test_nothing_before_the_report_tells_the_policies_apart(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told = sit(tmp_path / "session")
    assert leaks(tmp_path / "session", told) == []
    heard = capfd.readouterr()
    assert not any(word in heard.out + heard.err for word in TELLING)
    aliases = {slot.alias for slot in Session.load(tmp_path / "session").schedule.slots}
    assert len(aliases) == 2


@pytest.mark.parametrize(
    "leak",
    [
        lambda chunk, name: dataclasses.replace(chunk, step_s=0.05 if name == "one" else 0.06),
        lambda chunk, name: dataclasses.replace(chunk, actions=chunk.actions[: 16 if name == "one" else 12]),
    ],
    ids=["step", "steps"],
)
def test_a_blinded_policy_that_leaks_is_caught(tmp_path: Path, leak: Leak) -> None:
    told = sit(tmp_path / "session", leak)
    assert leaks(tmp_path / "session", told)


def test_answers_that_are_not_signed_with_the_trials_alias_do_not_count(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match=r"the bag holds answers of another trial \(expert (one|two)\)"):
        sit(tmp_path / "session", lambda chunk, name: dataclasses.replace(chunk, policy_id=f"expert {name}"))
