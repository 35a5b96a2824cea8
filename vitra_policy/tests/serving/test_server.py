import dataclasses
import socket
import threading
import urllib.request

import numpy as np
import pytest
from websockets.sync.client import connect
from websockets.sync.server import serve

from vitra_policy.policies.bounds import SIDE_PX
from vitra_policy.policies.policy import ActionChunk, InvalidObservationError, PolicyError, PolicyMetadata
from vitra_policy.policies.policy import make_example_observation as example
from vitra_policy.serving import wire
from vitra_policy.serving.client import ConnectionLostError, RemotePolicy
from vitra_policy.serving.server import _READ_BYTES, PolicyServer, ServerStartError
from vitra_policy.serving.wire import HandshakeError


class FakePolicy:
    """Answers with what it saw; `fail` and `hold` make it misbehave."""

    def __init__(self, policy_id="fake"):
        self.metadata = PolicyMetadata(policy_id, needs_image=True)
        self.fail = None
        self.hold = None
        self.resets = 0

    def infer(self, observation):
        if self.fail:
            raise self.fail
        if self.hold:
            self.hold.wait(10)
        actions = np.tile(observation.state, (16, 1))
        return ActionChunk(actions, observation.hands, 1 / 30, self.metadata.policy_id, {"think": 0.001})

    def reset(self):
        self.resets += 1

    def warm_up(self):
        pass

    def close(self):
        pass


@pytest.fixture
def policy():
    return FakePolicy()


@pytest.fixture
def server(policy):
    with PolicyServer(policy, port=0) as running:
        yield running


@pytest.fixture
def remote(server):
    client = RemotePolicy(f"ws://127.0.0.1:{server.port}", connect_timeout_s=5, infer_timeout_s=5)
    client.warm_up()
    yield client
    client.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_remote_policy_answers_like_the_local_one(remote, policy):
    observation = example(height=16, width=16)
    local, far = policy.infer(observation), remote.infer(observation)
    np.testing.assert_array_equal(far.actions, local.actions)
    assert remote.metadata == policy.metadata
    assert far.timing["think"] == 0.001
    assert far.timing["network"] > 0


def test_reset_reaches_the_policy(remote, policy):
    remote.reset()
    assert policy.resets == 1


def test_a_refused_observation_comes_back_as_an_error_and_the_connection_lives(remote):
    with pytest.raises(PolicyError, match="needs image"):
        remote.infer(dataclasses.replace(example(), image=None))
    assert remote.infer(example(height=8, width=8)).steps == 16


def test_a_bug_in_the_policy_does_not_end_the_server(remote, policy):
    policy.fail = RuntimeError("out of memory")
    with pytest.raises(PolicyError, match="out of memory"):
        remote.infer(example(height=8, width=8))
    policy.fail = InvalidObservationError("too dark")
    with pytest.raises(PolicyError, match="too dark"):
        remote.infer(example(height=8, width=8))
    policy.fail = None
    assert remote.infer(example(height=8, width=8)).steps == 16


@pytest.mark.parametrize("request_", ["text", b"\xc1garbage", b"", wire.pack({"prompt": "x"}), wire.pack({})])
def test_a_bad_request_is_answered_with_words(server, request_):
    with connect(f"ws://127.0.0.1:{server.port}", compression=None) as connection:
        connection.recv(timeout=5)
        connection.send(request_)
        assert isinstance(connection.recv(timeout=5), str)
        connection.send(wire.pack(wire.observation_message(example(height=8, width=8))))
        answer = wire.unpack(connection.recv(timeout=5))
        assert answer["actions"].shape == (16, 102)
        assert answer["server_timing"].keys() == {"infer_ms", "prev_total_ms"}


