"""Our server asked as openpi's own client asks: its frames, its keys, nothing of ours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from websockets.sync.client import connect

from vitra_policy.mappings.mapping import load_mapping
from vitra_policy.mappings.translator import Translator
from vitra_policy.policies.policy import ActionChunk, Observation, PolicyMetadata, make_example_observation
from vitra_policy.serving import wire
from vitra_policy.serving.client import RemotePolicy
from vitra_policy.serving.server import PolicyServer


class Echo:
    """Answers fingers as they are."""

    metadata = PolicyMetadata("echo", needs_image=True, needs_state=True)

    def infer(self, observation: Observation) -> ActionChunk:
        self.seen = observation
        actions = np.tile(observation.state, (16, 1))
        actions[:, [*range(6), *range(51, 57)]] = 0
        return ActionChunk(actions, observation.hands, 1 / 30, "echo")

    def warm_up(self) -> None: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...


@pytest.fixture
def policy() -> Echo:
    return Echo()


@pytest.fixture
def server(policy: Echo) -> Iterator[PolicyServer]:
    with PolicyServer(policy, port=0, translator=Translator(load_mapping("openpi-generic"))) as running:
        yield running


def ask(server: PolicyServer, message: dict[str, object]) -> dict[str, object] | str:
    """As openpi's client does: metadata first, one request, one answer."""
    with connect(f"ws://127.0.0.1:{server.port}", compression=None, max_size=None) as connection:
        assert isinstance(wire.unpack(connection.recv(timeout=5)), dict)  # type: ignore[arg-type]
        connection.send(wire.pack(message))
        answer = connection.recv(timeout=10)
        return answer if isinstance(answer, str) else wire.unpack(answer)


def test_openpis_observation_is_answered_with_actions_and_timing(server: PolicyServer, policy: Echo) -> None:
    state = make_example_observation().state
    message = {
        "observation/image": np.full((48, 64, 3), 7, dtype=np.uint8),
        "observation/state": state.astype(np.float32),
        "prompt": "put the cube into the box",
    }
    answer = ask(server, message)
    assert isinstance(answer, dict)
    assert answer.keys() == {"actions", "server_timing"}
    assert answer["actions"].shape == (16, 102)  # type: ignore[attr-defined]
    assert policy.seen.instruction == "Left hand: None. Right hand: put the cube into the box."
    assert policy.seen.state_valid.tolist() == [False, True]
    np.testing.assert_allclose(policy.seen.state[51:], state[51:], atol=1e-6)


def test_images_with_channels_first_and_floats_are_understood(server: PolicyServer, policy: Echo) -> None:
    an_image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    message = {"observation/state": make_example_observation().state, "prompt": "go"}
    for sent in (an_image.transpose(2, 0, 1), an_image.astype(np.float32) / 255):
        assert isinstance(ask(server, message | {"observation/image": sent}), dict)
        assert np.abs(policy.seen.image.astype(int) - an_image).max() <= 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"observation/image": None}, "lacks 'observation/image'"),
        ({"observation/state": np.zeros(14)}, "has 14 numbers"),
        ({"prompt": " "}, "no instruction"),
        ({"observation/image": np.zeros((4, 48, 64, 3), np.uint8)}, "must be one image"),
        ({"observation/image": np.full((48, 64, 3), 200.0)}, "Send uint8, or divide by 255"),
        ({"observation/image": np.full((48, 64, 3), np.nan)}, "Send uint8, or divide by 255"),
        ({"observation/state": "here"}, "must be 102 numbers (openpi-generic.yaml:7), got 'here'"),
        ({"observation/state": [[1], [2, 3]]}, "must be 102 numbers"),
        ({"prompt": ["go", "on"]}, "must be words (openpi-generic.yaml:9), got list"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_in_words(
    server: PolicyServer, change: dict[str, object], says: str
) -> None:
    message = {
        "observation/image": np.zeros((48, 64, 3), np.uint8),
        "observation/state": make_example_observation().state,
        "prompt": "go",
    } | change
    answer = ask(server, {key: value for key, value in message.items() if value is not None})
    assert isinstance(answer, str)
    assert says in answer


def test_our_own_client_is_answered_in_full_beside_it(server: PolicyServer) -> None:
    own = RemotePolicy(f"ws://127.0.0.1:{server.port}", connect_timeout_s=5, infer_timeout_s=5)
    own.warm_up()
    assert own.infer(make_example_observation(height=16, width=16)).policy_id == "echo"
    own.close()
