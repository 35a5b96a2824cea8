"""What a request holds: images, states, words, constants; both ways, since a server reads what a client writes."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vitra_policy.mappings.document import MappingError, Section, listed, whole
from vitra_policy.mappings.parse_part import parse_part
from vitra_policy.mappings.part import LackingInputError, Part, Situation
from vitra_policy.prompt import InstructionError, split_instruction

Image = NDArray[np.uint8]
LEAVES = ("image", "state", "text", "constant")
LARGEST_PX = 4096
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True)
class ImageField:
    """The head camera's image, or a black one for a camera that this robot has not."""

    section: Section
    source: str
    size_px: tuple[int, int] | None
    """Width and height; None: as it comes."""
    fit: str
    layout: str
    number: str

    def write(self, now: Situation) -> NDArray[Any]:
        """The image as the server wants it, (H, W, 3) or (3, H, W).

        Raises:
            LackingInputError: the observation has none.
        """
        image = now.observation.image
        if image is None:
            raise LackingInputError(f"{self.section.where('image')}: the observation has no image.")
        if self.source == "black":
            image = np.zeros_like(image)
        if self.size_px is not None:
            image = fitted(image, *self.size_px, self.fit)
        value: NDArray[Any] = image if self.number == "uint8" else image.astype(np.float32) / 255
        return np.ascontiguousarray(value.transpose(2, 0, 1) if self.layout == "chw" else value)

    def read(self, value: Any, seen: dict[str, Any], where: str) -> None:
        """The image of a request.

        Args:
            value: What the request holds there.
            seen: Filled: parts of an observation, by name.
            where: Its key, for the error.

        Raises:
            LackingInputError: it is none.
        """
        if self.source == "black":
            return
        try:
            image = np.asarray(value)
        except ValueError:  # lists of unequal length
            image = np.zeros(0)
        if image.ndim != 3:
            raise LackingInputError(
                f"'{where}' must be one image ({self.section.where('image')}), got {reprlib.repr(value)}."
                if image.dtype.kind not in "biuf" or not image.size
                else f"'{where}' must be one image ({self.section.where('image')}), got shape {image.shape}."
            )
        if image.shape[0] == 3 and image.shape[2] != 3:
            image = image.transpose(1, 2, 0)
        if image.dtype.kind == "f":
            if not (image.size and image.min() >= -_ROUNDING and image.max() <= 1 + _ROUNDING):
                raise LackingInputError(
                    f"'{where}' is an image of {image.dtype} numbers that do not all lie between 0 and 1 "
                    f"({self.section.where('image')}). Send uint8, or divide by 255."
                )
            image = np.clip(image * 255, 0, 255).astype(np.uint8)
        seen["image"] = np.ascontiguousarray(image)


@dataclass(frozen=True, slots=True)
class StateField:
    """Numbers of what is measured."""

    section: Section
    parts: tuple[Part, ...]

    @property
    def width(self) -> int:
        """How many numbers."""
        return sum(part.width for part in self.parts)

    def write(self, now: Situation) -> NDArray[Any]:
        """(width,) float32."""
        return np.concatenate([part.measure(now) for part in self.parts]).astype(np.float32)

    def read(self, value: Any, seen: dict[str, Any], where: str) -> None:
        """The state of a request.

        Args:
            value: What the request holds there.
            seen: Filled: parts of an observation, by name.
            where: Its key, for the error.

        Raises:
            LackingInputError: another width, no numbers, or what no joint can be at.
        """
        try:
            numbers = np.asarray(value, dtype=np.float64).reshape(-1)
        except (TypeError, ValueError, OverflowError):
            raise LackingInputError(
                f"'{where}' must be {self.width} numbers ({self.section.where('state')}), got {reprlib.repr(value)}."
            ) from None
        if numbers.shape != (self.width,):
            raise LackingInputError(
                f"'{where}' has {numbers.size} numbers, {self.section.where('state')} says {self.width}."
            )
        begin = 0
        for part in self.parts:
            part.believe(numbers[begin : begin + part.width], seen["state"])
            begin += part.width


@dataclass(frozen=True, slots=True)
class TextField:
    """The instruction: in plain words, or as our prompt with a sentence per hand."""

    section: Section
    form: str

    def write(self, now: Situation) -> str:
        """The words."""
        return now.observation.instruction if self.form == "prompt" else plain_words(now.observation.instruction)

    def read(self, value: Any, seen: dict[str, Any], where: str) -> None:
        """The words of a request.

        Args:
            value: What the request holds there.
            seen: Filled: parts of an observation, by name.
            where: Its key, for the error.

        Raises:
            LackingInputError: it is none.
        """
        if not isinstance(value, str | bytes):
            raise LackingInputError(
                f"'{where}' must be words ({self.section.where('text')}), got {type(value).__name__}."
            )
        seen["text"] = value.decode(errors="replace") if isinstance(value, bytes) else value


