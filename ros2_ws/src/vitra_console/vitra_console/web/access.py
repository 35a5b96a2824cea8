"""Who may use the console: a token, and pages of the console's own origin only."""

from __future__ import annotations

import hmac
import secrets
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


def host_fits(host: str | None, served: str, port: int) -> bool:
    """Whether Host is an address of this server and not a name somebody pointed here (DNS rebinding)."""
    name, _, number = (host or "").lower().rpartition(":")
    if number != str(port):
        return False
    return (
        name in {served.lower(), "localhost", "127.0.0.1", "[::1]"} or served in ("0.0.0.0", "::") and _is_address(name)
    )


def _is_address(name: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
