"""The trial console: what the evaluators' page shows, and where its orders go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitra_console.web import server
from vitra_console.web.server import JpegImage, Page, PresenceLike, Told
from vitra_evaluation.backends.port import TrialPort
from vitra_evaluation.console.phone import qr_svg, reachable_urls
from vitra_evaluation.console.state import page_state
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.orders import Order, Seen
from vitra_evaluation.session.runner import Runner
from vitra_evaluation.session.trial import Command

_STATIC = Path(__file__).parent / "static"
CAMERA, REFERENCE = 1, 2


class TrialDesk:
    """A trial session as a desk of the web console.

    Args:
        runner: takes the orders.
        port: images, safety state.
        session: what is evaluated.
    """

    pages: Mapping[str, Page] = {
        "/": Page(_STATIC / "index.html", "text/html"),
        "/console.js": Page(_STATIC / "console.js", "text/javascript"),
        "/console.css": Page(_STATIC / "console.css", "text/css"),
    }

    def __init__(self, runner: Runner, port: TrialPort, session: Session) -> None:
        self._runner, self._robot, self._session = runner, port, session
        self._shown = 0
        self.phone: list[dict[str, str]] = []

    @property
    def stops(self) -> int:
        """Every stop that the runner knows of."""
        return self._runner.stops

    def state(self) -> dict[str, Any]:
        """State of session, trial and robot."""
        return page_state(self._session, self._runner.view, self._robot) | {"phone": self.phone}

    def images(self) -> dict[int, JpegImage]:
        """The reference of the present layout, and the newest camera image."""
        images = {}
        slot = self._runner.view.slot
        if slot is not None:
            path = self._session.reference(slot)
            images[REFERENCE] = JpegImage(slot.layout + slot.thing, path.read_bytes() if path.is_file() else b"")
        camera = self._robot.image()
        if camera is not None:
            self._shown += 1
            images[CAMERA] = JpegImage(str(self._shown), camera)
        return images

    def stop(self, person: str) -> None:
        """Stop the robot."""
        self._runner.give(Order(Command.STOP, person=person))

    def order(self, told: Told) -> str:
        """Hand a command to the runner."""
        if told.what not in tuple(Command):
            return f"Unknown order '{told.what[:40]}'."
        if not all(isinstance(told.said.get(key), str) for key in ("trial", "phase", "last")):
            return "The page is older than the program: load it again."
        seen = Seen(
            trial=told.said["trial"], phase=told.said["phase"], last=told.said["last"], stops=self._runner.stops,
            paused=bool(told.said.get("paused")),
        )  # fmt: skip
        self._runner.give(Order(Command(told.what), told.text, told.person, seen))
        return ""


@dataclass(frozen=True, slots=True)
class ConsoleAddress:
    """Where a console is served, and to whom."""

    token: str
    """What a console has to know."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    tcp_port: int = 8765
    """Port to listen on; 0 takes a free one."""
    names: tuple[str, ...] = ()
    """Further names under which the console is reached, through a tunnel for instance."""


class ConsoleServer(server.ConsoleServer):
    """Serves the trial console; use as a context manager.

    Args:
        runner: takes the orders.
        port: images, safety state.
        session: what is evaluated.
        presence: kept alive by the console in control.
        address: where it listens, and what a console has to know.
    """

    def __init__(
        self,
        runner: Runner,
        port: TrialPort,
        session: Session,
        presence: PresenceLike,
        address: ConsoleAddress,
    ) -> None:
        self._trials, self._names = TrialDesk(runner, port, session), address.names
        super().__init__(self._trials, presence, address.token, address.host, address.tcp_port, address.names)

    def __enter__(self) -> ConsoleServer:
        super().__enter__()
        self._trials.phone = [{"url": url, "svg": qr_svg(url)} for url in self.phone_urls]
        return self

    @property
    def phone_urls(self) -> list[str]:
        """Links for a phone in the same network."""
        return reachable_urls(self._host, self.port, self._token, self._names)
