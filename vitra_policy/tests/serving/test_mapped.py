"""Our client at a server of other people: nothing but observations is sent, and what is wrong ends in a named line."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from vitra_policy.action_space import ACTION_DIM, Hands
from vitra_policy.mappings.mapping import load_mapping
from vitra_policy.mappings.part import AnswerRefusedError
from vitra_policy.policies.policy import PolicyError, make_example_observation
from vitra_policy.serving.client import ConnectionLostError, make_remote_policy
from vitra_policy.serving.mapped import MappedPolicy
from vitra_policy.serving.openpi_double import OpenpiDouble
from vitra_policy.serving.wire import HandshakeError

SEEN = make_example_observation(height=24, width=32, hands=Hands(right=True))


def still(request: dict[str, Any]) -> dict[str, Any]:
    actions = np.zeros((16, ACTION_DIM), dtype=np.float32)
    actions[:, 57:] = request["observation/state"][57:]
    return {"actions": actions}


def client(server: OpenpiDouble, **more: Any) -> MappedPolicy:
    policy = MappedPolicy(server.url, load_mapping("openpi-generic"), connect_timeout_s=5, infer_timeout_s=5, **more)
    policy.warm_up()
    return policy


def test_a_server_that_says_nothing_of_itself_is_used_and_never_gets_anything_but_observations() -> None:
    with OpenpiDouble(still) as server:
        policy = client(server)
        policy.reset()
        chunk = policy.infer(SEEN)
        policy.reset()
        policy.infer(SEEN)
        policy.close()
    assert len(server.requests) == 2
    assert all(request.keys() == {"observation/image", "observation/state", "prompt"} for request in server.requests)
    np.testing.assert_allclose(chunk.actions[0, 57:], SEEN.state[57:], atol=1e-6)
    assert chunk.timing["server"] == pytest.approx(1e-3)
    assert chunk.policy_id == "openpi-generic"


def test_the_factory_takes_a_mapping() -> None:
    with OpenpiDouble(still) as server:
        policy = make_remote_policy(port=str(server.port), mapping="openpi-generic", infer_timeout_s="5")
        policy.warm_up()
        assert policy.infer(SEEN).steps == 16
        policy.close()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda a: {"actions": a[0]},
        lambda a: {"actions": a[:, :50]},
        lambda a: {"actions": a * np.nan},
        lambda a: {"actions": a + 5},
        lambda a: {"action": a},
    ],
)
def test_a_wrong_first_answer_is_refused_with_its_line_and_gives_no_chunk(spoil: Any) -> None:
    with OpenpiDouble(lambda request: spoil(still(request)["actions"])) as server:
        policy = client(server)
        with pytest.raises(AnswerRefusedError, match=r"openpi-generic.yaml:\d+: "):
            policy.infer(SEEN)
        policy.close()


def test_a_server_that_cannot_read_the_request_is_quoted_and_the_next_request_connects_anew() -> None:
    calls = []

    def fails_once(request: dict[str, Any]) -> dict[str, Any]:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("expected image layout c h w")
        return still(request)

    with OpenpiDouble(fails_once) as server:
        policy = client(server)
        with pytest.raises(PolicyError, match=r"openpi-generic.yaml:\d+: .*ValueError: expected image layout c h w"):
            policy.infer(SEEN)
        assert policy.infer(SEEN).steps == 16
        policy.close()


def test_a_slow_server_misses_its_deadline_and_its_late_answer_is_thrown_away() -> None:
    hold = threading.Event()

    def slow(request: dict[str, Any]) -> dict[str, Any]:
        hold.wait(10)
        return still(request)

    with OpenpiDouble(slow) as server:
        policy = MappedPolicy(server.url, load_mapping("openpi-generic"), connect_timeout_s=5, infer_timeout_s=0.2)
        policy.warm_up()
        with pytest.raises(ConnectionLostError, match=r"within 0.2 s"):
            policy.infer(SEEN)
        hold.set()
        policy.close()


def test_a_restarted_server_is_found_again_and_one_that_changed_is_refused() -> None:
    with OpenpiDouble(still, {"model": "a"}) as server:
        policy = client(server)
    with pytest.raises(ConnectionLostError):
        policy.infer(SEEN)
    with OpenpiDouble(still, {"model": "a"}, server.port):
        assert policy.infer(SEEN).steps == 16
    with pytest.raises(ConnectionLostError):
        policy.infer(SEEN)
    with OpenpiDouble(still, {"model": "b"}, server.port), pytest.raises(HandshakeError, match=r"before \(model\)"):
        policy.infer(SEEN)
    policy.close()


def test_what_a_server_says_of_itself_must_be_what_the_mapping_expects(tmp_path: Any) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "request:\n  prompt: {text: prompt}\nexpect:\n  action_horizon: 32\nanswer:\n  rate_hz: 30\n"
        "  parts: [{what: hands}]\n"
    )
    with OpenpiDouble(still, {"action_horizon": 16}) as server:
        policy = MappedPolicy(server.url, load_mapping(path), connect_timeout_s=2)
        with pytest.raises(HandshakeError, match=r"own.yaml:4: the server says action_horizon = 16, expected is 32"):
            policy.warm_up()
