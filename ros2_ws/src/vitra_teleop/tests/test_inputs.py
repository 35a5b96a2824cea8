import json
import socket
import time

import numpy as np
import pytest

from vitra_policy.errors import UnknownNameError
from vitra_policy.transforms import transform_points
from vitra_teleop.clock_map import ClockMap
from vitra_teleop.hands import Action, TeleopError
from vitra_teleop.inputs import INPUTS, create_input
from vitra_teleop.inputs.mailbox import FrameMailbox
from vitra_teleop.inputs.stream_file import StreamReplay, StreamWriter
from vitra_teleop.inputs.vision_pro import hands_of
from vitra_teleop.keyboard import KeyboardHand
from vitra_teleop.keys import KEYS, key_table
from vitra_teleop.wire import WireFormatError, decode, encode

WRIST = {"position_m": [0.1, 0.2, 0.3], "quaternion_xyzw": [0, 0, 0, 1]}


def wait(read, deadline_s=10.0):
    end = time.monotonic() + deadline_s
    while (value := read()) is None:
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
    return value


def test_landmarks_survive_the_wire(human, world):
    joints, wrist = np.full(12, 0.4), world.pose(0.1, 0.2, 0.3, (0.5, 0.1, 0))
    points = human(joints, "left", wrist)
    frame = decode(encode(7, 12.5, {"left": {"valid": True, "engage": True, "landmarks_m": points}}, ("save",)))
    hand = frame.hands["left"]
    assert (frame.sequence, frame.stamp_s, frame.actions, hand.engage) == (7, 12.5, (Action.SAVE,), True)
    np.testing.assert_allclose(hand.tracker_from_wrist, wrist, atol=1e-4)
    np.testing.assert_allclose(transform_points(wrist, hand.landmarks_m), points, atol=1e-4)


def test_poses_with_joints_or_glove_angles_survive_the_wire():
    frame = decode(encode(1, 0.0, {
        "left": {"valid": True, "wrist": WRIST, "joints_rad": [0.5] * 12},
        "right": {"valid": True, "wrist": WRIST, "ergonomics_deg": [10.0] * 20},
    }))  # fmt: skip
    np.testing.assert_allclose(frame.hands["left"].joints_rad, 0.5)
    assert frame.hands["right"].joints_rad.shape == (12,)
    np.testing.assert_allclose(frame.hands["left"].tracker_from_wrist[:3, 3], [0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"\xff\xfe", "Not JSON"),
        (b"[1]", "version must be 1, found list"),
        (b'{"version": 2}', "version must be 1, found 2"),
        ({"hands": []}, "hands must be an object"),
        ({"hands": {"middle": {}}}, "hands must be an object"),
        ({"stamp_s": "now"}, "stamp_s must be a number"),
        ({"stamp_s": float("nan")}, "stamp_s must be a number"),
        ({"sequence": True}, "sequence must be"),
        ({"actions": ["dance"]}, "actions must be some of start"),
        ({"hands": {"right": {"valid": True}}}, "needs landmarks_m or wrist"),
        ({"hands": {"right": {"valid": True, "landmarks_m": [[0, 0, 0]] * 20}}}, r"shape \(21, 3\)"),
        ({"hands": {"right": {"valid": True, "landmarks_m": [[0, 0, 0]] * 21}}}, "0.03 to 0.2 m"),
        ({"hands": {"right": {"valid": True, "wrist": WRIST, "engage": "no"}}}, "engage must be true or false"),
        ({"hands": {"right": {"valid": 1, "wrist": WRIST}}}, "valid must be true or false"),
        ({"hands": {"left": {"valid": "false"}}}, "hands.left: valid must be true or false"),
        ({"hands": {"right": {"valid": True, "wrist": {**WRIST, "quaternion_xyzw": [0, 0, 0, 0]}}}}, "length 1"),
        ({"hands": {"right": {"valid": True, "wrist": WRIST, "joints_rad": ["a"] * 12}}}, "joints_rad must be numbers"),
        (b"x" * 70_000, "at most"),
    ],
)  # fmt: skip
def test_wrong_messages_are_refused_by_field(message, words):
    if isinstance(message, dict):
        message = json.dumps({"version": 1, "sequence": 1, "stamp_s": 0.0, "hands": {}} | message)
    with pytest.raises(WireFormatError, match=words):
        decode(message)


@pytest.mark.parametrize("scale", [1000.0, 100.0, 10.0, 0.1])
def test_landmarks_in_another_unit_than_metres_are_refused(human, scale):
    points = scale * human(np.zeros(12))
    with pytest.raises(WireFormatError, match="metres|millimetres"):
        decode(encode(1, 0.0, {"right": {"valid": True, "landmarks_m": points}}))


def test_random_bytes_never_get_through(human):
    rng = np.random.default_rng(0)
    good = bytearray(encode(1, 0.0, {"right": {"valid": True, "landmarks_m": human(np.zeros(12))}}))
    for _ in range(300):
        bad = bytearray(good)
        for at in rng.integers(0, len(bad), 5):
            bad[at] = int(rng.integers(256))
        try:
            hand = decode(bytes(bad)).hands.get("right")
        except WireFormatError:
            continue
        assert hand is None or np.isfinite(hand.tracker_from_wrist).all()