def test_a_message_that_is_too_large_is_answered_with_what_is_allowed_and_the_connection_lives(server):
    with connect(f"ws://127.0.0.1:{server.port}", compression=None) as connection:
        connection.recv(timeout=5)
        connection.send(bytes(wire.MAX_MESSAGE_BYTES + 1))
        said = connection.recv(timeout=10)
        assert said.startswith("WireError: Message of 67108865 bytes; at most 67108864 are accepted")
        connection.send(wire.pack(wire.observation_message(example(height=8, width=8))))
        assert wire.unpack(connection.recv(timeout=5))["actions"].shape == (16, 102)


def test_the_largest_image_that_an_observation_can_hold_is_read_to_be_refused_in_words():
    without = wire.pack(wire.observation_message(example(height=16, width=16)))
    assert wire.MAX_MESSAGE_BYTES < 3 * SIDE_PX[1] ** 2 + len(without) <= _READ_BYTES


def test_a_client_refuses_to_send_what_the_server_would_not_take(remote):
    remote.infer(example(height=16, width=16))
    with pytest.raises(wire.WireError, match="at most 67108864 are accepted, which an RGB image of 3840x2160"):
        remote.infer(dataclasses.replace(example(height=16, width=16), image=np.zeros((4096, 5500, 3), np.uint8)))
    assert remote.infer(example(height=16, width=16)).steps == 16


def test_a_client_that_vanishes_mid_request_leaves_the_server_alone(server, policy, remote):
    policy.hold = threading.Event()
    rude = connect(f"ws://127.0.0.1:{server.port}", compression=None)
    rude.recv(timeout=5)
    rude.send(wire.pack(wire.observation_message(example(height=8, width=8))))
    rude.socket.shutdown(socket.SHUT_RDWR)
    policy.hold.set()
    assert remote.infer(example(height=8, width=8)).steps == 16


def test_an_unknown_control_message_is_ignored_politely(server):
    with connect(f"ws://127.0.0.1:{server.port}", compression=None) as connection:
        connection.recv(timeout=5)
        connection.send(wire.pack(wire.control_message("episode_start")))
        assert wire.unpack(connection.recv(timeout=5)) == {"__ack__": "ignored"}


def test_the_health_check_answers_while_the_policy_thinks(server, policy, remote):
    policy.hold = threading.Event()
    thinking = threading.Thread(target=remote.infer, args=(example(height=8, width=8),))
    thinking.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz", timeout=5) as answer:
        assert answer.status == 200
    policy.hold.set()
    thinking.join(5)


def test_it_listens_on_this_machine_only(server):
    assert server._host == "127.0.0.1"


def test_a_taken_port_is_named(server, policy):
    with pytest.raises(ServerStartError, match=str(server.port)):
        PolicyServer(policy, port=server.port).start()


def test_a_wrong_key_is_refused(policy):
    with PolicyServer(policy, port=0, api_key="secret") as running:
        url = f"ws://127.0.0.1:{running.port}"
        with pytest.raises(HandshakeError, match="401"):
            RemotePolicy(url, connect_timeout_s=2, api_key="wrong").warm_up()
        friend = RemotePolicy(url, connect_timeout_s=2, api_key="secret")
        friend.warm_up()
        friend.close()


def test_no_server_within_the_deadline_says_what_to_do():
    with pytest.raises(ConnectionLostError, match="vitra-policy serve"):
        RemotePolicy(f"ws://127.0.0.1:{free_port()}", connect_timeout_s=0.3).warm_up()


def test_metadata_before_the_connection_says_what_to_do():
    with pytest.raises(PolicyError, match="warm_up"):
        RemotePolicy("ws://127.0.0.1:1").metadata


def test_it_waits_for_a_server_that_comes_later(policy):
    port = free_port()
    client = RemotePolicy(f"ws://127.0.0.1:{port}", connect_timeout_s=10)
    waiting = threading.Thread(target=client.warm_up)
    waiting.start()
    with PolicyServer(policy, port=port):
        waiting.join(10)
        assert client.metadata.policy_id == "fake"
        client.close()


