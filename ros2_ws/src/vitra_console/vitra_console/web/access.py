"""Who may use the console: a token, and pages of the console's own origin only."""

from __future__ import annotations

import hmac
import secrets
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit


def default_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(18)


def token_fits(given: object, token: str) -> bool:
    """Compare in constant time; anything but text is wrong."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(), token.encode())


def origin_fits(origin: str | None, host: str | None) -> bool:
    """Whether a websocket comes from a page that this server served: Origin and Host name the same address.

    A browser always sends Origin with a websocket; programs without one are let through to the token.
    """
    if origin is None:
        return True
    return bool(host) and urlsplit(origin).netloc.lower() == str(host).lower()


def host_fits(host: str | None, served: str, port: int, names: Iterable[str] = ()) -> bool:
    """Whether Host is an address of this server and not a name somebody pointed here (DNS rebinding).

    Args:
        host: what the browser says.
        served: the address that is listened on.
        port: its port.
        names: further names that the operator has allowed, at any port: of this machine, or of a tunnel to it.
    """
    said = (host or "").lower()
    if said and any(said in (name.lower(), f"{name.lower()}:{_port_of(said)}") for name in names):
        return True
    name, _, number = said.rpartition(":")
    if number != str(port):
        return False
    return (
        name in {served.lower(), "localhost", "127.0.0.1", "[::1]"}
        or served in ("0.0.0.0", "::")
        and (_is_address(name) or name in own_names())
    )


def own_names() -> set[str]:
    """What this machine is called in its network."""
    name = socket.gethostname().lower()
    return {name, f"{name.partition('.')[0]}.local"}


def _port_of(host: str) -> str:
    return host.rpartition(":")[2]


def _is_address(name: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
