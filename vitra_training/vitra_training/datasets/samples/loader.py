"""Batches for training: worker processes, prefetch, exact resume, and an account of what was left out."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from vitra_training.datasets.samples.sample import Framing
from vitra_training.datasets.samples.stream import Failure, Sample, SampleKey, SampleStream, one_thread_per_process


@dataclass(frozen=True, slots=True)
class LoaderOptions:
    """How batches are made."""

    batch_size: int = 64
    """Samples per batch and process."""
    workers: int = 2
    """Worker processes; 0 loads in the training process."""
    prefetch: int = 2
    """Batches that each worker keeps ready."""
    rank: int = 0
    """This process among the training processes."""
    world_size: int = 1
    """Training processes."""
    pin_memory: bool = False
    """Page-locked memory for fast copies to a GPU."""


@dataclass(frozen=True, slots=True)
class Batch:
    """B samples as tensors."""

    images: torch.Tensor
    """(B, 224, 224, 3) uint8 RGB."""
    instructions: list[str]
    fov_rad: torch.Tensor
    """(B, 2)."""
    state: torch.Tensor
    """(B, 212) normalised."""
    state_mask: torch.Tensor
    """(B, 212) bool."""
    actions: torch.Tensor
    """(B, steps, 192) normalised."""
    action_mask: torch.Tensor
    """(B, steps, 192) bool."""
    is_robot: torch.Tensor
    """(B,) bool: losses weigh robot joints differently."""
    keys: list[SampleKey]
    framings: list[Framing]
    failures: list[Failure]

    def pin_memory(self) -> Batch:
        """Called by the data loader's pinning thread."""
        pinned: dict[str, Any] = {
            name: value.pin_memory() if isinstance(value, torch.Tensor) else value
            for name, value in ((name, getattr(self, name)) for name in self.__slots__)
        }
        return Batch(**pinned)


@dataclass(slots=True)
class LoaderReport:
    """What a loader delivered and what it had to leave out; no failure is silent."""

    samples: Counter[str] = field(default_factory=Counter)
    """Per data set."""
    framings: Counter[Framing] = field(default_factory=Counter)
    """How views came about; `no_room` counts failed augmentations."""
    causes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(data set, error class) -> samples replaced."""
    examples: dict[tuple[str, str], Failure] = field(default_factory=dict)
    """First failure of each kind."""
    left_out: dict[str, dict[str, str]] = field(default_factory=dict)
    """Data set -> episode that was not even indexed -> why."""

    def add(self, batch: Batch) -> None:
        """Include a batch."""
        self.samples.update(key.dataset for key in batch.keys)
        self.framings.update(batch.framings)
        for failure in batch.failures:
            kind = (failure.key.dataset, failure.cause)
            self.causes[kind] += 1
            self.examples.setdefault(kind, failure)

    def as_dict(self) -> dict[str, Any]:
        """For logs and JSON."""
        return {
            "samples": dict(self.samples),
            "framings": {framing.value: count for framing, count in self.framings.items()},
            "replaced": [
                {"dataset": dataset, "cause": cause, "count": count, "example": self.examples[dataset, cause].message}
                for (dataset, cause), count in sorted(self.causes.items())
            ],
            "left_out": self.left_out,
        }


class Loader:
    """Endless batches of a sample stream, starting at any place.

    Place p of the run belongs to global batch p // (batch x world); each rank takes its slice. `place` is the first
    place of the next batch: store it in a checkpoint, pass it as `start`, and the run goes on with the same samples,
    whatever the number of workers or ranks.

    Args:
        stream: where samples come from.
        options: batch size, workers, ranks.
        start: place of the first sample of the run's next global batch.
        collate: turns samples into a batch; the default gives `Batch`.
    """

    def __init__(
        self,
        stream: SampleStream,
        options: LoaderOptions,
        start: int = 0,
        collate: Callable[[Sequence[Sample]], Batch] | None = None,
    ) -> None:
        self.place, self.report = start, LoaderReport(left_out=stream.left_out)
        self._global_batch = options.batch_size * options.world_size
        self._loader = DataLoader(
            _Places(stream),
            batch_sampler=_PlaceBatches(options, start),
            num_workers=options.workers,
            prefetch_factor=options.prefetch if options.workers else None,
            collate_fn=collate or collate_samples,
            pin_memory=options.pin_memory,
            worker_init_fn=_start_worker,
            multiprocessing_context=_worker_context() if options.workers else None,
        )

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._loader:
            self.place += self._global_batch
            self.report.add(batch)
            yield batch


def collate_samples(samples: Sequence[Sample]) -> Batch:
    """Stack samples."""

    def stack(values: Sequence[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack(values))

    numbers = [sample.numbers for sample in samples]
    return Batch(
        images=stack([sample.image for sample in samples]),
        instructions=[sample.instruction for sample in samples],
        fov_rad=stack([part.fov_rad for part in numbers]),
        state=stack([part.state for part in numbers]),
        state_mask=stack([part.state_mask for part in numbers]),
        actions=stack([part.actions for part in numbers]),
        action_mask=stack([part.action_mask for part in numbers]),
        is_robot=torch.tensor([part.kind == "robot" for part in numbers]),
        keys=[sample.key for sample in samples],
        framings=[sample.framing for sample in samples],
        failures=[failure for sample in samples for failure in sample.failures],
    )


class _Places(Dataset[Sample]):
    def __init__(self, stream: SampleStream) -> None:
        self._stream = stream

    def __getitem__(self, place: int) -> Sample:
        return self._stream[place]


class _PlaceBatches(Sampler[list[int]]):
    """Places of this rank's batches, for ever."""

    def __init__(self, options: LoaderOptions, start: int) -> None:
        self._size, self._world, self._rank, self._start = (
            options.batch_size,
            options.world_size,
            options.rank,
            start,
        )

    def __iter__(self) -> Iterator[list[int]]:
        first = self._start + self._rank * self._size
        while True:
            yield list(range(first, first + self._size))
            first += self._size * self._world


def _worker_context() -> BaseContext:
    """Workers forked from a clean server that has imported everything: no copied threads, no slow start."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _start_worker(_: int) -> None:
    one_thread_per_process()
    torch.set_num_threads(1)
