"""Of two senders on one port the first has the hands; what the second asks for is heard all the same."""

import socket
import time

import numpy as np
import pytest

from vitra_teleop.hands import Action
from vitra_teleop.inputs import create_input
from vitra_teleop.inputs.mailbox import FrameMailbox
from vitra_teleop.inputs.owner import HandsOwner
from vitra_teleop.keyboard import KeyboardHand
from vitra_teleop.wire import decode, encode


def message(sequence, x_m, *actions):
    wrist = {"position_m": [x_m, 0.0, 0.0], "quaternion_xyzw": [0, 0, 0, 1]}
    return encode(sequence, float(sequence), {"right": {"valid": True, "wrist": wrist}}, actions)


def place(frame):
    return float(frame.hands["right"].tracker_from_wrist[0, 3])


def test_the_first_sender_owns_the_hands_until_it_is_silent():
    owner = HandsOwner(silence_s=1.0)
    assert owner.refusal("one", 0.0) == ""
    assert "hands come from one; those of two do not count" in owner.refusal("two", 0.5)
    assert owner.refusal("one", 0.9) == ""
    assert owner.refusal("two", 1.8) != ""
    assert owner.refusal("two", 1.95) == ""
    assert owner.refusal("one", 2.0) != ""


def test_two_senders_never_interleave_and_each_has_its_own_numbers_and_clock():
    now = [100.0]
    mailbox = FrameMailbox(lambda: now[0], monotonic=lambda: now[0])
    seen: list[float] = []
    for k in range(60):
        now[0] += 1 / 30
        mailbox.put(message(1000 + k, 0.1), "one")
        mailbox.put(message(k, 0.9), "two")
        seen.append(place(mailbox.take()))
    assert seen == pytest.approx([0.1] * 60)
    assert mailbox.refused == 60
    assert "those of two" in mailbox.last_refusal
    now[0] += 2.0
    mailbox.put(message(60, 0.9), "two")
    frame = mailbox.take()
    assert (place(frame), frame.stamp_s) == (pytest.approx(0.9), pytest.approx(now[0]))


def test_a_stop_of_the_second_sender_is_heard():
    mailbox = FrameMailbox(lambda: 1.0, monotonic=lambda: 1.0)
    mailbox.put(message(1, 0.1), "one")
    mailbox.put(message(1, 0.9, "stop"), "two")
    assert mailbox.take_actions() == (Action.STOP,)
    assert place(mailbox.take()) == pytest.approx(0.1)


def test_a_stop_does_not_wait_for_hands_that_do_not_come():
    now = [1.0]
    mailbox = FrameMailbox(lambda: 50.0, monotonic=lambda: now[0])
    mailbox.put(message(1, 0.1), "one")
    assert mailbox.take() is not None
    now[0] += 0.2
    mailbox.put(encode(7, 1.0, {}, ("stop",)), "two")
    assert mailbox.take_actions() == (Action.STOP,)


def test_a_sender_of_orders_only_never_takes_the_hands():
    mailbox = FrameMailbox(lambda: 1.0, monotonic=lambda: 1.0)
    mailbox.put(encode(1, 1.0, {}, ("start",)), "keyboard")
    mailbox.put(message(1, 0.1), "tracker")
    mailbox.put(encode(2, 2.0, {}, ("save",)), "keyboard")
    frame = mailbox.take()
    assert place(frame) == pytest.approx(0.1)
    assert mailbox.take_actions() == (Action.START, Action.SAVE)
    assert mailbox.refused == 0


def test_two_sockets_on_one_udp_port_are_two_senders():
    source = create_input("udp", {"port": "0"}, lambda: 50.0)
    source.open()
    try:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
        ):
            for sender, x_m in ((one, 0.1), (two, 0.9)):
                sender.sendto(message(1, x_m), ("127.0.0.1", source.port))
            deadline_s = time.monotonic() + 10
            while source.mailbox.received + source.mailbox.refused < 2:
                assert time.monotonic() < deadline_s, "waited in vain"
                time.sleep(0.002)
        assert place(source.poll()) == pytest.approx(0.1)
        assert np.isclose(source.mailbox.refused, 1)
    finally:
        source.close()


def test_a_keyboard_beside_a_tracker_sends_no_hand():
    keyboard = KeyboardHand("right", only_control=True)
    assert dict(decode(keyboard.message(1.0, (Action.SAVE,))).hands) == {}
