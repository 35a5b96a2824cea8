"""What the driver decides, tick by tick."""

import numpy as np
import pytest

from vitra_safety.stream_reports import DriverStatus
from xhand_driver.device import HandSample
from xhand_driver.driver import HandDriver

PERIOD_S = 0.01


def sample(position=0.1, fault=""):
    twelve = np.full(12, position)
    return HandSample(twelve, np.zeros(12), np.zeros(12), np.zeros(12), np.zeros((5, 3)), fault, (), False)


class Bench:
    """Runs a driver on a clock of its own: each step is one cycle of 10 ms."""

    def __init__(self):
        self.driver = HandDriver()
        self.driver.open()
        self.now_s, self.sequence, self.epoch = 100.0, 0, 1
        self.sent = None

    def step(self, command=None, *, permit=True, state=None, feedback=True, fault=""):
        self.now_s += PERIOD_S
        if permit is not None:
            self.driver.on_permit(self.epoch, permit, self.now_s)
        if command is not None:
            self.sequence += 1
            self.driver.on_command(
                np.broadcast_to(command, 12), sequence=self.sequence, epoch=self.epoch, age_s=0.0, now_s=self.now_s
            )
        self.sent = self.driver.next_setpoint(self.now_s)
        if feedback:
            measured = state if state is not None else (0.1 if self.sent is None else self.sent[0])
            self.driver.on_sample(sample(measured, fault), self.now_s)
        return self.sent

    def move(self, cycles=30):
        self.step()
        for i in range(cycles):
            self.step(0.1 + 1e-4 * i * i if i < 10 else 0.11 + 0.002 * (i - 10))
        assert self.driver.status is DriverStatus.MOVING


@pytest.fixture
def bench():
    return Bench()


def test_nothing_is_sent_before_the_first_command(bench):
    for _ in range(10):
        assert bench.step() is None
    assert bench.driver.status is DriverStatus.HOLDING


def test_commands_are_sent_once_permit_and_feedback_are_fresh(bench):
    bench.step()
    np.testing.assert_allclose(bench.step(0.1), 0.1)
    np.testing.assert_allclose(bench.step(0.1005), 0.1005)
    assert bench.driver.status is DriverStatus.MOVING


def test_the_last_setpoint_is_repeated_for_ever_when_commands_end(bench):
    bench.move()
    positions = [bench.step()[0] for _ in range(200)]
    assert bench.driver.status is DriverStatus.LATCHED
    assert len(set(positions[30:])) == 1
    steps = np.diff(positions)
    assert np.all(steps >= -1e-12)
    assert np.abs(np.diff(steps)).max() / PERIOD_S**2 <= 120.0 * 1.05


@pytest.mark.parametrize("loss", [{"permit": None}, {"permit": False}, {"feedback": False}])
def test_losing_permit_or_feedback_stops_the_hand_within_150_ms_and_commands_do_not_help(bench, loss):
    bench.move()
    target, sent = 0.16, []
    for _ in range(30):
        target += 0.002
        sent.append(bench.step(target, **loss)[0])
    assert bench.driver.status is not DriverStatus.MOVING
    assert len(set(sent[15:])) == 1


def test_a_refused_command_is_counted_and_never_sent(bench):
    bench.step()
    bench.step(0.1)
    bench.step(0.1)
    far = np.full(12, 0.1)
    far[5] = 0.5
    np.testing.assert_allclose(bench.step(far), 0.1)
    assert bench.driver.refused == 1
    assert bench.driver.last_refusal.startswith("step: joint 6")


def test_a_command_of_another_epoch_is_refused(bench):
    bench.move()
    bench.driver.on_command(bench.sent, sequence=999, epoch=7, age_s=0.0, now_s=bench.now_s)
    assert "wrong_epoch" in bench.driver.last_refusal


def test_a_fault_of_the_hand_latches_until_a_new_epoch_and_only_without_the_fault(bench):
    bench.move()
    bench.step(fault="a joint is too hot")
    for _ in range(30):
        bench.step(0.2, fault="a joint is too hot")
    assert bench.driver.status is DriverStatus.FAULT
    bench.epoch = 2
    for _ in range(5):
        bench.step(0.2, fault="a joint is too hot")
    assert bench.driver.status is DriverStatus.FAULT
    bench.step()
    assert (bench.driver.status, bench.driver.fault) == (DriverStatus.LATCHED, "")
    bench.epoch, held = 3, bench.sent[0]
    bench.step()
    bench.step(held)
    assert bench.driver.status is DriverStatus.MOVING


def test_after_a_reconnection_nothing_old_is_sent(bench):
    bench.move()
    bench.driver.on_link_lost("unplugged")
    assert bench.driver.status is DriverStatus.DISCONNECTED
    for _ in range(20):
        assert bench.step(0.17, state=0.0) is None
    assert bench.driver.status is DriverStatus.LATCHED
    bench.epoch = 2
    bench.step(state=0.0)
    assert bench.step(0.17, state=0.0) is None
    assert "first_command" in bench.driver.last_refusal
    np.testing.assert_allclose(bench.step(0.0, state=0.0), 0.0)


def test_a_hanging_sdk_is_a_fault_until_a_state_comes_and_latches(bench):
    bench.move()
    bench.driver.on_hang("read_state does not return")
    assert bench.driver.status is DriverStatus.FAULT
    for _ in range(20):
        bench.step(0.2)
    assert (bench.driver.status, bench.driver.fault) == (DriverStatus.LATCHED, "")


def test_a_fault_decelerates_the_fingers_within_their_limits(bench):
    bench.move()
    positions = [bench.sent[0] - 0.002, bench.sent[0]]
    positions += [bench.step(0.2, fault="a joint is too hot")[0] for _ in range(30)]
    velocity = np.diff(positions) / PERIOD_S
    assert velocity[1] > 0.0
    assert velocity[-1] == 0.0
    assert np.abs(np.diff(velocity)).max() / PERIOD_S <= 120.0 * 1.05


def test_a_re_arm_while_the_sdk_hangs_moves_nothing_when_it_answers_again(bench):
    bench.move()
    bench.driver.on_hang("read_state does not return")
    for _ in range(30):
        bench.step(feedback=False)
    bench.epoch = 2
    bench.step(feedback=False)
    bench.step()
    for _ in range(5):
        bench.step(bench.sent[0])
    assert (bench.driver.status, bench.driver.fault) == (DriverStatus.LATCHED, "")


def test_a_closed_driver_obeys_nothing(bench):
    bench.driver.close()
    for _ in range(5):
        assert bench.step(0.1) is None
    assert bench.driver.accepted == 0


def test_before_the_first_connection_the_reason_is_given():
    driver = HandDriver()
    assert (driver.status, driver.fault) == (DriverStatus.DISCONNECTED, "not connected yet")
    driver.on_link_lost("no hand found")
    assert driver.fault == "no hand found"
