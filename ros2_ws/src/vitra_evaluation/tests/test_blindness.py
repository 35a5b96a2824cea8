"""What an evaluator can see during a session does not depend on who is behind the aliases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vitra_bringup import bag_report
from vitra_evaluation.console.state import page_state
from vitra_evaluation.handicap import make_handicapped_expert
from vitra_evaluation.lockstep_port import LockstepPort
from vitra_evaluation.plan_file import parse_plan
from vitra_evaluation.runner import Runner, View
from vitra_evaluation.seal import SEAL_NAME
from vitra_evaluation.session import Session
from vitra_evaluation.switchboard import LATENCY_NAME, LOG_NAME, Switchboard
from vitra_policy.inference import registry

TELLING = ("handicap", "expert", "noise_m", '"one"', '"two"')
SEALED = {SEAL_NAME, LATENCY_NAME, LOG_NAME, "plan.yaml"}  # the plan lists the policies, not who is who


def test_nothing_before_the_report_tells_the_policies_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parent / "data/small.yaml").read_text()
    small_plan = parse_plan(text.replace("trials: 3", "trials: 1").replace("time_limit_s: 20", "time_limit_s: 1"), None)
    monkeypatch.setitem(registry._registered, "handicapped_expert", make_handicapped_expert)
    folder = tmp_path / "session"
    session = Session.create(folder, small_plan)
    switchboard = Switchboard(folder)
    switchboard.warm_up()
    port = LockstepPort(switchboard, small_plan.time_limit_s)
    told: list[str] = []
    states: list[str] = []

    def look(view: View) -> None:
        told.append(view.message)
        states.append(json.dumps(page_state(session, view, port)))

    Runner(session, port, "ann", look).run()
    port.close()
    session.close()

    for path in folder.rglob("*"):
        assert not any(word.strip('"') in path.name for word in ("handicap", "expert")), path
        if path.is_file() and path.name not in SEALED:
            content = path.read_bytes()
            assert not any(word.encode() in content for word in TELLING), path
    for text in told + states:
        assert not any(word in text for word in TELLING)
        assert not any(word in text for word in ("latency", "inference", "answer_ms"))

    aliases, shapes = set(), set()
    for bag in sorted(folder.glob("trials/*/bag")):
        with bag_report.open_bag(bag) as reader:
            for topic, _, message in bag_report.messages(reader, ("hand_action_chunk",)):
                aliases.add(message.policy_id)
                shapes.add(
                    (
                        topic,
                        message.steps,
                        message.step_s,
                        message.source,
                        tuple(message.stage_names),
                        message.inference_s,
                    )
                )
    assert aliases == {slot.alias for slot in Session.load(folder).schedule.slots}
    assert len(shapes) == 1
    modes = {name: (folder / name).stat().st_mode & 0o777 for name in (SEAL_NAME, LATENCY_NAME)}
    assert set(modes.values()) == {0o600}
