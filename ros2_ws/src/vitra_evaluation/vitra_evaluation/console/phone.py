"""The console's address as a QR code, for the phone of whoever stands at the robot."""

from __future__ import annotations

import io
import ipaddress
import socket

import segno


def reachable_urls(host: str, port: int, token: str, names: tuple[str, ...] = ()) -> list[str]:
    """Addresses under which a phone in the same network gets to the console; none on loopback.

    Args:
        host: address the console listens on.
        port: its port.
        token: what it wants to be told.
        names: further names of this machine.
    """
    if _is_loopback(host) and not names:
        return []
    hosts = list(names) or ([own_address()] if host in ("0.0.0.0", "::") else [host])
    return [f"http://{name}:{port}/#token={token}" for name in hosts]


def own_address() -> str:
    """This machine's address in its network; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def qr_svg(url: str) -> str:
    """The code as SVG."""
    return segno.make(url, error="m").svg_inline(scale=4, border=3, light="#fff")


def qr_text(url: str) -> str:
    """The code for a terminal."""
    out = io.StringIO()
    segno.make(url, error="l").terminal(out=out, compact=True)
    return out.getvalue()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
