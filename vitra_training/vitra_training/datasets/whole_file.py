"""A file that appears under its name complete and on the disk, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Write into `{stem}.partial` beside a file; it takes the file's name once the disk has all of it.

    Args:
        path: The file; its folder is there.

    Raises:
        OSError: the disk refuses it; nothing of it is left, and what had the name before is as it was.
    """
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
