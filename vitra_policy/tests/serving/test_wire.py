import contextlib
import dataclasses

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vitra_policy.policies.policy import (
    ActionChunk,
    CommittedPrefix,
    InvalidChunkError,
    InvalidObservationError,
    PolicyMetadata,
    make_example_observation,
)
from vitra_policy.serving import wire
from vitra_policy.serving.wire import HandshakeError, WireError, pack, unpack

arrays = hnp.arrays(
    dtype=st.sampled_from([np.bool_, np.uint8, np.int16, np.int64, np.float32, np.float64, np.dtype("<U5")]),
    shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)


@settings(max_examples=60, deadline=None)
@given(arrays)
def test_arrays_survive_with_type_and_shape(array):
    back = unpack(pack({"a": {"b": [array]}}))["a"]["b"][0]
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)


def test_the_bytes_are_those_of_openpi():
    # Written out by hand from openpi's client: map, byte keys in this order, C-ordered data, numpy type string.
    array = np.array([[1, 2], [3, 4]], dtype=np.int16)
    by_hand = (
        b"\x81\xa1a" + b"\x84" + b"\xc4\x0b__ndarray__\xc3" + b"\xc4\x04data\xc4\x08" + array.tobytes()
        + b"\xc4\x05dtype\xa3<i2" + b"\xc4\x05shape\x92\x02\x02"
    )  # fmt: skip
    assert pack({"a": array}) == by_hand
    np.testing.assert_array_equal(unpack(by_hand)["a"], array)
    scalar = b"\x81\xa1a\x83\xc4\x0d__npgeneric__\xc3\xc4\x04data\x03\xc4\x05dtype\xa3<i4"
    assert pack({"a": np.int32(3)}) == scalar
    assert unpack(scalar) == {"a": np.int32(3)}


@pytest.mark.parametrize(
    "value",
    [np.array([object()]), np.array([1j]), np.zeros(1, dtype=[("x", "f4")]), object(), np.array(["2020"], "M8[Y]")],
)
def test_what_is_not_plain_data_does_not_travel(value):
    with pytest.raises(WireError):
        pack({"a": value})


def forged(dtype="<f4", shape=(2,), data=b"\0" * 8, **extra):
    return msgpack.packb({"a": {b"__ndarray__": True, b"data": data, b"dtype": dtype, b"shape": shape, **extra}})


@pytest.mark.parametrize(
    "data",
    [
        forged(dtype="|O"),
        forged(dtype="O"),
        forged(dtype="f4,f4"),
        forged(dtype="(1000000000,)f4"),
        forged(dtype=["<f4"]),
        forged(dtype="no such type"),
        forged(shape=[3]),
        forged(shape=[-2]),
        forged(shape=[2**40, 2**40]),
        forged(shape="2"),
        forged(shape=[1] * 9 + [2]),
        forged(data="text"),
        forged(data=None),
        msgpack.packb({"a": {b"__npgeneric__": True, b"data": "x", b"dtype": "<f4"}}),
        msgpack.packb([1, 2]),
        msgpack.packb({1: 2}),
        b"",
        b"\xc1",
        b"\xdf\xff\xff\xff\xff",
        pack({"a": 1}) + b"trailing",
    ],
)
def test_forged_bytes_are_refused_by_name(data):
    with pytest.raises(WireError):
        unpack(data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64), st.integers(0, 200), st.integers(0, 255))
def test_damaged_messages_raise_nothing_but_our_error(noise, position, value):
    good = bytearray(pack(wire.chunk_message(example_chunk())))
    good[position] = value
    for data in (bytes(good), noise):
        with contextlib.suppress(WireError, InvalidChunkError):
            wire.chunk_from_message(unpack(data))


def test_a_huge_message_is_refused(monkeypatch):
    monkeypatch.setattr(wire, "MAX_MESSAGE_BYTES", 10)
    with pytest.raises(WireError, match="at most 10"):
        unpack(pack({"a": "0123456789"}))


def example_chunk():
    actions = np.random.default_rng(0).normal(size=(16, 102))
    return ActionChunk(actions, np.array([False, True]), 1 / 30, "p", {"dit": 0.01}, True, 2)


def test_an_observation_arrives_as_it_was():
    committed = CommittedPrefix(np.ones((2, 102)), np.array([False, True]))
    sent = dataclasses.replace(make_example_observation(height=8, width=10), committed=committed)
    got = wire.observation_from_message(unpack(pack(wire.observation_message(sent))))
    for name in ("image", "intrinsics", "fov_rad", "state", "state_valid", "hands"):
        np.testing.assert_array_equal(getattr(got, name), getattr(sent, name))
    assert (got.stamp_s, got.instruction) == (sent.stamp_s, sent.instruction)
    np.testing.assert_array_equal(got.committed.actions, committed.actions)
    assert got.extras.keys() == sent.extras.keys()
    for name, value in sent.extras.items():
        np.testing.assert_array_equal(got.extras[name], value)


def test_an_observation_without_an_image_or_prefix_arrives():
    sent = dataclasses.replace(make_example_observation(), image=None)
    got = wire.observation_from_message(unpack(pack(wire.observation_message(sent))))
    assert got.image is None
    assert got.committed is None


def test_an_incomplete_request_names_the_key():
    message = wire.observation_message(make_example_observation(height=8, width=8))
    del message["prompt"]
    with pytest.raises(WireError, match="prompt"):
        wire.observation_from_message(message)


@pytest.mark.parametrize(("key", "value"), [("image", "x"), ("state", "x"), ("stamp_s", []), ("hands", None)])
def test_a_malformed_request_is_refused(key, value):
    message = wire.observation_message(make_example_observation(height=8, width=8)) | {key: value}
    with pytest.raises((WireError, InvalidObservationError)):
        wire.observation_from_message(message)


def test_a_chunk_arrives_as_it_was():
    sent = example_chunk()
    got = wire.chunk_from_message(unpack(pack(wire.chunk_message(sent))))
    np.testing.assert_array_equal(got.actions, sent.actions)
    np.testing.assert_array_equal(got.valid, sent.valid)
    for name in ("step_s", "policy_id", "done", "committed_steps", "timing"):
        assert getattr(got, name) == getattr(sent, name)


def test_metadata_arrives_as_it_was():
    sent = PolicyMetadata("p", steps=8, needs_extras=("sim/task",), uses_committed=True)
    assert wire.metadata_from_message(unpack(pack(wire.metadata_message(sent)))) == sent


def test_a_foreign_server_is_refused():
    with pytest.raises(HandshakeError, match="does not introduce itself"):
        wire.metadata_from_message({"model": "pi0"})


def test_another_protocol_version_is_refused():
    message = wire.metadata_message(PolicyMetadata("p")) | {"protocol_version": 99}
    with pytest.raises(HandshakeError, match="version 99"):
        wire.metadata_from_message(message)


def test_incomplete_metadata_is_refused():
    with pytest.raises(HandshakeError, match="incomplete"):
        wire.metadata_from_message({"protocol": "vitra-policy", "protocol_version": 1})


@pytest.mark.parametrize("said", ["soon", float("nan"), float("inf"), -1.0, [1]])
def test_a_servers_own_time_must_be_a_time(said):
    with pytest.raises(WireError, match="server_timing/infer_ms must be milliseconds"):
        wire.served_s({"server_timing": {"infer_ms": said}})


def test_a_server_need_not_say_how_long_it_took():
    assert wire.served_s({"server_timing": {"infer_ms": 4}}) == pytest.approx(0.004)
    assert wire.served_s({"server_timing": "fast"}) == wire.served_s({}) == 0