def test_it_reconnects_to_a_restarted_server(policy):
    port = free_port()
    client = RemotePolicy(f"ws://127.0.0.1:{port}", connect_timeout_s=5, infer_timeout_s=5)
    with PolicyServer(policy, port=port):
        client.warm_up()
    with pytest.raises(ConnectionLostError):
        client.infer(example(height=8, width=8))
    with PolicyServer(policy, port=port):
        assert client.infer(example(height=8, width=8)).steps == 16
        client.close()


def test_a_restarted_server_with_another_policy_is_refused(policy):
    port = free_port()
    client = RemotePolicy(f"ws://127.0.0.1:{port}", connect_timeout_s=5, infer_timeout_s=2)
    with PolicyServer(policy, port=port):
        client.warm_up()
    with pytest.raises(ConnectionLostError):
        client.infer(example(height=8, width=8))
    with PolicyServer(FakePolicy("other"), port=port), pytest.raises(HandshakeError, match="now serves 'other'"):
        client.infer(example(height=8, width=8))


def test_a_late_answer_is_never_taken_for_a_newer_one(server, policy):
    client = RemotePolicy(f"ws://127.0.0.1:{server.port}", connect_timeout_s=5, infer_timeout_s=0.2)
    client.warm_up()
    policy.hold = threading.Event()
    with pytest.raises(ConnectionLostError, match="did not answer within 0.2 s"):
        client.infer(example(height=8, width=8, seed=1))
    policy.hold.set()
    client._connection.infer_timeout_s = 5
    newer = example(height=8, width=8, seed=2)
    np.testing.assert_allclose(client.infer(newer).actions[0], newer.state, atol=1e-6)
    client.close()


@pytest.mark.parametrize(
    ("greeting", "error"),
    [("hello", "greets with text"), (wire.pack({"model": "pi0"}), "does not introduce itself")],
)
def test_a_foreign_server_is_recognised(greeting, error):
    with serve(lambda connection: connection.send(greeting), "127.0.0.1", 0) as foreign:
        thread = threading.Thread(target=foreign.serve_forever)
        thread.start()
        try:
            with pytest.raises(HandshakeError, match=error):
                RemotePolicy(f"ws://127.0.0.1:{foreign.socket.getsockname()[1]}", connect_timeout_s=2).warm_up()
        finally:
            foreign.shutdown()
            thread.join(5)


@pytest.mark.parametrize("where", [("127.0.0.1", 99_999), ("no.such.host.invalid", 0), ("127.0.0.1", -1)])
def test_a_server_that_cannot_listen_says_so_whatever_the_cause(policy, where):
    with pytest.raises(ServerStartError, match="Cannot serve"), PolicyServer(policy, *where):
        pytest.fail("the server claims to listen")


def test_a_request_whose_client_left_is_not_computed(server, policy):
    policy.hold, begun, answered = threading.Event(), threading.Event(), []
    real = policy.infer

    def infer(observation):
        answered.append(observation.instruction)
        begun.set()
        return real(observation)

    policy.infer = infer
    address = f"ws://127.0.0.1:{server.port}"

    def request(words):
        client = connect(address)
        client.recv()
        client.send(
            wire.pack(wire.observation_message(dataclasses.replace(example(height=16, width=16), instruction=words)))
        )
        return client

    first = request("first")
    assert begun.wait(10)
    impatient = request("impatient")
    impatient.close()
    last = request("last")
    policy.hold.set()
    first.recv(timeout=10)
    last.recv(timeout=10)
    assert answered == ["first", "last"]


def test_a_request_out_of_bounds_is_refused_and_the_next_one_answered(server):
    with connect(f"ws://127.0.0.1:{server.port}") as client:
        client.recv()
        message = wire.observation_message(example(height=16, width=16))
        for key, value in (("prompt", "x" * 4000), ("prompt", 7), ("stamp_s", float("nan")), ("fov_rad", np.zeros(2))):
            client.send(wire.pack(message | {key: value}))
            assert client.recv(timeout=10).startswith("InvalidObservationError")
        client.send(wire.pack(message))
        assert isinstance(client.recv(timeout=10), bytes)
