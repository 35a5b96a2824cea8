"""A recorded stream of hands, one wire message per line: written while practising, replayed in tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

from vitra_teleop.hands import Action, HandFrame, TeleopError
from vitra_teleop.wire import decode


class StreamReplay:
    """Plays a file of wire messages in its own time.

    Args:
        file: JSON lines.
        clock: ROS time, seconds.
        speed: 2 is twice as fast.
        loop: begin again at the end.
    """

    def __init__(self, file: str, clock: Callable[[], float], speed: float = 1.0, loop: bool = False) -> None:
        self._file, self._clock, self._speed, self._loop = Path(file), clock, speed, loop
        self._frames: list[HandFrame] = []
        self._actions: list[Action] = []
        self._next = 0
        self._begin_s = 0.0

    def open(self) -> None:
        """Read the file and begin.

        Raises:
            TeleopError: no such file, or a line that is no message.
        """
        try:
            lines = self._file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise TeleopError(f"Cannot read the stream {self._file}: {error}. Give input_options:=file=...") from error
        frames = []
        for number, line in enumerate(lines, 1):
            try:
                frames.append(decode(line))
            except TeleopError as error:
                raise TeleopError(f"{self._file}, line {number}: {error}") from None
        if not frames:
            raise TeleopError(f"The stream {self._file} is empty.")
        self._frames, self._next, self._begin_s = frames, 0, self._clock()

    @property
    def is_over(self) -> bool:
        """Everything was played."""
        return self._next >= len(self._frames) and not self._loop

    def poll(self) -> HandFrame | None:
        """See `TeleopInput`."""
        if not self._frames:
            return None
        first_s, now_s = self._frames[0].stamp_s, self._clock()
        due: HandFrame | None = None
        actions: list[Action] = []
        while self._next < len(self._frames):
            frame = self._frames[self._next]
            due_s = self._begin_s + (frame.stamp_s - first_s) / self._speed
            if due_s > now_s:
                break
            due, self._next = replace(frame, stamp_s=due_s), self._next + 1
            actions += frame.actions
        if due is None and self._next >= len(self._frames) and self._loop:
            self._next, self._begin_s = 0, now_s
        self._actions += actions
        return None if due is None else replace(due, actions=())

    def poll_actions(self) -> tuple[Action, ...]:
        """See `TeleopInput`."""
        actions, self._actions = tuple(self._actions), []
        return actions

    def close(self) -> None:
        """Forget the stream."""
        self._frames = []


class StreamWriter:
    """Appends wire messages to a file.

    Args:
        path: new file.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = path.open("x", encoding="utf-8")

    def write(self, message: bytes | str) -> None:
        """One message."""
        self._file.write((message if isinstance(message, str) else message.decode()) + "\n")

    def close(self) -> None:
        """Complete the file."""
        self._file.close()
