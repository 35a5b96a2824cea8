"""A small web application for people who were given a link: pages for all, everything else behind its token."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from vitra_console.web.access import host_fits, origin_fits, token_fits

HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
_LARGEST_ORDER_BYTES = 4096


def private_app(
    pages: Mapping[str, tuple[Path, str]], headers: Mapping[str, str], token: str, host: str, port: int
) -> web.Application:
    """The application with its pages; routes added to it ask for the token in the header X-Token.

    Args:
        pages: file and content type by path.
        headers: sent with every page.
        token: part of the link.
        host: address it will listen on.
        port: its port.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
        name = request.headers.get("Host")
        if not host_fits(name, host, port) or not origin_fits(request.headers.get("Origin"), name):
            raise web.HTTPForbidden
        if request.path not in pages and not token_fits(request.headers.get("X-Token"), token):
            raise web.HTTPUnauthorized(text="wrong token: open the link you were given")
        return await handler(request)  # type: ignore[no-any-return]

    async def page(request: web.Request) -> web.Response:
        path, kind = pages[request.path]
        return web.Response(body=path.read_bytes(), content_type=kind, charset="utf-8", headers=dict(headers))

    app = web.Application(middlewares=[guard], client_max_size=_LARGEST_ORDER_BYTES)
    for path in pages:
        app.router.add_get(path, page)
    return app
