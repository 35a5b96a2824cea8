"""The study's web pages: one item at a time, videos by position, never by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from aiohttp import web

from vitra_console.web.private_app import HEADERS, private_app
from vitra_evaluation.study.material import Study, StudyError
from vitra_evaluation.study.votes import RANKS, VoteBook

_STATIC = Path(__file__).parent / "static"
_PAGES = {
    "/": (_STATIC / "study.html", "text/html"),
    "/study.js": (_STATIC / "study.js", "text/javascript"),
}
_HEADERS = HEADERS | {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; media-src blob:"
}
_PARTICIPANT = re.compile(r"[A-Za-z0-9_-]{1,40}")


def make_app(study: Study, book: VoteBook, token: str, host: str, port: int) -> web.Application:
    """The web application.

    Args:
        study: what is shown.
        book: takes the votes.
        token: part of the link that participants get.
        host: address it will listen on.
        port: its port.
    """
    pages = _Pages(study, book)
    app = private_app(_PAGES, _HEADERS, token, host, port)
    app.router.add_get("/page/{participant}", pages.page)
    app.router.add_get("/video/{participant}/{item}/{position}", pages.video)
    app.router.add_post("/vote/{participant}/{item}", pages.vote)
    return app


class _Pages:
    def __init__(self, study: Study, book: VoteBook) -> None:
        self._study, self._book = study, book

    async def page(self, request: web.Request) -> web.Response:
        """The participant's next item."""
        participant = _participant(request)
        voted = self._book.voted(participant)
        left = [i for i in self._study.item_order(participant) if self._study.items[i].name not in voted]
        body: dict[str, Any] = {"done": len(self._study.items) - len(left), "total": len(self._study.items)}
        if left:
            videos = len(self._study.models)
            instruction = self._study.items[left[0]].instruction
            body |= {"item": left[0], "instruction": instruction, "videos": videos, "ranks": min(RANKS, videos)}
        return web.json_response(body, headers=_HEADERS)

    async def video(self, request: web.Request) -> web.Response:
        """A video by its place on the page."""
        item, order = self._item(request)
        position = request.match_info["position"]
        if position not in map(str, range(len(order))):
            raise web.HTTPNotFound
        path = self._study.items[item].videos[order[int(position)]]
        kind = "video/webm" if path.suffix == ".webm" else "video/mp4"
        return web.Response(body=path.read_bytes(), content_type=kind, headers=_HEADERS)

    async def vote(self, request: web.Request) -> web.Response:
        """A ranking by places, and which places were played to their end."""
        item, order = self._item(request)
        try:
            said = await request.json()
            positions, seen = ([int(place) for place in said[key]] for key in ("ranking", "seen"))
            if missing := sorted(set(range(len(order))) - set(seen)):
                places = ", ".join(str(place + 1) for place in missing)
                raise web.HTTPUnprocessableEntity(text=f"See every video to its end first; not seen: {places}.")
            self._book.add(_participant(request), item, positions)
        except StudyError as error:
            raise web.HTTPConflict(text=str(error)) from error
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise web.HTTPBadRequest(text="a vote is a ranking of places, and the places that were seen") from error
        return web.json_response({"ok": True}, headers=_HEADERS)

    def _item(self, request: web.Request) -> tuple[int, list[str]]:
        text = request.match_info["item"]
        if text not in map(str, range(len(self._study.items))):
            raise web.HTTPNotFound
        return int(text), self._study.video_order(_participant(request), int(text))


def _participant(request: web.Request) -> str:
    name = request.match_info["participant"]
    if not _PARTICIPANT.fullmatch(name):
        raise web.HTTPBadRequest(text="a participant's name has letters, digits, '-' and '_'")
    return name
