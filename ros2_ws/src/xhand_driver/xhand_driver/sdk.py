"""Loading the vendor's SDK, and knowing which of its calls is running."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from typing import Any

from xhand_driver.errors import SdkMissingError

VENDOR_MODULE = "xhand_controller"


def load_sdk(module_name: str = VENDOR_MODULE) -> Any:
    """The object that holds `XHandControl` and `HandCommand_t`.

    Args:
        module_name: A module with an `xhand_control` in it: the vendor's, or a double of it.

    Raises:
        SdkMissingError: saying how to install it.
    """
    try:
        sdk = importlib.import_module(module_name)
    except (ImportError, OSError) as error:
        raise SdkMissingError(f"Cannot load the XHand SDK '{module_name}' ({error}). {_help()}") from error
    control = getattr(sdk, "xhand_control", None)
    if control is None:
        try:
            control = importlib.import_module(f"{module_name}.xhand_control")
        except (ImportError, OSError) as error:
            raise SdkMissingError(f"Module '{module_name}' has no xhand_control ({error}). {_help()}") from error
    return control


def _help() -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        "RobotEra hands it out under its own licence; it is not on PyPI. Get the wheel from RobotEra and "
        "`pip install` it into this environment. It comes for Python 3.10 and 3.12 on x86_64 Linux; this is Python "
        f"{version}. Without hardware set sdk_module to vitra_sim.doubles.xhand_sdk."
    )


class CallWatch:
    """Which SDK call is running, and since when; written by one thread, read by others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._running: tuple[str, float] | None = None

    def around(self, sdk_object: Any) -> Any:
        """The same object with every call watched."""
        return _Watched(sdk_object, self)

    def overdue(self, deadline_s: float) -> tuple[str, float] | None:
        """Name and age [s] of a call that has been running for longer than the deadline."""
        running = self._running
        if running is None:
            return None
        age_s = self._clock() - running[1]
        return (running[0], age_s) if age_s > deadline_s else None

    def call(self, name: str, function: Callable[..., Any], *args: Any) -> Any:
        """Make a call and note that it runs."""
        self._running = (name, self._clock())
        try:
            return function(*args)
        finally:
            self._running = None


class _Watched:
    def __init__(self, target: Any, watch: CallWatch) -> None:
        self._target, self._watch = target, watch

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self._target, name)
        return lambda *args: self._watch.call(name, function, *args)
