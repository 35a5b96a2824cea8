"""The operator's terminal: `keyboard` jogs the hand and controls the recorder, key by key.

ros2 run vitra_teleop keyboard --port 8765 --side right       (teleop with input:=udp and tracker_axes:=base)
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import termios
import time
import tty
from collections.abc import Iterator
from dataclasses import dataclass

import rclpy
import tyro

from vitra_runtime import qos
from vitra_teleop.hands import Action, TeleopError
from vitra_teleop.keyboard import KeyboardHand, stop_first
from vitra_teleop.keys import key_table
from vitra_teleop.orders import SupervisorOrders
from vitra_teleop.wire import DEFAULT_PORT

_PERIOD_S = 1 / 30
_MOST_KEYS = 4096


@dataclass(frozen=True)
class Args:
    """Keyboard control of teleoperation and recorder."""

    side: str = "right"
    """Hand that the keys move."""
    host: str = "127.0.0.1"
    """Where the teleop node listens."""
    port: int = DEFAULT_PORT
    """Its UDP port."""
    step_m: float = 0.01
    """Wrist step per key."""
    step_rad: float = 0.05
    """Wrist turn per key."""
    only_control: bool = False
    """Send no hand, only what controls recorder and robot (beside another tracker)."""


def main() -> int:
    """Read keys until told to leave."""
    args = tyro.cli(Args, prog="keyboard", description=__doc__)
    if not sys.stdin.isatty():
        sys.stderr.write("keyboard needs a terminal of its own: run it in one, not in a launch file.\n")
        return 2
    sys.stdout.write(key_table() + "\n")
    rclpy.init()
    node = rclpy.create_node("teleop_keyboard")
    orders = SupervisorOrders(node, qos.LATCHED, _say)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    hand = KeyboardHand(args.side, args.step_m, args.step_rad, only_control=args.only_control)
    try:
        with _raw_terminal():
            leaving = False
            while not leaving and (typed := _typed()) is not None:
                for text in stop_first(typed) or [""]:
                    leaving |= _obey(text, hand, orders, sender, args)
                rclpy.spin_once(node, timeout_sec=0.0)
    except TeleopError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        pass
    finally:
        sender.close()
        node.destroy_node()
        rclpy.try_shutdown()
    sys.stdout.write("\n")
    return 0


def _obey(text: str, hand: KeyboardHand, orders: SupervisorOrders, sender: socket.socket, args: Args) -> bool:
    """One key, or none; whether it ends the program."""
    key = hand.press(text) if text else None
    if key is not None and key.leave:
        return True
    if key is not None and key.rearm:
        orders.rearm()
    actions = (key.action,) if key is not None and key.action else ()
    if Action.STOP in actions and orders.stop():
        actions = ()  # asked for directly; without a supervisor in reach the teleop node may have one
    if not args.only_control or actions:
        sender.sendto(hand.message(time.monotonic(), actions), (args.host, args.port))
    if key is not None and not key.rearm and key.action is not Action.STOP:
        _say(f"{key.meaning}{' (engaged)' if hand.engaged else ''}{' (asked for)' if key.action else ''}")
    return False


def _say(text: str) -> None:
    sys.stdout.write(f"\r{text}\033[K")
    sys.stdout.flush()


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _typed() -> str | None:
    """All keys that were pressed within a period, read past Python's own buffer; None when the terminal is gone."""
    ready, _, _ = select.select([sys.stdin], [], [], _PERIOD_S)
    if not ready:
        return ""
    data = os.read(sys.stdin.fileno(), _MOST_KEYS)
    return data.decode(errors="ignore") if data else None


if __name__ == "__main__":
    sys.exit(main())
