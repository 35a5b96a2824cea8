"""Input devices and streams by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vitra_policy.errors import UnknownNameError
from vitra_policy.extension_point import ExtensionPoint
from vitra_teleop.hands import TeleopError, TeleopInput

Clock = Callable[[], float]

INSTALLED_INPUTS = ExtensionPoint("teleoperation input", "vitra_teleop.inputs")
"""Inputs of other packages: each entry point names a function `(clock, **options) -> TeleopInput`
(docs/how_to/add_a_teleop_input.md)."""


def create_input(name: str, options: Mapping[str, str], clock: Clock) -> TeleopInput:
    """An input by name, not opened yet.

    Args:
        name: one of `input_names()`.
        options: keyword arguments of the input, as text.
        clock: ROS time, seconds.

    Raises:
        UnknownNameError: no such input.
        ExtensionError: another package's input cannot be imported.
        TeleopError: an option it does not take, or a value that cannot be read.
    """
    if name not in input_names():
        raise UnknownNameError("teleoperation input", name, input_names())
    make: Callable[..., TeleopInput] = INPUTS[name] if name in INPUTS else INSTALLED_INPUTS.load(name)
    try:
        return make(clock, **options)
    except (TypeError, ValueError, OverflowError) as error:
        raise TeleopError(f"Input '{name}' does not take {dict(options)}: {error}.") from error


def input_names() -> list[str]:
    """Every input of ours and of other packages, sorted."""
    return sorted({*INPUTS, *INSTALLED_INPUTS.names()})


def _udp(clock: Clock, host: str = "127.0.0.1", port: str = "8765") -> TeleopInput:
    from vitra_teleop.inputs.udp import UdpInput

    return UdpInput(host, int(port), clock)


def _websocket(clock: Clock, host: str = "127.0.0.1", port: str = "8766") -> TeleopInput:
    from vitra_teleop.inputs.websocket import WebsocketInput

    return WebsocketInput(host, int(port), clock)


def _replay(clock: Clock, file: str = "", speed: str = "1.0", loop: str = "false") -> TeleopInput:
    from vitra_teleop.inputs.stream_file import StreamReplay

    return StreamReplay(file, clock, float(speed), loop == "true")


def _spacemouse(clock: Clock, side: str = "right", speed: str = "0.2") -> TeleopInput:
    from vitra_teleop.inputs.spacemouse import SpaceMouseInput

    return SpaceMouseInput(side, clock, float(speed))


def _vision_pro(clock: Clock, ip: str = "", engage: str = "pinch") -> TeleopInput:
    from vitra_teleop.inputs.vision_pro import VisionProInput

    return VisionProInput(ip, clock, engage)


INPUTS: dict[str, Callable[..., TeleopInput]] = {
    "udp": _udp,
    "websocket": _websocket,
    "replay": _replay,
    "spacemouse": _spacemouse,
    "vision_pro": _vision_pro,
}
"""Webcam tracker, Quest, gloves, keyboard and simulated operator all speak the format of `udp` and `websocket`."""
