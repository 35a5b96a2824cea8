import threading

import pytest

from vitra_inference.loader import PolicyLoader, PolicyLoadingError
from vitra_policy.errors import VitraError
from vitra_policy.policies.policy import PolicyError

pytestmark = pytest.mark.realtime


class Slow:
    def __init__(self, ready):
        self.ready, self.closed = ready, 0

    def warm_up(self):
        self.ready.wait(20)

    def close(self):
        self.closed += 1


def test_a_slow_policy_does_not_block():
    ready = threading.Event()
    loader = PolicyLoader(lambda: Slow(ready), "slow")
    with pytest.raises(PolicyLoadingError, match="'slow' is still loading"):
        loader.get(0.0)
    ready.set()
    policy = loader.get(20)
    assert loader.get(0) is policy
    loader.close()
    loader.close()
    assert policy.closed == 1


@pytest.mark.parametrize(
    ("error", "expected"), [(VitraError("no file"), VitraError), (MemoryError("big"), PolicyError)]
)
def test_a_failed_load_says_why_and_is_tried_again(error, expected):
    attempts = []

    def make():
        attempts.append(1)
        if len(attempts) == 1:
            raise error
        ready = threading.Event()
        ready.set()
        return Slow(ready)

    loader = PolicyLoader(make, "p")
    with pytest.raises(expected, match=str(error)):
        loader.get(20)
    assert loader.get(20).closed == 0


def test_a_policy_that_was_ready_just_after_the_node_gave_up_waiting_is_kept():
    ready = threading.Event()
    loader = PolicyLoader(lambda: Slow(ready), "slow")
    with pytest.raises(PolicyLoadingError):
        loader.get(0.0)
    ready.set()
    for thread in threading.enumerate():
        if thread.name == "policy-loader":
            thread.join(20)
    loader.close()
    assert loader.get(0.0).closed == 0
