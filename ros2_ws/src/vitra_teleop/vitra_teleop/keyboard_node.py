"""The operator's terminal: `keyboard` jogs the hand and controls the recorder, key by key.

ros2 run vitra_teleop keyboard --port 8765 --side right       (teleop with input:=udp and tracker_axes:=base)
"""

from __future__ import annotations

import contextlib
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
from std_srvs.srv import Trigger

from vitra_teleop.hands import TeleopError
from vitra_teleop.keyboard import KeyboardHand
from vitra_teleop.keys import key_table
from vitra_teleop.wire import DEFAULT_PORT

_PERIOD_S = 1 / 30


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
    args = tyro.cli(Args, description=__doc__)
    if not sys.stdin.isatty():
        sys.stderr.write("keyboard needs a terminal of its own: run it in one, not in a launch file.\n")
        return 2
    sys.stdout.write(key_table() + "\n")
    rclpy.init()
    node = rclpy.create_node("teleop_keyboard")
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    hand = KeyboardHand(args.side, args.step_m, args.step_rad, only_control=args.only_control)
    try:
        with _raw_terminal():
            for text in _keys():
                key = hand.press(text) if text else None
                if key is not None and key.leave:
                    break
                if key is not None and key.rearm:
                    node.create_client(Trigger, "safety_supervisor/rearm").call_async(Trigger.Request())
                actions = (key.action,) if key is not None and key.action else ()
                if not args.only_control or actions:
                    sender.sendto(hand.message(time.monotonic(), actions), (args.host, args.port))
                if key is not None:
                    sys.stdout.write(f"\r{key.meaning}{' (engaged)' if hand.engaged else ''}\033[K")
                    sys.stdout.flush()
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


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _keys() -> Iterator[str]:
    """A key, or an empty text when none was pressed within a period."""
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], _PERIOD_S)
        yield sys.stdin.read(1) if ready else ""


if __name__ == "__main__":
    sys.exit(main())