def test_an_old_message_is_dropped_and_no_action_is_lost():
    mailbox = FrameMailbox(lambda: 100.0)
    mailbox.put(encode(5, 1.0, {}, ("start",)))
    mailbox.put(encode(4, 0.9, {}))
    mailbox.put(encode(6, 1.1, {}, ("save",)))
    mailbox.put(b"rubbish")
    assert mailbox.take().sequence == 6
    assert mailbox.take_actions() == (Action.START, Action.SAVE)
    assert mailbox.take_actions() == ()
    assert (mailbox.received, mailbox.stale, mailbox.refused) == (2, 1, 1)
    assert mailbox.take() is None
    for sequence, stamp_s in ((5000, 2.0), (4980, 2.1)):  # a sender that was started again counts anew, at once
        mailbox.put(encode(sequence, stamp_s, {}))
    assert mailbox.take().sequence == 4980


def test_a_sender_with_another_clock_is_heard_after_a_moment():
    now = [100.0]
    mailbox = FrameMailbox(lambda: now[0])
    mailbox.put(encode(50, 9000.0, {}))
    mailbox.take()
    mailbox.put(encode(1, 3.0, {}))
    assert mailbox.take() is None
    now[0] += 0.3
    mailbox.put(encode(2, 3.3, {}))
    assert mailbox.take().sequence == 2


@pytest.mark.parametrize(
    "message",
    [
        encode(1, 0.5, {}, ("stop",)),  # a keyboard beside a tracker counts for itself
        b'{"version": 1, "sequence": 9, "stamp_s": 9, "hands": {"right": 5}, "actions": ["stop"]}',
        b'{"version": 1, "sequence": 1' + b"0" * 400 + b', "stamp_s": 0, "hands": {}, "actions": ["stop"]}',
        b'{"version": 1, "actions": ["dance", "stop"]}',
    ],
)
def test_a_stop_is_heard_whatever_else_is_wrong_with_its_message(message):
    mailbox = FrameMailbox(lambda: 100.0)
    mailbox.put(encode(5000, 1000.0, {}))
    mailbox.put(message)
    assert mailbox.take_actions() == (Action.STOP,)


@pytest.mark.parametrize("number", ["1" + "0" * 400, "-1" + "0" * 400, "1e999", "NaN"])
@pytest.mark.parametrize("field", ["sequence", "stamp_s", "position_m"])
def test_no_number_ends_the_listening(field, number):
    position = f"[0, 0, {number if field == 'position_m' else 0}]"
    hands = f'{{"right": {{"valid": true, "wrist": {{"position_m": {position}, "quaternion_xyzw": [0, 0, 0, 1]}}}}}}'
    values = {name: number if field == name else "1" for name in ("sequence", "stamp_s")}
    mailbox = FrameMailbox(lambda: 100.0)
    mailbox.put(f'{{"version": 1, "sequence": {values["sequence"]}, "stamp_s": {values["stamp_s"]}, "hands": {hands}}}')
    assert mailbox.refused == 1
    mailbox.put(encode(2, 1.0, {"right": {"valid": True, "wrist": WRIST}}))
    assert mailbox.take() is not None


def test_a_hand_a_kilometre_away_is_refused():
    far = {"position_m": [1000.0, 0.0, 0.0], "quaternion_xyzw": [0.0, 0.0, 0.0, 1.0]}
    with pytest.raises(WireFormatError, match="millimetres"):
        decode(encode(1, 0.0, {"right": {"valid": True, "wrist": far}}))


def test_a_foreign_clock_is_mapped_by_its_fastest_message():
    now = [0.0]
    clock = ClockMap(monotonic=lambda: now[0])

    def mapped(stamp_s, arrival_s):
        now[0] = arrival_s - 100.0
        return clock(stamp_s, arrival_s)

    assert mapped(1.0, 101.02) == pytest.approx(101.02)
    assert mapped(1.5, 101.505) == pytest.approx(101.505)
    assert mapped(1.6, 102.1) == pytest.approx(101.605), "a late message is an old one"
    assert mapped(500.0, 102.2) == pytest.approx(102.2), "their clock was set forward"


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("step_s", [0.5, -0.5, 2.0, -2.0])
def test_a_tracker_is_not_lost_when_a_clock_is_set(ours, step_s):
    now = [0.0]
    clock = ClockMap(monotonic=lambda: now[0])
    for frame in range(200):
        now[0] = frame / 30
        set_by_s = step_s if frame >= 100 else 0.0
        arrival_s = 1000.0 + now[0] + (set_by_s if ours else 0.0)
        stamp_s = 7.0 + now[0] + (0.0 if ours else set_by_s)
        assert clock(stamp_s, arrival_s) == pytest.approx(arrival_s, abs=0.021), frame


