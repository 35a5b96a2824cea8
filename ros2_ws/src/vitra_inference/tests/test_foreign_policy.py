"""A foreign server that is not what its mapping says: the run ends, the wrong line is named, nothing is published."""

from __future__ import annotations

import re
import threading
from importlib.resources import files

import numpy as np
import pytest

pytest.importorskip("rclpy")
from vitra_msgs.msg import Heartbeat
from vitra_policy.mappings.mapping import load_mapping
from vitra_policy.policies import registry
from vitra_policy.policies.robot import find_robot
from vitra_policy.serving.mapped import MappedPolicy
from vitra_policy.serving.openpi_double import OpenpiDouble

pytestmark = pytest.mark.graph
TERMS = "openpi-joints"


class Server:
    """Answers with the joints as they are; `spoil` changes the answer, `hold` makes it wait."""

    def __init__(self):
        self.spoil = lambda rows: {"actions": rows}
        self.hold = threading.Event()
        self.hold.set()

    def __call__(self, request):
        self.hold.wait(20)
        state = request["observation/state"]
        return self.spoil(np.tile(np.asarray(state, dtype=np.float32), (16, 1)))


@pytest.fixture
def behind():
    server = Server()
    yield server
    server.hold.set()


@pytest.fixture
def double(behind, monkeypatch):
    with OpenpiDouble(behind, {"model": "a"}) as server:
        made = []

        def make():
            mapping = load_mapping(TERMS)
            made.append(MappedPolicy(server.url, mapping, find_robot(), connect_timeout_s=10, infer_timeout_s=2.0))
            return made[-1]

        monkeypatch.setattr(registry, "_registered", {"fake": make})
        yield server
        for policy in made:
            policy.close()


def run(g):
    g.until(lambda: g.node.is_active, 30)
    return g.send_goal(instruction="Put the cube into the box")[1]


def ended(g, result):
    g.until(result.done, 30)
    got = result.result().result
    assert got.termination_reason == "policy_error"
    return got


def lines_with(word):
    text = (files("vitra_policy.mappings") / "files" / f"{TERMS}.yaml").read_text()
    return [n for n, line in enumerate(text.splitlines(), start=1) if word in line]


def another_layout(rows):
    raise ValueError("expected channels first")


@pytest.mark.parametrize(
    ("spoil", "says", "word"),
    [
        (lambda rows: {"actions": rows[:10]}, "has 10 steps, expected are 16", "horizon"),
        (lambda rows: {"actions": np.rad2deg(rows)}, "they would fit if they were deg", "unit: rad"),
        (lambda rows: {"actions": np.where(np.arange(19) == 3, np.nan, rows)}, "not finite", "arm_joints"),
        (lambda rows: {"action": rows}, "has no 'actions'", "key: actions"),
        (lambda rows: {"actions": rows[:, :14]}, "14 numbers per step", "parts:"),
        (another_layout, "ValueError: expected channels first", "request:"),
    ],
)  # fmt: skip
def test_a_wrong_first_answer_ends_the_run_with_its_line_and_moves_nothing(graph, behind, double, spoil, says, word):
    behind.spoil = spoil
    g = graph()
    got = ended(g, run(g))
    assert says in got.detail
    line = re.search(rf"{TERMS}\.yaml:(\d+): ", got.detail)
    assert line, got.detail
    assert int(line[1]) in lines_with(word), got.detail
    assert not g.chunks
    assert got.chunks == 0


def test_a_slow_server_ends_the_run_and_its_late_answer_moves_nothing(graph, behind, double):
    g = graph()
    behind.hold.clear()
    got = ended(g, run(g))
    assert "within 2 s" in got.detail
    behind.hold.set()
    beats = len(g.beats)
    g.until(lambda: len(g.beats) > beats + 5)
    assert not g.chunks


def test_a_server_that_comes_back_as_another_is_refused_and_moves_nothing_more(graph, behind, monkeypatch):
    with OpenpiDouble(behind, {"model": "a"}) as first:
        policy = MappedPolicy(first.url, load_mapping(TERMS), find_robot(), connect_timeout_s=10, infer_timeout_s=2.0)
        monkeypatch.setattr(registry, "_registered", {"fake": lambda: policy})
        g = graph()
        result = run(g)
        g.until(lambda: g.chunks)
    ended(g, result)
    sent = g.node._worker._sequence
    with OpenpiDouble(behind, {"model": "b"}, first.port):
        g.until(lambda: g.last_beat()[0] == Heartbeat.ACTIVE)
        got = ended(g, run(g))
        assert "something else of itself than before (model)" in got.detail
    assert g.node._worker._sequence == sent
    policy.close()


def test_a_server_that_is_well_is_followed(graph, behind, double):
    g = graph()
    run(g)
    chunk = g.until(lambda: g.chunks and g.chunks[-1], 30)
    assert (chunk.policy_id, chunk.left_valid, chunk.right_valid) == (TERMS, False, True)
