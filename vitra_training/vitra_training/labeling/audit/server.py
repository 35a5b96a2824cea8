"""The audit's web pages: one episode at a time, with the console's own checks of address, origin and token."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from aiohttp import web

from vitra_console.web.private_app import HEADERS, private_app
from vitra_console.web.server import STATIC as SHARED
from vitra_training.labeling.audit.clip import write_clip
from vitra_training.labeling.audit.judgements import JudgementBook
from vitra_training.labeling.audit.sample import AuditSample
from vitra_training.labeling.audit.score import lines, score
from vitra_training.labeling.errors import AuditError

_STATIC = Path(__file__).parent / "static"
_PAGES = {
    "/": (_STATIC / "audit.html", "text/html"),
    "/audit.js": (_STATIC / "audit.js", "text/javascript"),
    "/audit.css": (_STATIC / "audit.css", "text/css"),
    "/base.css": (SHARED / "base.css", "text/css"),
}
_HEADERS = HEADERS | {"Content-Security-Policy": "default-src 'self'; media-src blob:; frame-ancestors 'none'"}
_JUDGE = re.compile(r"[A-Za-z0-9_-]{1,40}")


def make_app(sample: AuditSample, book: JudgementBook, token: str, host: str, port: int) -> web.Application:
    """The web application.

    Args:
        sample: what is judged.
        book: takes the judgements.
        token: part of the link that judges get.
        host: address it will listen on.
        port: its port.
    """
    pages = _Pages(sample, book)
    app = private_app(_PAGES, _HEADERS, token, host, port)
    app.router.add_get("/next/{judge}", pages.next)
    app.router.add_get("/clip/{episode}", pages.clip)
    app.router.add_post("/judge/{judge}/{episode}", pages.judge)
    return app


class _Pages:
    def __init__(self, sample: AuditSample, book: JudgementBook) -> None:
        self._sample, self._book = sample, book
        self._making = asyncio.Lock()

    async def next(self, request: web.Request) -> web.Response:
        """The judge's next episode, and the result so far once all are judged."""
        judge = _judge(request)
        judged = self._book.judged(judge)
        left = [id for id in self._sample.order(judge) if id not in judged]
        body: dict[str, Any] = {"done": len(self._sample) - len(left), "total": len(self._sample)}
        if left:
            item = self._sample.item(left[0])
            body |= {"episode": item.id, "hand": item.hand, "caption": item.caption}
        else:  # shown only at the end: it would sway the judge
            body |= {"result": lines(score(self._book.all), len(self._sample), self._sample.of)}
        return web.json_response(body, headers=_HEADERS)

    async def clip(self, request: web.Request) -> web.Response:
        """The episode's images."""
        id = self._episode(request)
        async with self._making:
            path = await asyncio.to_thread(write_clip, self._sample, id)
        return web.Response(body=path.read_bytes(), content_type="video/webm", headers=_HEADERS)

    async def judge(self, request: web.Request) -> web.Response:
        """A judgement."""
        try:
            said = await request.json()
            self._book.add(_judge(request), self._episode(request), str(said["segment"]), str(said["caption"]))
        except AuditError as error:
            raise web.HTTPConflict(text=str(error)) from error
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise web.HTTPBadRequest(text="a judgement says yes or no of segment and caption") from error
        return web.json_response({"ok": True}, headers=_HEADERS)

    def _episode(self, request: web.Request) -> str:
        id = request.match_info["episode"]
        if id not in self._sample.ids:
            raise web.HTTPNotFound
        return id


def _judge(request: web.Request) -> str:
    name = request.match_info["judge"]
    if not _JUDGE.fullmatch(name):
        raise web.HTTPBadRequest(text="a judge's name has letters, digits, '-' and '_'")
    return name
