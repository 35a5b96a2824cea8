"""Batches of a loader, with errors of its worker processes turned back into errors that a user can read."""

from __future__ import annotations

from collections.abc import Iterator

from vitra_policy.errors import VitraError
from vitra_training.datasets.samples.loader import Loader
from vitra_training.training.batch import TrainBatch


class LoaderFailedError(VitraError):
    """A worker process of the loader gave up; the message is the worker's."""


def feed(loader: Loader) -> Iterator[TrainBatch]:
    """Batches without end.

    Raises:
        LoaderFailedError: a worker failed with something else than a broken episode, which it would have replaced.
    """
    try:
        yield from loader  # type: ignore[misc]
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        last = str(error).strip().splitlines()[-1]
        raise LoaderFailedError(f"A loader process stopped: {last}") from error
