"""The keys of the operator's terminal, in one table that is printed, documented and obeyed.

Foot pedals are keyboards: set a pedal to one of these keys.
"""

from __future__ import annotations

from dataclasses import dataclass

from vitra_teleop.hands import Action
from vitra_teleop.jog import Preset


@dataclass(frozen=True, slots=True)
class Key:
    """One key and what it does; exactly one of the fields after `meaning` is set."""

    key: str
    meaning: str
    action: Action | None = None
    """Asks the recorder or the supervisor for something."""
    preset: Preset | None = None
    """Changes the hand."""
    move: tuple[float, float, float] | None = None
    """Moves the wrist, steps along x ahead, y left, z up."""
    turn: tuple[float, float, float] | None = None
    """Turns the wrist, steps about the same axes."""
    engage: bool = False
    """Engages or releases the clutch."""
    rearm: bool = False
    """Allows motion again after a stop."""
    leave: bool = False
    """Ends the program."""


KEYS: tuple[Key, ...] = (
    Key(" ", "engage / release the clutch (space)", engage=True),
    Key("x", "STOP the robot", action=Action.STOP),
    Key("a", "arm the robot again after a stop", rearm=True),
    Key("n", "start a new episode", action=Action.START),
    Key("\r", "save the episode (enter)", action=Action.SAVE),
    Key("k", "discard the episode", action=Action.DISCARD),
    Key("r", "discard it and record it again", action=Action.RERECORD),
    Key("1", "open the hand", preset=Preset.OPEN),
    Key("2", "pinch", preset=Preset.PINCH),
    Key("3", "fist", preset=Preset.FIST),
    Key("4", "point", preset=Preset.POINT),
    Key("w", "wrist ahead", move=(1, 0, 0)),
    Key("s", "wrist back", move=(-1, 0, 0)),
    Key("d", "wrist right", move=(0, -1, 0)),
    Key("g", "wrist left", move=(0, 1, 0)),
    Key("e", "wrist up", move=(0, 0, 1)),
    Key("c", "wrist down", move=(0, 0, -1)),
    Key("u", "turn about ahead, to the right", turn=(1, 0, 0)),
    Key("j", "turn about ahead, to the left", turn=(-1, 0, 0)),
    Key("i", "tip up", turn=(0, -1, 0)),
    Key("m", "tip down", turn=(0, 1, 0)),
    Key("o", "turn left", turn=(0, 0, 1)),
    Key("p", "turn right", turn=(0, 0, -1)),
    Key("q", "leave", leave=True),
)

BY_KEY = {key.key: key for key in KEYS} | {"\n": next(key for key in KEYS if key.key == "\r")}


STOP_KEY = next(key.key for key in KEYS if key.action is Action.STOP)


def printable(key: str) -> str:
    """A key as people write it."""
    return {" ": "space", "\r": "enter"}.get(key, key)


def key_table(markdown: bool = False) -> str:
    """The table as text, or as Markdown."""
    rows = [(printable(key.key), key.meaning) for key in KEYS]
    if markdown:
        return "\n".join(["| key | does |", "|---|---|", *(f"| `{key}` | {meaning} |" for key, meaning in rows)]) + "\n"
    return "\n".join(f"  {key:<6} {meaning}" for key, meaning in rows)
