"""Makes and warms up a policy without blocking the node."""

from __future__ import annotations

from collections.abc import Callable

from vitra_policy.errors import VitraError
from vitra_policy.policies.policy import Policy, PolicyError
from vitra_runtime.threads import WatchedThread


class PolicyLoadingError(VitraError):
    """The policy is not ready yet."""


class PolicyLoader:
    """Loads in a thread of its own; ask again until it is done. A failed load is tried anew at the next question.

    Args:
        make: creates the policy (cheap); its `warm_up` does the work.
        name: for messages.
    """

    def __init__(self, make: Callable[[], Policy], name: str) -> None:
        self._make, self._name = make, name
        self._thread: WatchedThread | None = None
        self._policy: Policy | None = None
        self._handed_out = False
        self._error: BaseException | None = None

    def get(self, patience_s: float) -> Policy:
        """The warm policy.

        Args:
            patience_s: how long to wait for it now.

        Raises:
            PolicyLoadingError: it takes longer; ask again.
            VitraError: loading failed.
        """
        if self._policy is not None:
            self._handed_out = True
            return self._policy
        if self._thread is None:
            self._error = None
            self._thread = WatchedThread(self._load, name="policy-loader", should_run=None)
            self._thread.start()
        self._thread.join(patience_s)
        if self._thread.is_alive():
            raise PolicyLoadingError(f"Policy '{self._name}' is still loading and warming up.")
        self._thread = None
        if isinstance(self._error, VitraError):
            raise self._error
        if self._error is not None:
            raise PolicyError(
                f"Policy '{self._name}' failed to load: {type(self._error).__name__}: {self._error}."
            ) from self._error
        assert self._policy is not None
        self._handed_out = True
        return self._policy

    def close(self) -> None:
        """Close the policy that `get` has given; the next `get` loads it again.

        One that nobody got yet is kept, loaded or still loading: a node that gave up waiting asks for it again.
        """
        if not self._handed_out or self._policy is None:
            return
        policy, self._policy, self._handed_out = self._policy, None, False
        policy.close()

    def _load(self) -> None:
        try:
            policy = self._make()
            policy.warm_up()
            self._policy = policy
        except Exception as error:
            self._error = error
