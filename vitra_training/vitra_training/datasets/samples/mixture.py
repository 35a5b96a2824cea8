"""Which frame comes at which place of an endless run: weighted, shuffled, and computed from the place alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

_BLOCK = 4096  # places over which shares of the data sets are exact
_ROUNDS = 4
_MASK = (1 << 64) - 1


class Schedule:
    """Maps a place (0, 1, 2, ...) to (data set, row of its frame index) without any state.

    Each data set is walked in a fresh random order every epoch of its own, each frame once; in every block of 4096
    places the data sets' shares are exact up to rounding. Since a place determines everything, resuming at the exact
    sample and splitting among ranks need only the number of the next place.

    Args:
        sizes: frames per data set.
        weights: relative frequency of a frame of each data set; the share of a data set is weight x frames.
        seed: of all orders.
    """

    def __init__(self, sizes: Sequence[int], weights: Sequence[float], seed: int) -> None:
        if not sizes or min(sizes) < 1 or len(sizes) != len(weights) or min(weights) <= 0:
            raise ValueError(f"a mixture needs non-empty data sets with positive weights, got {sizes} and {weights}")
        self._sizes, self._seed = [int(size) for size in sizes], seed
        shares = np.array(sizes, dtype=np.float64) * np.array(weights, dtype=np.float64)
        self.shares = shares / shares.sum()
        self._counts = _largest_remainder(self.shares, _BLOCK)
        self._slots = np.repeat(np.arange(len(sizes)), self._counts)  # slot of a block -> data set
        self._first = np.cumsum(self._counts) - self._counts

    def __getitem__(self, place: int) -> tuple[int, int]:
        block, within = divmod(place, _BLOCK)
        slot = permute(within, _BLOCK, _key(self._seed, "block", block))
        dataset = int(self._slots[slot])
        draw = block * int(self._counts[dataset]) + slot - int(self._first[dataset])
        return dataset, self._row(dataset, draw)

    def substitute(self, place: int, attempt: int) -> tuple[int, int]:
        """Another frame of the same data set for a place whose own frame is broken."""
        dataset, _ = self[place]
        return dataset, _key(self._seed, "substitute", place, attempt) % self._sizes[dataset]

    def _row(self, dataset: int, draw: int) -> int:
        epoch, number = divmod(draw, self._sizes[dataset])
        return permute(number, self._sizes[dataset], _key(self._seed, "epoch", dataset, epoch))


def permute(number: int, size: int, key: int) -> int:
    """Where a number goes in a pseudo-random permutation of [0, size): a Feistel network walked until it lands inside.

    Args:
        number: Which.
        size: Of the range.
        key: Of the permutation.
    """
    half = max((size - 1).bit_length() + 1, 2) // 2
    low = (1 << half) - 1
    while True:
        left, right = number >> half, number & low
        for turn in range(_ROUNDS):
            left, right = right, left ^ (_scramble(right + key + turn * 0x9E3779B97F4A7C15) & low)
        number = left << half | right
        if number < size:
            return number


def _scramble(value: int) -> int:
    """The finaliser of splitmix64."""
    value &= _MASK
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _MASK
    return value ^ (value >> 31)


def _key(*parts: object) -> int:
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "little")


def _largest_remainder(shares: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers that sum to `total` in proportion to shares, each at least 1."""
    exact = np.maximum(shares * total, 1.0)
    exact *= total / exact.sum()
    counts = np.maximum(np.floor(exact).astype(int), 1)
    for number in np.argsort(counts - exact)[: max(total - counts.sum(), 0)]:
        counts[number] += 1
    while counts.sum() > total:
        counts[np.argmax(counts)] -= 1
    return np.asarray(counts)
