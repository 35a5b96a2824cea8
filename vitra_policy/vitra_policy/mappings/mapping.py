"""A mapping: the requests that a foreign server gets, and the chunk that its answer becomes.

mapping = load_mapping("openpi-droid")          # one of ours, or a path ending in .yaml
message = mapping.request(Situation(observation, mapping.step_s, robot))
chunk = mapping.chunk(answer, situation)
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping as Map
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import ACTION_DIM, FINGERS, HAND, SIDES, STEPS, WRIST, Side
from vitra_policy.errors import UnknownNameError
from vitra_policy.mappings.document import MappingError, Section, finite, listed, read_document, whole, word
from vitra_policy.mappings.fields import Field, ImageField, StateField, Tree, parse_tree
from vitra_policy.mappings.parse_part import parse_part
from vitra_policy.mappings.part import AnswerRefusedError, Part, Plan, Situation
from vitra_policy.mappings.parts import ArmJoints, Ignored, OwnHands
from vitra_policy.mappings.wrist import Wrist
from vitra_policy.policies.policy import ActionChunk
from vitra_policy.transforms import delta_wrist

Array = NDArray[np.float64]
_LONGEST = 512
_LONGEST_NAME = 100
_WIDEST_DEG = 175.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer must be."""

    section: Section
    key: str
    horizon: int
    """Rows; 0: as many as come."""
    step_s: float
    parts: tuple[Part, ...]

    @property
    def width(self) -> int:
        """Columns."""
        return sum(part.width for part in self.parts)

    @property
    def ignored(self) -> NDArray[np.bool_]:
        """(width,) columns that mean nothing to us; an answer of ours has zeros there."""
        return np.concatenate([np.full(part.width, isinstance(part, Ignored)) for part in self.parts])


@dataclass(frozen=True, slots=True)
class Mapping:
    """One foreign server's terms."""

    name: str
    section: Section
    tree: Tree
    answer: Answer
    expect: Map[str, Any]
    """What the server must say of itself, where it says it."""
    fov_deg: tuple[float, float] | None
    """Of the client's camera, for a server of ours that is asked in these terms."""

    @property
    def step_s(self) -> float:
        """Duration of a step."""
        return self.answer.step_s

    @property
    def steps(self) -> int:
        """Rows of an answer, or what is usual."""
        return self.answer.horizon or STEPS

    @property
    def sides(self) -> tuple[Side, ...]:
        """Hands that an answer moves."""
        return tuple(side for side in SIDES if any(side in part.sides for part in self.answer.parts))

    @property
    def needs_image(self) -> bool:
        """Whether a request holds an image."""
        return any(isinstance(field, ImageField) for _, field in leaves(self.tree))

    @property
    def needs_robot(self) -> bool:
        """Whether it takes the robot's kinematics."""
        parts = [*self.answer.parts]
        for _, field in leaves(self.tree):
            parts += field.parts if isinstance(field, StateField) else ()
        return any(
            isinstance(part, ArmJoints) or (isinstance(part, Wrist) and part.frame == "arm_base") for part in parts
        )

    def check_metadata(self, metadata: Map[str, Any]) -> None:
        """Whether the server says of itself what the mapping expects.

        Raises:
            AnswerRefusedError: names the line.
        """
        for key, value in self.expect.items():
            if key in metadata and not _same(metadata[key], value):
                where = Section({}, ("expect",), self.section.lines, self.section.file).where(key)
                raise AnswerRefusedError(
                    f"{where}: the server says {key} = {reprlib.repr(metadata[key])}, expected is {value!r}."
                )

    def request(self, now: Situation) -> dict[str, Any]:
        """The message for an observation.

        Raises:
            LackingInputError: the observation lacks something.
        """
        return _write(self.tree, now)

    def chunk(self, message: Map[str, Any], now: Situation) -> ActionChunk:
        """The chunk of an answer.

        Raises:
            AnswerRefusedError: it is not what the mapping says; the message names the line.
        """
        rows = self._rows(message)
        plan, begin = Plan(), 0
        for part in self.answer.parts:
            part.decode(rows[:, begin : begin + part.width], now, plan)
            begin += part.width
        observed, actions = now.observation.state, np.zeros((len(rows), ACTION_DIM))
        if plan.own is not None:
            actions = plan.own.copy()
        for side in SIDES:
            hand = actions[:, HAND[side]]
            if side in plan.wrists:
                hand[:, WRIST] = delta_wrist(np.concatenate([now.wrist(side)[None], plan.wrists[side]]))
            if plan.own is None:
                hand[:, FINGERS] = plan.fingers.get(side, observed[HAND[side]][FINGERS])
        moved = np.array([side in self.sides for side in SIDES])
        return ActionChunk(
            actions.astype(np.float32),
            moved & now.observation.hands & now.observation.state_valid,
            self.step_s,
            self.name,
        )

    def _rows(self, message: Map[str, Any]) -> Array:
        answer = self.answer
        if answer.key not in message:
            raise AnswerRefusedError(
                f"{answer.section.where('key')}: the answer has no '{answer.key}', it has {sorted(map(str, message))}."
            )
        value = message[answer.key]
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.ndim != 2:
            got = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
            raise AnswerRefusedError(
                f"{answer.section.where('key')}: '{answer.key}' must be numbers (horizon, width), got {got}."
            )
        if answer.horizon and len(value) != answer.horizon or not 1 <= len(value) <= _LONGEST:
            raise AnswerRefusedError(
                f"{answer.section.where('horizon')}: the answer has {len(value)} steps, expected are "
                f"{answer.horizon or f'1 to {_LONGEST}'}."
            )
        if value.shape[1] != answer.width:
            raise AnswerRefusedError(
                f"{answer.section.where('parts')}: the answer has {value.shape[1]} numbers per step, the parts "
                f"have {answer.width}."
            )
        rows = value.astype(np.float64)
        begin = 0
        for part in answer.parts:
            bad = np.argwhere(~np.isfinite(rows[:, begin : begin + part.width]))
            if len(bad):
                raise AnswerRefusedError(
                    f"{part.section.where()}: number {bad[0][1]} of this part is not finite in step {bad[0][0]}."
                )
            begin += part.width
        return rows


