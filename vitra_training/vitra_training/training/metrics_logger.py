"""What a run tells while it runs: a progress bar, metrics.jsonl, TensorBoard, and Weights & Biases where asked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vitra_training.training.config import RunConfig
from vitra_training.training.errors import TrainingConfigError

METRICS = "metrics.jsonl"


class MetricsLogger:
    """The voice of the leading process; the others have a silent one.

    Args:
        folder: of the run.
        config: what is written where.
        settings: recorded with the run.
        start: step the run goes on from; metrics after it belong to a cut-off attempt and are removed.
        silent: for all but the leading process.
    """

    def __init__(
        self, folder: Path, config: RunConfig, settings: dict[str, Any], start: int, *, silent: bool = False
    ) -> None:
        self._silent, self._console = silent, Console(stderr=True, quiet=silent)
        self._bar = Progress(
            TextColumn(config.name),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  {task.fields[rate]} samples/s"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=silent,
            transient=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("train", total=config.steps, completed=start, loss="-", rate="-")
        self._closers: list[Callable[[], object]] = []
        self._writers: list[Callable[[int, Mapping[str, float]], None]] = []
        if silent:
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._open_file(folder / METRICS, start)
        if config.tensorboard:
            self._open_tensorboard(folder / "tensorboard", start)
        if config.wandb:
            self._open_wandb(folder, config, settings, start)

    def __enter__(self) -> MetricsLogger:
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()
        for close in reversed(self._closers):
            close()

    def say(self, line: str) -> None:
        """A line for the person who watches."""
        self._console.print(line, highlight=False, soft_wrap=True)

    def advance(self, step: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=step)

    def record(self, step: int, values: Mapping[str, float]) -> None:
        """Write metrics of a step."""
        if self._silent:
            return
        shown: dict[str, Any] = {"loss": f"{values['loss']:.4f}"} if "loss" in values else {}
        if "samples_per_s" in values:
            shown["rate"] = f"{values['samples_per_s']:.1f}"
        self._bar.update(self._task, completed=step, **shown)
        for write in self._writers:
            write(step, values)

    def _open_file(self, path: Path, start: int) -> None:
        if path.exists():
            kept = [line for line in path.read_text().splitlines() if _step_of(line) <= start]
            partial = path.with_suffix(".partial")
            partial.write_text("".join(f"{line}\n" for line in kept))
            partial.replace(path)
        file = path.open("a", buffering=1)
        self._writers.append(lambda step, values: _write_line(file.write, step, values))
        self._closers.append(file.close)

    def _open_tensorboard(self, folder: Path, start: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(folder), purge_step=start + 1)

        def write(step: int, values: Mapping[str, float]) -> None:
            for name, value in values.items():
                writer.add_scalar(name, value, step)

        self._writers.append(write)
        self._closers.append(writer.close)

    def _open_wandb(self, folder: Path, config: RunConfig, settings: dict[str, Any], start: int) -> None:
        try:
            import wandb
        except ImportError as error:
            raise TrainingConfigError("--run.wandb needs the wandb package: pip install wandb.") from error
        resume = "allow" if start else None
        run = wandb.init(project=config.wandb, name=config.name, dir=str(folder), config=settings, resume=resume)
        self._writers.append(lambda step, values: run.log(dict(values), step=step))
        self._closers.append(run.finish)


def _write_line(write: Callable[[str], object], step: int, values: Mapping[str, float]) -> None:
    write(json.dumps({"step": step, **values}) + os.linesep)


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError, OverflowError):  # the line a kill cut short
        return float("inf")
