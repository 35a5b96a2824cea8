"""Data sets: every format that is read or written, and what their numbers promise."""

import os

# Before Arrow is imported: its own pool keeps what it once had, 40 MB after half an hour of an episode.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
