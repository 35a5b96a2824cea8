"""Sizes that cannot exhaust a server and values that a camera or a hand can have, at every way in."""

from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pil

from vitra_policy.image import ImageError, load_image, pixel_values
from vitra_policy.policies.policy import (
    ActionChunk,
    CommittedPrefix,
    InvalidChunkError,
    InvalidObservationError,
    make_example_observation,
)
from vitra_policy.serving import wire

EXAMPLE = make_example_observation(height=48, width=64)


def camera(row: int, column: int, value: float) -> np.ndarray:
    intrinsics = EXAMPLE.intrinsics.copy()
    intrinsics[row, column] = value
    return intrinsics


def far(index: int, value: float) -> np.ndarray:
    state = EXAMPLE.state.copy()
    state[index] = value
    return state


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"image": np.zeros((1, 100_000, 3), np.uint8)}, "100000x1 px"),
        ({"image": np.zeros((20_000, 20_000, 0), np.uint8)}, "uint8 of shape"),
        ({"image": np.zeros((16, 300, 3), np.uint8)}, "8 times"),
        ({"image": np.zeros((48, 64, 3), np.uint16)}, "uint16"),
        ({"image": [[0]]}, "list"),
        ({"instruction": "x" * 4000}, "4000 characters"),
        ({"instruction": 5}, "int"),
        ({"instruction": b"Left hand"}, "bytes"),
        ({"stamp_s": float("nan")}, "stamp_s"),
        ({"stamp_s": "now"}, "stamp_s"),
        ({"stamp_s": True}, "stamp_s"),
        ({"fov_rad": np.array([-1.0, 1.0])}, "fov_rad"),
        ({"fov_rad": np.array([1.0, 1e30])}, "fov_rad"),
        ({"fov_rad": np.array([np.nan, 1.0])}, "fov_rad"),
        ({"fov_rad": "wide"}, "no array of numbers"),
        ({"fov_rad": ["1.0", "0.8"]}, "no array of numbers"),
        ({"fov_rad": [True, True]}, "no array of numbers"),
        ({"stamp_s": 1e300}, "stamp_s is 1e\\+300; it must be seconds of ROS time"),
        ({"stamp_s": -5}, "stamp_s is -5; it must be seconds of ROS time"),
        ({"intrinsics": np.diag([0.0, 38.4, 1.0])}, "focal lengths"),
        ({"intrinsics": np.diag([38.4, -38.4, 1.0])}, "focal lengths"),
        ({"intrinsics": np.eye(3).astype(str)}, "no array of numbers"),
        ({"intrinsics": camera(2, 2, 0.0)}, "no pinhole camera's"),
        ({"intrinsics": camera(0, 1, 500.0)}, "no pinhole camera's"),
        ({"intrinsics": EXAMPLE.intrinsics.T.copy()}, "no pinhole camera's"),
        ({"hands": ["no", "yes"]}, "Observation.hands is no array of numbers"),
        ({"hands": [0, 2]}, "no truth values"),
        ({"hands": [np.nan, 1.0]}, "no truth values"),
        ({"hands": [None, True]}, "Observation.hands is no array of numbers"),
        ({"state_valid": np.array(["False", "False"])}, "Observation.state_valid is no array of numbers"),
        ({"intrinsics": np.full((3, 3), np.inf)}, "intrinsics"),
        ({"state": far(51, 450.0)}, "metres and radians"),
        ({"state": far(60, 90.0)}, "metres and radians"),
        ({"extras": {str(n): np.zeros(1) for n in range(100)}}, "100 extras"),
        ({"extras": {"big": np.zeros(2**20)}}, "bytes"),
    ],
)
def test_an_observation_out_of_bounds_is_refused_by_name(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidObservationError, match=complaint):
        dataclasses.replace(EXAMPLE, **changes)


