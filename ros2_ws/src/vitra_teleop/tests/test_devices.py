"""Inputs whose drivers talk to hardware, on drivers that are played by the test."""

import sys
from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest

from vitra_teleop.hands import TeleopError
from vitra_teleop.inputs import create_input


class Mouse:
    """A device of pyspacemouse 2: one report per read, the last state again when none waits."""

    def __init__(self):
        self.reports, self.closed, self.number = deque(), False, 0
        self.state = SimpleNamespace(t=-1.0, x=0, y=0, z=0, roll=0, pitch=0, yaw=0, buttons=[0, 0])

    def send(self, **values):
        self.reports.append(values)

    def read(self):
        if self.reports:
            self.number += 1
            self.state.t = float(self.number)
            vars(self.state).update(self.reports.popleft())
        return self.state

    def close(self):
        self.closed = True


@pytest.fixture
def mouse(monkeypatch):
    """Installed driver with one mouse."""
    device, asked = Mouse(), {}
    driver = SimpleNamespace(
        AxisConvention=SimpleNamespace(ROS="ros"), open=lambda **options: asked.update(options) or device
    )
    monkeypatch.setitem(sys.modules, "pyspacemouse", driver)
    device.asked = asked
    return device


@pytest.fixture
def moved(mouse):
    """An opened input at 20 polls per second."""
    now = [10.0]
    source = create_input("spacemouse", {"side": "left", "speed": "0.2"}, lambda: now[0])
    source.open()

    def poll():
        now[0] += 0.05
        return source.poll()

    yield poll
    source.close()
    assert mouse.closed


def test_the_mouse_moves_the_wrist_along_the_robots_axes(mouse, moved):
    mouse.send(x=1.0, y=0.0, z=-0.5, buttons=[1, 0])
    frames = [moved() for _ in range(20)]
    hand = frames[-1].hands["left"]
    assert hand.engage
    assert mouse.asked == {"axis_convention": "ros"}
    np.testing.assert_allclose(hand.tracker_from_wrist[:3, 3], [0.2, 0, -0.1], atol=1e-9)
    np.testing.assert_allclose(hand.tracker_from_wrist[:3, :3], np.eye(3), atol=1e-12)
    assert [frame.sequence for frame in frames] == list(range(1, 21))


def test_turning_the_mouse_turns_the_wrist_and_a_touch_does_not(mouse, moved):
    mouse.send(yaw=0.5, x=0.04)
    hand = [moved() for _ in range(5)][-1].hands["left"]
    np.testing.assert_allclose(hand.tracker_from_wrist[:3, 3], 0.0, atol=1e-12)
    angle = np.arctan2(hand.tracker_from_wrist[1, 0], hand.tracker_from_wrist[0, 0])
    assert angle == pytest.approx(0.5 * 0.2 * 4.0 * 0.25)


def test_reports_do_not_queue_up(mouse, moved):
    for share in np.linspace(0, 1, 30):
        mouse.send(x=share)
    mouse.send(x=0.0)
    moved()
    assert not mouse.reports
    at_rest = moved().hands["left"].tracker_from_wrist
    np.testing.assert_allclose(at_rest, np.eye(4), atol=1e-12)


def test_the_right_button_opens_and_closes_the_hand(mouse, moved):
    open_hand = moved().hands["left"].joints_rad
    mouse.send(buttons=[0, 1])
    pinch = moved().hands["left"].joints_rad
    moved()
    mouse.send(buttons=[0, 0])
    moved()
    mouse.send(buttons=[0, 1])
    again = moved().hands["left"].joints_rad
    assert np.abs(pinch - open_hand).max() > 0.5
    np.testing.assert_allclose(again, open_hand)


def test_a_missing_mouse_is_an_error_with_advice(monkeypatch):
    def none_there(**_):
        raise RuntimeError("No connected or supported devices found.")

    driver = SimpleNamespace(AxisConvention=SimpleNamespace(ROS="ros"), open=none_there)
    monkeypatch.setitem(sys.modules, "pyspacemouse", driver)
    with pytest.raises(TeleopError, match="No SpaceMouse can be read: No connected"):
        create_input("spacemouse", {}, lambda: 0.0).open()


class Headset:
    """What avp_stream's streamer offers."""

    def __init__(self, ip, record):
        self.ip, self.record, self.latest = ip, record, None


@pytest.fixture
def headset(monkeypatch):
    made = []

    def streamer(ip, record):
        made.append(Headset(ip, record))
        return made[-1]

    monkeypatch.setitem(sys.modules, "avp_stream", SimpleNamespace(VisionProStreamer=streamer))
    source = create_input("vision_pro", {"ip": "10.0.0.2", "engage": "always"}, lambda: 3.0)
    source.open()
    return source, made[0]


def seen(human, world, x=0.0):
    fingers = np.tile(np.eye(4), (25, 1, 1))
    order = [0, 1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 19, 21, 22, 23, 24]
    hands = {}
    for side in ("left", "right"):
        fingers[order, :3, 3] = human(np.full(12, 0.3), side)
        hands |= {f"{side}_wrist": world.pose(x, 0, 1)[None], f"{side}_fingers": fingers.copy()}
        hands[f"{side}_pinch_distance"] = 0.1
    return hands


def test_the_headset_is_asked_where_it_is_and_gives_both_hands(headset, human, world):
    source, streamer = headset
    assert (streamer.ip, streamer.record) == ("10.0.0.2", False)
    assert source.poll() is None
    streamer.latest = seen(human, world)
    frame = source.poll()
    assert (frame.stamp_s, frame.sequence, set(frame.hands)) == (3.0, 1, {"left", "right"})
    assert all(hand.valid and hand.engage for hand in frame.hands.values())


def test_a_headset_that_repeats_itself_is_silent(headset, human, world):
    source, streamer = headset
    streamer.latest = seen(human, world)
    source.poll()
    assert source.poll() is None
    streamer.latest = seen(human, world, x=0.01)
    assert source.poll().sequence == 2


@pytest.mark.parametrize("module", ["keyboard_node", "replay_episode_node", "webcam_tracker"])
def test_every_program_explains_itself(module, monkeypatch, capsys):
    if module != "webcam_tracker":
        pytest.importorskip("rclpy")
    program = __import__(f"vitra_teleop.{module}", fromlist=["main"])
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 0
    assert "--" in capsys.readouterr().out
