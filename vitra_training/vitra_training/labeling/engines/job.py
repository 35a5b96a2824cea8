"""One stage on one item: what is sent to a worker, what comes back, and how a result gets its place."""

from __future__ import annotations

import contextvars
import errno
import os
import shutil
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from vitra_training.labeling.artifacts import save
from vitra_training.labeling.engines.ledger import Reason
from vitra_training.labeling.engines.stage import Inputs, Stage
from vitra_training.labeling.errors import InputError

_folder: contextvars.ContextVar[Path] = contextvars.ContextVar("labeling_output_folder")


@dataclass(frozen=True, slots=True)
class Job:
    """A stage, its inputs, and where the result goes."""

    stage: Stage
    inputs: Inputs
    output: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended."""

    job: Job
    seconds: float
    reason: Reason | None = None
    """None: it is done."""
    detail: str = ""
    disk_full: bool = False
    peak_mib: float = 0.0


def output_folder() -> Path:
    """Where the running stage may put files beside its typed result (images, videos)."""
    return _folder.get()


def perform(job: Job) -> Outcome:
    """Run a job in this process; the result appears whole under its final name or not at all."""
    partial = job.output.with_name(f".{job.output.name}.{os.getpid()}.partial")
    start = time.monotonic()
    token = _folder.set(partial)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save(job.stage.run(job.inputs, job.stage.config), partial)
        if job.output.exists():
            shutil.rmtree(job.output)
        partial.replace(job.output)
    except InputError as error:
        return Outcome(job, time.monotonic() - start, Reason.INPUT, str(error))
    except MemoryError:
        return Outcome(job, time.monotonic() - start, Reason.MEMORY, "an allocation was refused")
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return Outcome(job, time.monotonic() - start, Reason.ERROR, _short(error), disk_full=full)
    except Exception as error:  # whatever a stage or a native library raises belongs to this item alone
        return Outcome(job, time.monotonic() - start, Reason.ERROR, _short(error))
    finally:
        _folder.reset(token)
        shutil.rmtree(partial, ignore_errors=True)
    return Outcome(job, time.monotonic() - start)


def _short(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