@pytest.mark.parametrize("hands", [[False, True], [0, 1], np.array([0.0, 1.0]), np.array([0, 1], np.uint8)])
def test_truth_values_may_be_numbers_nought_and_one(hands: Any) -> None:
    assert dataclasses.replace(EXAMPLE, hands=hands).hands.tolist() == [False, True]


def request(**changes: Any) -> dict[str, Any]:
    return wire.unpack(wire.pack(wire.observation_message(EXAMPLE) | changes))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": " \n"}, "prompt is empty"),
        ({"prompt": "\u200b\x00"}, "prompt is empty"),
        ({"prompt": "Left hand: Wave. Right hand: None.", "hands": [False, True]}, "let the right hand move"),
        ({"prompt": "Left hand: None. Right hand: Wave.", "hands": [True, True]}, "let the left hand move"),
        (
            {"prompt": "Left hand: None. Right hand: None.", "hands": [True, True]},
            "let the left and the right hand move",
        ),
        ({"intrinsics": camera(0, 2, -1e6)}, "more than one image size outside of the image of 64x48 px"),
        ({"intrinsics": camera(1, 2, 96.5)}, "allowed are .-64.0, -48.0. to .128.0, 96.0."),
        ({"fov_rad": EXAMPLE.fov_rad + np.deg2rad([1.2, 0.0])}, "at most a degree"),
        ({"fov_rad": EXAMPLE.fov_rad[::-1].copy()}, "at most a degree"),
        ({"image": np.zeros((96, 128, 3), np.uint8)}, "an image of 128x96 px"),
        ({"hands": ["no", "yes"]}, "Observation.hands"),
        ({"committed/actions": np.zeros((2, 102)), "committed/valid": ["", "yes"]}, "CommittedPrefix.valid"),
        ({"stamp_s": -5.0}, "ROS time"),
        ({"intrinsics": np.diag([-38.4, 38.4, 1.0])}, "focal lengths"),
    ],
)
def test_a_request_that_contradicts_itself_is_refused_by_name(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidObservationError, match=complaint):
        wire.observation_from_message(request(**changes))


@pytest.mark.parametrize(
    ("prompt", "hands"),
    [("LEFT HAND: NONE. RIGHT HAND: WAVE.", [0, 1]), ("Left hand: Wave. Right hand: Wave.", [0, 1]), ("wave", [1, 1])],
)
def test_hands_that_the_words_name_may_move_and_free_words_are_for_the_policy_to_judge(
    prompt: str, hands: list[int]
) -> None:
    wire.observation_from_message(request(prompt=prompt, hands=hands))


def test_a_field_of_view_within_a_degree_passes_and_without_an_image_nobody_can_tell() -> None:
    wire.observation_from_message(request(fov_rad=EXAMPLE.fov_rad + np.deg2rad(0.9)))
    message = request(fov_rad=np.array([0.5, 0.5]))
    del message["image"]
    assert wire.observation_from_message(message).image is None


@pytest.mark.parametrize("sees", [True, False], ids=["image", "no image"])
@pytest.mark.parametrize(
    ("column_px", "taken"), [(0.0, True), (64.0, True), (-60.0, True), (125.0, True), (-66.0, False), (130.0, False)]
)
def test_a_crops_principal_point_may_lie_up_to_one_image_size_outside_with_an_image_and_without(
    column_px: float, taken: bool, sees: bool
) -> None:
    message = request(intrinsics=camera(0, 2, column_px))
    if not sees:
        del message["image"]
    if taken:
        assert wire.observation_from_message(message).intrinsics[0, 2] == column_px
    else:
        with pytest.raises(InvalidObservationError, match="more than one image size outside"):
            wire.observation_from_message(message)


def test_intrinsics_a_hair_off_are_refused_by_the_element_that_is_wrong_and_by_how_much() -> None:
    with pytest.raises(InvalidObservationError, match=r"K\[2, 2\] is 0\.999999999, 1e-09 off 1\.$"):
        dataclasses.replace(EXAMPLE, intrinsics=EXAMPLE.intrinsics * (1 - 1e-9))