def test_messages_that_pile_up_on_their_way_stay_old():
    now = [0.0]
    clock = ClockMap(monotonic=lambda: now[0])
    for frame in range(60):
        now[0] = frame / 30 + (0.5 if frame >= 30 else 0.0)
        arrival_s = 1000.0 + now[0]
        age_s = arrival_s - clock(frame / 30, arrival_s)
        assert age_s == pytest.approx(0.5 if frame >= 30 else 0.0, abs=1e-6)


def test_hands_come_in_by_udp():
    source = create_input("udp", {"port": "0"}, lambda: 50.0)
    source.open()
    try:
        with pytest.raises(TeleopError, match="Cannot listen"):
            create_input("udp", {"port": str(source.port)}, lambda: 0.0).open()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(encode(1, 7.0, {"right": {"valid": True, "wrist": WRIST}}), ("127.0.0.1", source.port))
        frame = wait(source.poll)
        assert (frame.stamp_s, set(frame.hands)) == (50.0, {"right"})
        assert source.poll() is None
    finally:
        source.close()
    source.close()


def test_hands_come_in_by_websocket():
    from websockets.sync.client import connect

    source = create_input("websocket", {"port": "0"}, lambda: 50.0)
    source.open()
    try:
        with connect(f"ws://127.0.0.1:{source.port}") as client:
            client.send(encode(1, 7.0, {"right": {"valid": True, "wrist": WRIST}}).decode())
            assert set(wait(source.poll).hands) == {"right"}
    finally:
        source.close()


def test_a_recorded_stream_plays_in_its_own_time(tmp_path):
    writer = StreamWriter(tmp_path / "stream.jsonl")
    for k in range(10):
        actions = ("save",) if k == 3 else ()
        writer.write(encode(k, 5.0 + 0.1 * k, {"right": {"valid": True, "wrist": WRIST}}, actions))
    writer.close()
    now = [20.0]
    source = StreamReplay(str(tmp_path / "stream.jsonl"), lambda: now[0], speed=2.0)
    source.open()
    assert source.poll().sequence == 0
    now[0] += 0.26
    frame = source.poll()
    assert (frame.sequence, frame.stamp_s) == (5, pytest.approx(20.25))
    assert source.poll_actions() == (Action.SAVE,)
    now[0] += 10
    assert source.poll().sequence == 9
    assert source.is_over
    with pytest.raises(FileExistsError):
        StreamWriter(tmp_path / "stream.jsonl")
    (tmp_path / "bad.jsonl").write_text("{}\n")
    with pytest.raises(TeleopError, match=r"bad\.jsonl, line 1"):
        StreamReplay(str(tmp_path / "bad.jsonl"), lambda: 0.0).open()


def test_inputs_are_chosen_by_name_and_say_what_they_lack():
    with pytest.raises(UnknownNameError, match="Did you mean 'udp'"):
        create_input("ud", {}, lambda: 0.0)
    with pytest.raises(TeleopError, match="does not take"):
        create_input("udp", {"prt": "1"}, lambda: 0.0)
    with pytest.raises(TeleopError, match="Say where the headset is"):
        create_input("vision_pro", {}, lambda: 0.0).open()
    with pytest.raises(TeleopError, match="pip install pyspacemouse"):
        create_input("spacemouse", {}, lambda: 0.0).open()
    assert set(INPUTS) == {"udp", "websocket", "replay", "spacemouse", "vision_pro"}


def test_the_headset_follows_while_the_other_hand_pinches(human, world):
    wrist = world.pose(0.2, 0.3, 1.0)
    latest = {}
    order = (0, 1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 19, 21, 22, 23, 24)
    for side, distance in (("left", 0.05), ("right", 0.01)):
        fingers = np.tile(np.eye(4), (25, 1, 1))
        fingers[list(order), :3, 3] = human(np.full(12, 0.3), side)
        latest |= {f"{side}_wrist": wrist[None], f"{side}_fingers": fingers, f"{side}_pinch_distance": distance}
    hands = hands_of(latest, "pinch")
    assert (hands["left"].engage, hands["right"].engage) == (True, False)
    np.testing.assert_allclose(hands["right"].tracker_from_wrist, wrist, atol=1e-6)


def test_keys_jog_the_hand_and_every_key_has_one_meaning():
    keyboard = KeyboardHand("right")
    assert keyboard.press("?") is None
    for key in " we2":
        keyboard.press(key)
    hand = decode(keyboard.message(1.0)).hands["right"]
    assert hand.engage
    np.testing.assert_allclose(hand.tracker_from_wrist[:3, 3], [0.01, 0, 0.01])
    assert hand.joints_rad[4] > 1.0
    assert keyboard.press("\n").action is Action.SAVE
    assert len({key.key for key in KEYS}) == len(KEYS)
    for key in KEYS:
        does = (key.action, key.preset, key.move, key.turn, key.engage or None, key.rearm or None, key.leave or None)
        assert sum(one is not None for one in does) == 1, key


def test_the_key_table_of_the_readme_is_the_one_that_is_obeyed(repo_root):
    assert key_table(markdown=True) in (repo_root / "ros2_ws/src/vitra_teleop/README.md").read_text()
