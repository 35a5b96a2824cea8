"""What Arrow keeps for later while tables are written and after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa


@contextmanager
def systems_pool() -> Iterator[None]:
    """Arrow takes memory from the system's own allocator meanwhile, which keeps less of what it had than Arrow's.

    Parquet's inner buffers stay with the pool that Arrow began with; only the environment could change that.
    """
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def give_memory_back() -> None:
    """Let Arrow give the system what its pool holds and nobody uses."""
    pa.default_memory_pool().release_unused()