def test_an_answer_that_is_done_in_words_is_refused() -> None:
    message = wire.chunk_message(ActionChunk(np.zeros((2, 102)), EXAMPLE.hands, 1 / 30, "p"))
    with pytest.raises(wire.WireError, match="done must be true or false, got 'false'"):
        wire.chunk_from_message(message | {"done": "false"})
    with pytest.raises(InvalidChunkError, match="ActionChunk.valid"):
        wire.chunk_from_message(message | {"valid": ["no", "no"]})


def test_a_prefix_out_of_bounds_is_refused() -> None:
    with pytest.raises(InvalidObservationError, match="65 steps"):
        CommittedPrefix(np.zeros((65, 102)), EXAMPLE.hands)
    with pytest.raises(InvalidObservationError, match="right hand reaches"):
        CommittedPrefix(np.full((2, 102), 50.0), EXAMPLE.hands)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (720, 1280), (1280, 720), (60, 480)])
def test_images_of_cameras_pass(height: int, width: int) -> None:
    dataclasses.replace(EXAMPLE, image=np.zeros((height, width, 3), np.uint8))


@pytest.mark.parametrize(
    "array",
    [
        {b"__ndarray__": True, b"data": b"", b"dtype": "S0", b"shape": [2**40]},
        {b"__ndarray__": True, b"data": b"", b"dtype": "<U0", b"shape": [2**20, 2**20]},
        {b"__ndarray__": True, b"data": b"", b"dtype": "|u1", b"shape": [0, 2**62]},
        {b"__ndarray__": True, b"data": b"", b"dtype": "|u1", b"shape": [True, 0]},
    ],
)
def test_an_array_that_claims_to_be_huge_is_refused_before_it_is_made(array: dict[bytes, object]) -> None:
    import msgpack

    with pytest.raises(wire.WireError):
        wire.unpack(msgpack.packb({"image": array}))


@pytest.mark.parametrize(
    "message",
    [
        {"a": [1] * 1_000_000},
        {"a": [[1] * 10_000] * 100},
        {"a": [{}] * 1_000_000},
        {"a": [[[]] * 900] * 900},
        {str(number): number for number in range(100_000)},
    ],
    ids=["numbers", "lists of numbers", "maps", "empty lists", "keys"],
)
def test_a_message_of_very_many_small_things_is_refused_before_they_are_made(message: dict[str, object]) -> None:
    import msgpack

    data = msgpack.packb(message)
    tracemalloc.start()
    with pytest.raises(wire.WireError, match="20000"):
        wire.unpack(data)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4e6, "nothing like all of them was there at once"


def test_arrays_of_any_size_are_one_element() -> None:
    image = np.zeros((720, 1280, 3), np.uint8)
    assert wire.unpack(wire.pack({"image": image}))["image"].shape == image.shape


def test_empty_strings_travel() -> None:
    assert wire.unpack(wire.pack({"names": np.array(["", ""])}))["names"].tolist() == ["", ""]


def test_a_strip_of_a_image_is_refused_wherever_it_comes_in(tmp_path: Path) -> None:
    strip = np.zeros((2, 4000, 3), np.uint8)
    Pil.fromarray(strip).save(tmp_path / "strip.png")
    for read in (lambda: pixel_values(strip, 28), lambda: load_image(tmp_path / "strip.png")):
        with pytest.raises(ImageError, match="4000x2"):
            read()


@pytest.mark.parametrize(
    ("values", "name"), [(np.uint16, "deep.png"), (np.int32, "deep.tiff"), (np.float32, "deep.tiff")]
)
def test_deep_images_are_refused_instead_of_whitened_or_blackened(values: Any, name: str, tmp_path: Path) -> None:
    Pil.fromarray((np.arange(32 * 32).reshape(32, 32) * 60).astype(values)).save(tmp_path / name)
    with pytest.raises(ImageError, match="8 bits"):
        load_image(tmp_path / name)
