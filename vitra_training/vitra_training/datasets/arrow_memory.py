"""What Arrow keeps for later after a table was written."""

from __future__ import annotations

import pyarrow as pa


def give_memory_back() -> None:
    """Let Arrow give the system what its pool holds and nobody uses: 40 MB after half an hour of an episode.

    Another pool (`pyarrow.set_memory_pool`) would not do: Parquet takes its own buffers from the one Arrow began with.
    """
    pa.default_memory_pool().release_unused()