def leaves(tree: Tree, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Field]]:
    """All fields with the keys that lead to them."""
    found: list[tuple[tuple[str, ...], Field]] = []
    for key, value in tree.items():
        found += leaves(value, (*path, key)) if isinstance(value, dict) else [((*path, key), value)]
    return found


def mapping_names() -> list[str]:
    """Mappings that come with this package."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _folder().iterdir() if entry.name.endswith(".yaml"))


def load_mapping(name: str | Path) -> Mapping:
    """A mapping by name, or of a file.

    Raises:
        MappingError: the file cannot be used; the message names the line.
        UnknownNameError: no mapping of that name.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        if str(name) not in mapping_names():
            raise UnknownNameError("mapping", str(name), mapping_names(), "Or give a path ending in .yaml.")
        path = Path(str(_folder() / f"{name}.yaml"))
    top = read_document(path)
    tree = parse_tree(top.section("request"))
    answer = _answer(top.section("answer"))
    expect = top.section("expect").data if top.data.get("expect") is not None else {}
    fov = top.take("camera_fov_deg", _two, (0.0, 0.0))
    mapping = Mapping(top.take("name", _name, path.stem), top, tree, answer, expect, fov if any(fov) else None)
    top.done()
    return mapping


def _answer(section: Section) -> Answer:
    key, horizon = section.take("key", word, "actions"), section.take("horizon", whole, 0)
    rate_hz = section.take("rate_hz", finite)
    if not (1 <= rate_hz <= 200 and 0 <= horizon <= _LONGEST):
        raise MappingError(
            f"{section.where('rate_hz')}: rate_hz must lie between 1 and 200, horizon between 0 (any) and {_LONGEST}."
        )
    parts = tuple(parse_part(part) for part in section.sections("parts"))
    section.done()
    taken: dict[tuple[str, Side], Part] = {}
    for part in parts:
        for side in part.sides:
            kind = "wrist" if isinstance(part, ArmJoints | Wrist) else "fingers"
            for name in ("wrist", "fingers") if isinstance(part, OwnHands) else (kind,):
                if (name, side) in taken:
                    raise MappingError(f"{part.section.where()}: a second part moves the {side} {name}.")
                taken[name, side] = part
    if not taken:
        raise MappingError(f"{section.where('parts')}: no part of the answer moves anything.")
    return Answer(section, key, horizon, 1 / rate_hz, parts)


def _write(tree: Tree, now: Situation) -> dict[str, Any]:
    return {key: _write(value, now) if isinstance(value, dict) else value.write(now) for key, value in tree.items()}


def _folder() -> Any:
    return files("vitra_policy.mappings") / "files"


def _two(value: Any) -> tuple[float, float]:
    if len(listed(value)) != 2 or not all(0 < finite(number) < _WIDEST_DEG for number in value):
        raise ValueError(f"it must be [horizontal, vertical], each between 0 and {_WIDEST_DEG:g} degrees")
    first, second = (float(number) for number in value)
    return first, second


def _same(said: Any, wanted: Any) -> bool:
    """Whether a server's word is the mapping's; numpy's numbers and arrays count as plain ones."""
    plain = said.tolist() if isinstance(said, np.generic | np.ndarray) else said
    return bool(plain == wanted)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME or not value.isprintable():
        raise ValueError(f"it must be 1 to {_LONGEST_NAME} characters")
    return value
