"""A service may answer later, and others are answered meanwhile."""

import time

import pytest

pytest.importorskip("rclpy")
import rclpy
from rclpy.experimental import EventsExecutor
from std_srvs.srv import Trigger

from vitra_runtime.services import LateAnswer, late_service

pytestmark = pytest.mark.graph


def test_an_answer_may_be_given_later_and_meanwhile_others_are(ros_domain):
    rclpy.init()
    node, executor = rclpy.create_node("late"), EventsExecutor()
    executor.add_node(node)
    answers = []
    late_service(node, Trigger, "slow", lambda _, answer: answers.append(answer))
    late_service(node, Trigger, "fast", lambda _, answer: answer.give())
    slow, fast = (node.create_client(Trigger, name) for name in ("slow", "fast"))

    def until(condition):
        deadline_s = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline_s, "waited in vain"
            executor.spin_once(timeout_sec=0.05)

    try:
        until(lambda: slow.service_is_ready() and fast.service_is_ready())
        first = slow.call_async(Trigger.Request())
        until(lambda: answers)
        second = fast.call_async(Trigger.Request())
        until(second.done)
        assert not first.done()
        answers[0].response.message = "now"
        answers[0].give()
        until(first.done)
        assert first.result().message == "now"
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()


def test_an_answer_is_sent_whichever_comes_first():
    sent = []
    early, late = LateAnswer("early"), LateAnswer("late")
    early.give()
    early.send_with(lambda: sent.append(early.response))
    late.send_with(lambda: sent.append(late.response))
    assert sent == ["early"]
    late.give()
    assert sent == ["early", "late"]