@dataclass(frozen=True, slots=True)
class ConstantField:
    """Always the same."""

    section: Section
    value: Any

    def write(self, now: Situation) -> Any:
        """The value."""
        return np.asarray(self.value) if isinstance(self.value, list) else self.value

    def read(self, value: Any, seen: dict[str, Any], where: str) -> None:
        """Nothing to learn.

        Args:
            value: What the request holds there.
            seen: Left as it is.
            where: Its key.
        """


Field: TypeAlias = ImageField | StateField | TextField | ConstantField
Tree: TypeAlias = dict[str, "Field | Tree"]


def parse_tree(section: Section) -> Tree:
    """The request of a mapping; a map with one of the words `LEAVES` is a field, every other one a map in the message.

    Raises:
        MappingError: names the line.
    """
    tree: Tree = {}
    for key, value in tuple(section.data.items()):
        if not isinstance(value, dict):
            raise MappingError(f"{section.where(key)}: '{key}' must be a map, e.g. {{image: head}}.")
        if not value:
            raise MappingError(f"{section.where(key)}: '{key}' is empty; it must say one of {', '.join(LEAVES)}.")
        inner = section.section(key)
        words = [word for word in LEAVES if word in value and not isinstance(value[word], dict)]
        tree[key] = _field(inner, words[0]) if words else parse_tree(inner)
    return tree


def plain_words(instruction: str) -> str:
    """What to do, without saying which hand: of a sentence per hand, those that are not idle."""
    try:
        words = [text for text in split_instruction(instruction) if text]
    except InstructionError:
        return instruction
    return " ".join(words)


def fitted(image: Image, width_px: int, height_px: int, fit: str) -> Image:
    """An image (H, W, 3) brought to a size: `pad` keeps all and adds black, `crop` fills, `stretch` distorts.

    Args:
        image: (H, W, 3).
        width_px: Wanted.
        height_px: Wanted.
        fit: `pad`, `crop` or `stretch`.
    """
    import cv2

    height, width = image.shape[:2]
    if fit == "stretch":
        scaled = (width_px, height_px)
    else:
        choose = min if fit == "pad" else max
        scale = choose(width_px / width, height_px / height)
        scaled = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scaled[0] < width else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(image, scaled, interpolation=method), dtype=np.uint8)
    if fit == "stretch":
        return resized
    if fit == "crop":
        x, y = (scaled[0] - width_px) // 2, (scaled[1] - height_px) // 2
        return np.ascontiguousarray(resized[y : y + height_px, x : x + width_px])
    canvas = np.zeros((height_px, width_px, 3), dtype=np.uint8)
    x, y = (width_px - scaled[0]) // 2, (height_px - scaled[1]) // 2
    canvas[y : y + scaled[1], x : x + scaled[0]] = resized
    return canvas


def _field(section: Section, word: str) -> Field:
    field: Field
    if word == "image":
        field = ImageField(
            section,
            section.choice("image", ("head", "black")),
            section.take("size", _size, ()) or None,  # type: ignore[arg-type]
            section.choice("fit", ("pad", "crop", "stretch"), "pad"),
            section.choice("layout", ("hwc", "chw"), "hwc"),
            section.choice("type", ("uint8", "float"), "uint8"),
        )
    elif word == "state":
        field = StateField(section, tuple(parse_part(part) for part in section.sections("state")))
    elif word == "text":
        field = TextField(section, section.choice("text", ("instruction", "prompt")))
    else:
        field = ConstantField(section, section.take("constant", _plain, ""))
    section.done()
    return field


def _size(value: Any) -> tuple[int, int]:
    if len(listed(value)) != 2:
        raise ValueError("it must be [width, height]")
    width, height = (whole(number) for number in value)
    if not (0 < width <= LARGEST_PX and 0 < height <= LARGEST_PX):
        raise ValueError(f"width and height must lie between 1 and {LARGEST_PX}")
    return width, height


def _plain(value: Any) -> Any:
    """A constant that can travel."""
    if value is not None and np.asarray(value).dtype.kind not in "biufSU":
        raise ValueError("it must be a number, words, true, false, or a list of one of these")
    return value
