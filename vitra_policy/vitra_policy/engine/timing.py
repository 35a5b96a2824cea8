"""Where the time of one inference goes, by stage, on CPU and GPU alike."""

from __future__ import annotations

import time
from typing import Any

import torch


class StageClock:
    """Seconds per stage; on a GPU measured by events in its stream, so that nothing waits for a measurement."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._names: list[str] = []
        self._marks: list[Any] = [self._mark()]

    def end(self, stage: str) -> None:
        """The stage that ran since the last call is over."""
        self._names.append(stage)
        self._marks.append(self._mark())

    def read(self) -> dict[str, float]:
        """Seconds of every stage, in order; waits for the GPU."""
        pairs = zip(self._names, self._marks, self._marks[1:], strict=False)
        if self._cuda:
            self._marks[-1].synchronize()
            return {name: first.elapsed_time(second) * 1e-3 for name, first, second in pairs}
        return {name: second - first for name, first, second in pairs}

    def _mark(self) -> Any:
        if not self._cuda:
            return time.perf_counter()
        event: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event
