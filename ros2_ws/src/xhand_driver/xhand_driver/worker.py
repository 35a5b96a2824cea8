"""The thread that talks to the hand, 100 times a second: connect, send, read, connect again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vitra_policy.errors import VitraError
from vitra_runtime.threads import WatchedThread
from vitra_runtime.timing import Ticker
from xhand_driver.device import Gains, HandDevice, HandSample
from xhand_driver.discovery import FoundHand, PortSettings, find_hand
from xhand_driver.driver import HandDriver
from xhand_driver.errors import HandLinkError
from xhand_driver.sdk import CallWatch


@dataclass(frozen=True, slots=True)
class WorkerCycle:
    """How often the hand is served, and how long its link is waited for."""

    period_s: float = 0.01
    """Of a cycle."""
    retry_period_s: float = 1.0
    """Wait between attempts to connect."""
    link_timeout_s: float = 0.3
    """Without a good state for this long the port is opened anew."""
    force_update: bool = False
    """Force a state exchange in every read."""


class HandWorker:
    """Owns the SDK: it is not thread-safe, so only this thread calls it.

    Args:
        sdk: The SDK's namespace.
        driver: Decides what to send.
        ports: Where to look for the hand.
        gains: Joint control.
        on_sample: Called in the thread with every good state.
        cycle: How often, and how long to wait.
    """

    def __init__(
        self,
        sdk: Any,
        driver: HandDriver,
        ports: PortSettings,
        gains: Gains,
        on_sample: Callable[[HandSample], None],
        cycle: WorkerCycle | None = None,
    ) -> None:
        cycle = cycle or WorkerCycle()
        self._sdk, self._driver, self._ports, self._gains = sdk, driver, ports, gains
        self._on_sample, self._force_update = on_sample, cycle.force_update
        self._period_s, self._retry_period_s = cycle.period_s, cycle.retry_period_s
        self._link_timeout_s = cycle.link_timeout_s
        self._stop = threading.Event()
        self._thread = WatchedThread(self._run, name="hand", should_run=lambda: not self._stop.is_set())
        self.watch = CallWatch()
        self.identity, self.connections, self.failed_exchanges = "", 0, 0
        self.forces_reads = cycle.force_update

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """End the thread and close the port; False if an SDK call keeps it from ending in time."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            problem = self._connect_and_serve()
            if problem:
                self._driver.on_link_lost(problem)
                self._stop.wait(self._retry_period_s)

    def _connect_and_serve(self) -> str:
        found: FoundHand | None = None
        try:
            found = find_hand(self._make_control, self._ports, pause=self._pause)
            self.identity = f"{found.serial_number} on {found.port}"
            self.connections += 1
            device = HandDevice(self._sdk, found.control, found.hand_id, self._gains, force_update=self._force_update)
            self._serve(device)
        except VitraError as error:
            return str(error)
        except Exception as error:  # the SDK is foreign code: whatever it raises, the driver goes on
            return f"the XHand SDK raised {type(error).__name__}: {error}"
        finally:
            if found is not None:
                found.close()
        return ""

    def _serve(self, device: HandDevice) -> None:
        ticker = Ticker(self._period_s)
        good_s = time.monotonic()
        while not self._stop.is_set():
            setpoint = self._driver.next_setpoint(time.monotonic())
            try:
                sample = device.exchange(setpoint)
            except HandLinkError as error:
                self.failed_exchanges += 1
                if time.monotonic() - good_s > self._link_timeout_s:
                    raise HandLinkError(f"Lost the hand ({self.identity}): {error}") from error
            else:
                good_s = time.monotonic()
                self._driver.on_sample(sample, good_s)
                self._on_sample(sample)
            self.forces_reads = device.forces_reads
            ticker.wait()

    def _make_control(self) -> Any:
        return self.watch.around(self._sdk.XHandControl())

    def _pause(self, duration_s: float) -> None:
        self._stop.wait(duration_s)
