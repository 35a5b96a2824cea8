from __future__ import annotations

from dataclasses import replace

import pytest

from realman_driver import frames

FEEDBACK = frames.Feedback(
    stamp_ns=1_700_000_000_123_456_789,
    time_s=12.5,
    handled=2**40,
    return_code=-1,
    status=5,
    position_deg=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0),
    current_ma=(0.5, 0.0, 0.0, 0.0, 0.0, 0.0, -0.5),
    joint_errors=(0, 0, 0xF000, 0, 0, 0, 1),
    enabled=0b1111111,
    system_errors=(0x100D,),
    sent_s=(12.25, 12.375),
)


@pytest.mark.parametrize("feedback", [FEEDBACK, replace(FEEDBACK, system_errors=(), sent_s=())])
def test_feedback_survives_the_pipe(feedback: frames.Feedback) -> None:
    assert frames.unpack_report(frames.pack_feedback(feedback)) == feedback


def test_more_errors_and_times_than_fit_keep_the_first_errors_and_the_newest_times() -> None:
    crowded = replace(FEEDBACK, system_errors=tuple(range(1, 13)), sent_s=tuple(map(float, range(9))))
    got = frames.unpack_report(frames.pack_feedback(crowded))
    assert isinstance(got, frames.Feedback)
    assert got.system_errors == (1, 2, 3, 4, 5, 6, 7, 8)
    assert got.sent_s == (5.0, 6.0, 7.0, 8.0)


def test_orders_survive_the_pipe() -> None:
    position = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    assert frames.unpack_order(frames.pack_setpoint(7, 12.5, True, position)) == frames.Setpoint(
        7, 12.5, True, position
    )
    stop = frames.unpack_order(frames.pack_request(3, frames.Operation.STOP))
    assert stop == frames.Request(3, frames.Operation.STOP)


def test_events_acks_and_configuration_survive_the_pipe() -> None:
    event = frames.Event(frames.EventKind.FAILED, "no “arm” there")
    assert frames.unpack_report(frames.pack_event(event.kind, event.detail)) == event
    assert frames.unpack_report(frames.pack_ack(3, -2)) == frames.Ack(3, -2)
    config = frames.LinkConfig(arm_ip="192.168.1.18", collision_stage=7)
    assert frames.unpack_config(frames.pack_config(config)) == config


def test_there_is_no_emergency_stop_to_ask_for() -> None:
    assert {operation.name for operation in frames.Operation} == {"STOP", "SLOW_STOP", "CLEAR_ERRORS"}
