"""Tells from H.264 data alone whether an image is missing before them (ITU-T H.264, 7.3.2.1.1 and 7.3.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator

_START = re.compile(rb"\x00\x00\x01")
_SLICE, _KEY_SLICE, _SEQUENCE_PARAMETERS = 1, 5, 7
_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128}
_HEAD_BYTES = 64
"""Enough for what is read of a unit."""


class Order:
    """Follows the frame numbers of a stream in which every image is a reference, as the recorder writes it."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._bits = 0

    def follows(self, data: bytes) -> bool:
        """Whether nothing is missing between the last data that followed and these; a key frame always follows."""
        for kind, unit in _units(data):
            bits = _Bits(unit)
            try:
                if kind == _SEQUENCE_PARAMETERS:
                    self._bits = _frame_number_bits(bits)
                elif kind in (_SLICE, _KEY_SLICE) and self._bits:
                    number = _frame_number(bits, self._bits)
                    expected = 0 if self._number is None else (self._number + 1) % (1 << self._bits)
                    known = kind == _KEY_SLICE or (self._number is not None and number == expected)
                    self._number = number if known else None
                    return known
            except IndexError:
                break
        self._number = None
        return False


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and first bytes, without their escapes, of every unit."""
    for start in _START.finditer(data):
        head = data[start.end() : start.end() + _HEAD_BYTES]
        if head:
            yield head[0] & 0x1F, head[1:].replace(b"\0\0\3", b"\0\0")


def _frame_number_bits(bits: _Bits) -> int:
    profile = bits.take(8)
    bits.take(16)  # constraints, level
    bits.golomb()  # id
    if profile in _HIGH_PROFILES:
        if bits.golomb() == 3:  # chroma format
            bits.take(1)
        bits.golomb(), bits.golomb(), bits.take(1)  # depths, lossless transform
        if bits.take(1):
            return 0  # scaling lists: not written by the recorder
    return 4 + bits.golomb()


def _frame_number(bits: _Bits, width: int) -> int:
    for _ in range(3):  # first macroblock, slice type, image parameters
        bits.golomb()
    return bits.take(width)


class _Bits:
    """Reads bits from the front."""

    def __init__(self, data: bytes) -> None:
        self._data, self._position = data, 0

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            byte, bit = divmod(self._position, 8)
            value = value << 1 | self._data[byte] >> (7 - bit) & 1
            self._position += 1
        return value

    def golomb(self) -> int:
        """An unsigned Exp-Golomb number."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)
