"""Keeps what a policy prints, logs or warns about out of an evaluator's sight: it goes to a sealed file."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def captured(path: Path) -> Iterator[None]:
    """While this lasts, Python's stdout, stderr, warnings and log records of this process go to a file.

    Handlers that a logger other than the root has of its own are left alone, and so is what libraries write to the
    file descriptors themselves.

    Args:
        path: appended to where there is something to say; created with mode 600.
    """
    root, said = logging.getLogger(), io.StringIO()
    before, root.handlers = root.handlers, [logging.StreamHandler(said)]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            yield
    finally:
        root.handlers = before
        if text := said.getvalue():
            append_sealed(path, text)


def append_sealed(path: Path, text: str) -> None:
    """Append to a file that only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a") as file:
        file.write(text)
