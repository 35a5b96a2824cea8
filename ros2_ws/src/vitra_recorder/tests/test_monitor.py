import pytest

from vitra_recorder.monitor import StreamMonitor
from vitra_recorder.preroll import PreRoll
from vitra_recorder.topics import CAMERA, TOPICS

MS = 1_000_000
BY_NAME = {topic.name: topic for topic in TOPICS}
ARM = "right_arm/joint_states"


def feed(monitor, name, rate_hz, seconds, start_ms=0, delay_ms=1, stamp=lambda t_ns: t_ns):
    period_ns = 1e9 / rate_hz
    for k in range(int(seconds * rate_hz)):
        t_ns = int(start_ms * MS + k * period_ns)
        monitor.note(BY_NAME[name], t_ns + delay_ms * MS, stamp(t_ns))
    return int(start_ms * MS + seconds * 1e9)


def test_a_healthy_stream_gives_no_warning():
    monitor = StreamMonitor()
    now = feed(monitor, ARM, 200, 3)
    assert monitor.warnings(now) == []
    assert monitor.report(now)[ARM].rate_hz == pytest.approx(200, rel=0.01)


def test_a_slow_stream_is_named_with_both_rates():
    monitor = StreamMonitor()
    now = feed(monitor, ARM, 150, 3)
    assert monitor.warnings(now) == [f"{ARM}: 150 Hz instead of 200 Hz"]


def test_a_gap_is_named_and_forgotten_after_the_window():
    monitor = StreamMonitor()
    feed(monitor, CAMERA, 30, 2.0)
    now = feed(monitor, CAMERA, 30, 1.0, start_ms=2210)
    assert monitor.warnings(now) == [f"{CAMERA}: a gap of 243 ms"]
    now = feed(monitor, CAMERA, 30, 3.0, start_ms=3210)
    assert monitor.warnings(now) == []


def test_silence_is_named():
    monitor = StreamMonitor()
    now = feed(monitor, ARM, 200, 3)
    assert monitor.warnings(now + 1500 * MS) == [f"{ARM}: silent for 1.5 s"]
    assert not monitor.is_alive(ARM, now + 1500 * MS)


def test_a_clock_that_jumps_is_named():
    monitor = StreamMonitor()
    feed(monitor, ARM, 200, 2)
    now = feed(monitor, ARM, 200, 2, start_ms=2000, stamp=lambda t_ns: t_ns - 3000 * MS)
    words = " ".join(monitor.warnings(now))
    assert "its clock jumped 1 times" in words
    assert "1 stamps do not increase" in words
    assert "3.00 s after its capture" in words


def test_stamps_in_the_future_point_to_the_clocks():
    monitor = StreamMonitor()
    now = feed(monitor, ARM, 200, 2, stamp=lambda t_ns: t_ns + 400 * MS)
    assert "0.40 s in the future: check the clocks" in monitor.warnings(now)[0]


def test_joints_that_lag_behind_the_camera_are_named():
    monitor = StreamMonitor()
    feed(monitor, ARM, 200, 1)
    now = feed(monitor, CAMERA, 30, 1.2)
    assert any("behind the camera" in warning for warning in monitor.warnings(now))
    monitor.forget_events()
    assert not any("behind the camera" in warning for warning in monitor.warnings(now))


def test_joints_for_peoples_tools_may_lag_behind_the_camera():
    monitor = StreamMonitor()
    feed(monitor, "joint_states", 20, 1)
    assert monitor.warnings(feed(monitor, CAMERA, 30, 1.2)) == []


def test_the_past_is_bounded_in_time_and_memory():
    ring = PreRoll(1.0, limit_bytes=100)
    for k in range(30):
        ring.add(BY_NAME[ARM], ARM, k * 100 * MS, b"x" * 10)
    assert [item.arrival_ns // MS for item in ring.take(2900 * MS)] == [2000 + 100 * k for k in range(10)]
    assert ring.take(2900 * MS) == []
    nothing = PreRoll(0.0, 100)
    nothing.add(BY_NAME[ARM], ARM, 0, b"x")
    assert nothing.take(0) == []


@pytest.mark.parametrize("step_ms", [500, -500])
def test_a_clock_that_is_set_by_half_a_second_is_named(step_ms):
    monitor = StreamMonitor()
    feed(monitor, ARM, 200, 2)
    now = feed(monitor, ARM, 200, 1, start_ms=2000, stamp=lambda t_ns: t_ns + step_ms * MS)
    assert "its clock jumped 1 times" in " ".join(monitor.warnings(now))
