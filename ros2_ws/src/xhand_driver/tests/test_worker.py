"""The hand's thread against the double."""

import numpy as np
import pytest

from vitra_safety.stream_reports import DriverStatus
from vitra_sim.doubles import xhand_control
from xhand_driver.device import Gains
from xhand_driver.discovery import PortSettings
from xhand_driver.driver import HandDriver
from xhand_driver.worker import HandWorker, WorkerCycle


@pytest.fixture
def rig(server):
    started = []

    class Rig:
        def __init__(self, side="left"):
            self.driver, self.samples = HandDriver(), []
            self.driver.open()
            self.worker = HandWorker(
                xhand_control,
                self.driver,
                PortSettings(side),
                Gains(),
                self.samples.append,
                cycle=WorkerCycle(retry_period_s=0.02, link_timeout_s=0.05),
            )
            started.append(self.worker)
            self.worker.start()

    yield Rig
    for unit in server.units.values():
        unit.faults.frozen = False
    for worker in started:
        assert worker.stop()


def test_both_hands_are_read_by_a_thread_each(rig, eventually, hands):
    left, right = rig("left"), rig("right")
    hands["right"].position[:] = 0.13
    eventually(lambda: len(left.samples) > 5 and len(right.samples) > 5)
    assert left.samples[-1].position_rad[0] == pytest.approx(0.1)
    assert right.samples[-1].position_rad[0] == pytest.approx(0.13)
    assert left.driver.status is DriverStatus.HOLDING


def test_connecting_never_moves_the_hand(rig, eventually, server):
    left = rig()
    eventually(lambda: len(left.samples) > 5)
    assert server.units["left"].commands == 0


def test_an_unplugged_hand_is_a_fault_and_is_found_again_on_another_port(rig, eventually, server):
    left = rig()
    eventually(lambda: left.samples)
    server.unplug("left")
    eventually(lambda: "No left XHand found" in left.driver.fault)
    assert left.driver.status is DriverStatus.DISCONNECTED
    server.plug("left", "ttyACM5")
    eventually(lambda: left.driver.fault == "")
    assert left.worker.connections == 2
    assert left.worker.identity.endswith("ttyACM5")


def test_a_single_failed_exchange_does_not_reopen_the_port(rig, eventually, server):
    left = rig()
    eventually(lambda: left.samples)
    server.faults("left").error_code = 1501006
    eventually(lambda: left.worker.failed_exchanges >= 1)
    server.faults("left").error_code = 0
    count = len(left.samples)
    eventually(lambda: len(left.samples) > count)
    assert left.worker.connections <= 2


def test_a_call_that_never_returns_is_seen_from_outside(rig, eventually, server):
    left = rig()
    eventually(lambda: left.samples)
    server.faults("left").frozen = True
    eventually(lambda: left.worker.watch.overdue(0.1) is not None)
    call, age_s = left.worker.watch.overdue(0.1)
    assert call == "read_state"
    assert age_s > 0.1
    assert not left.worker.stop(timeout_s=0.05)


def test_an_sdk_that_raises_does_not_end_the_thread(rig, eventually, monkeypatch):
    left = rig()
    eventually(lambda: left.samples)
    monkeypatch.setattr(xhand_control.XHandControl, "read_state", lambda *a: 1 / 0)
    eventually(lambda: "raised ZeroDivisionError" in left.driver.fault)
    monkeypatch.undo()
    monkeypatch.setenv(xhand_control.SERVER_VARIABLE, left.worker.identity.split(" on ")[1].rpartition("/")[0])
    eventually(lambda: left.driver.fault == "")


def test_setpoints_reach_the_hand(rig, eventually, hands):
    import time

    left = rig()
    eventually(lambda: left.samples)
    sequence = [0]

    def command():
        now_s = time.monotonic()
        sequence[0] += 1
        left.driver.on_permit(1, True, now_s)
        left.driver.on_command(np.full(12, 0.12), sequence=sequence[0], epoch=1, age_s=0.0, now_s=now_s)
        return bool(np.allclose(hands["left"].position, 0.12))

    eventually(command)
