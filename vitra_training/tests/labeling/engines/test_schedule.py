"""Runs with items that crash, hang, eat memory or are broken; killed runs that go on."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from vitra_training.labeling.artifacts import load
from vitra_training.labeling.engines.ledger import Ledger, Status
from vitra_training.labeling.engines.local import LocalEngine
from vitra_training.labeling.engines.schedule import RunResult, Schedule
from vitra_training.labeling.engines.stage import Item, Scope, Stage
from vitra_training.labeling.engines.workspace import Workspace
from vitra_training.labeling.errors import DiskFullError

STAGES = """
import errno, os, signal, time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitra_training.labeling.artifacts import load
from vitra_training.labeling.engines.stage import WHOLE
from vitra_training.labeling.errors import UnreadableVideoError


@dataclass(frozen=True)
class Count:
    clips: int


@dataclass(frozen=True)
class Number:
    value: int
    values: np.ndarray


@dataclass(frozen=True)
class Config:
    log: str = ""
    factor: int = 1


def note(config, word):
    if config.log:
        with open(config.log, "a") as stream:
            stream.write(word + "\\n")


def cut(inputs, config):
    name = inputs.item.video
    note(config, f"cut {name}")
    if name.startswith("corrupt"):
        raise UnreadableVideoError(inputs.item.source, "no moov atom")
    return Count(2 if name.startswith("long") else 1)


def work(inputs, config):
    item = inputs.item
    note(config, f"work {item.video} {item.clip}")
    if item.video.startswith("crash") or (item.video.startswith("long_half") and item.clip == 1):
        os.kill(os.getpid(), signal.SIGSEGV)
    if item.video.startswith("hang"):
        while True:
            time.sleep(60)
    if item.video.startswith("greedy"):
        held = np.ones(1 << 28)  # 2 GiB at once: refused, however busy the machine is
    if item.video.startswith("error"):
        raise ValueError("no such thing")
    if item.video.startswith("flaky") and not Path(config.log + ".once").exists():
        Path(config.log + ".once").touch()
        os._exit(3)
    if item.video.startswith("full"):
        raise OSError(errno.ENOSPC, "No space left on device")
    return Number(config.factor * (item.clip + 1), np.arange(3))


def join(inputs, config):
    note(config, f"join {inputs.item.video}")
    parts = [load(Number, folder).value for folder in inputs.folders["work"].values()]
    return Number(sum(parts), np.array(sorted(inputs.folders["work"])))


def count(folder):
    return load(Count, folder).clips
"""


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Stages of a module that worker processes can import."""
    folder = tmp_path_factory.mktemp("stages")
    (folder / "made_up_stages.py").write_text(STAGES)
    sys.path.insert(0, str(folder))
    yield importlib.import_module("made_up_stages")
    sys.path.remove(str(folder))


def run(made_up: ModuleType, root: Path, names: list[str], workers: int = 2, factor: int = 1) -> RunResult:
    config = made_up.Config(str(root / "log.txt"), 1)
    stages = (
        Stage("cut", 1, Scope.VIDEO, (), config, made_up.cut),
        Stage("work", 1, Scope.CLIP, ("cut",), made_up.Config(config.log, factor), made_up.work, 6.0, 700),
        Stage("join", 1, Scope.VIDEO, ("cut", "work"), config, made_up.join),
    )
    root.mkdir(exist_ok=True)
    items = [Item(name, Path(f"{name}.mp4")) for name in names]
    return Schedule(stages, Workspace(root), "cut", made_up.count).run(items, LocalEngine(workers))


def lines(root: Path) -> list[str]:
    return (root / "log.txt").read_text().split("\n")[:-1]


def test_one_item_that_goes_wrong_takes_no_neighbour_along(made_up: ModuleType, tmp_path: Path) -> None:
    good = [f"good{n}" for n in range(8)]
    bad = {"crash0": "crash", "hang0": "timeout", "corrupt0": "bad input", "greedy0": "memory", "error0": "error"}
    names = good[:4] + list(bad) + good[4:]
    result = run(made_up, tmp_path / "run", names)
    assert {entry.item.video: entry.reason for entry in result.quarantined} == bad
    assert result.tallies["join"].done == len(good)
    assert all(len(entry.detail) > 10 for entry in result.quarantined)
    ledger = Ledger(tmp_path / "run" / "ledger.sqlite")
    attempts = {entry.video: entry.attempts for entry in ledger.entries() if entry.status is Status.QUARANTINED}
    assert attempts == {"crash0": 2, "hang0": 2, "corrupt0": 1, "greedy0": 2, "error0": 2}  # bad input is not retried
    assert not list((tmp_path / "run").rglob("*.partial"))


def test_a_second_run_redoes_nothing_and_remembers_what_was_put_aside(made_up: ModuleType, tmp_path: Path) -> None:
    names = ["good0", "long0", "error0", "corrupt0"]
    first = run(made_up, tmp_path / "run", names)
    before = lines(tmp_path / "run")
    second = run(made_up, tmp_path / "run", names)
    assert lines(tmp_path / "run") == before
    assert second.tallies["work"].skipped == 3
    assert second.tallies["work"].done == 0
    assert {q.item.video for q in second.quarantined} == {q.item.video for q in first.quarantined}
    assert second.outputs == first.outputs


def test_another_configuration_redoes_that_stage_and_what_follows_only(made_up: ModuleType, tmp_path: Path) -> None:
    run(made_up, tmp_path / "run", ["long0"])
    before = len(lines(tmp_path / "run"))
    result = run(made_up, tmp_path / "run", ["long0"], factor=10)
    assert sorted(lines(tmp_path / "run")[before:]) == ["join long0", "work long0 0", "work long0 1"]
    assert load(made_up.Number, result.outputs["long0"]["join"][-1]).value == 30


def test_a_video_goes_on_without_the_clip_that_failed(made_up: ModuleType, tmp_path: Path) -> None:
    result = run(made_up, tmp_path / "run", ["long_half"])
    joined = load(made_up.Number, result.outputs["long_half"]["join"][-1])
    assert joined.values.tolist() == [0]
    assert [(q.item.clip, q.reason) for q in result.quarantined] == [(1, "crash")]


def test_a_crash_that_does_not_come_again_is_made_good(made_up: ModuleType, tmp_path: Path) -> None:
    result = run(made_up, tmp_path / "run", ["flaky0", "good0"])
    assert not result.quarantined
    assert lines(tmp_path / "run").count("work flaky0 0") == 2


def test_a_full_disk_ends_the_run_and_keeps_what_is_finished(made_up: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(DiskFullError, match="make room"):
        run(made_up, tmp_path / "run", ["good0", "full0"], workers=1)
    again = run(made_up, tmp_path / "run", ["good0"], workers=1)
    assert again.tallies["work"].skipped == 1
    assert not again.quarantined


def test_a_killed_run_goes_on_where_it_was(made_up: ModuleType, tmp_path: Path) -> None:
    """The process is killed in the middle by SIGKILL; nothing is done twice that was done, nothing is lost."""
    root, names = tmp_path / "run", [f"good{n}" for n in range(6)] + ["hang1"]
    script = f"""
        import sys
        sys.path[:0] = {[str(Path(made_up.__file__).parent), str(Path(__file__).parent)]!r}
        import made_up_stages, test_schedule
        from pathlib import Path
        test_schedule.run(made_up_stages, Path({str(root)!r}), {names!r})
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)])
    log = root / "log.txt"
    while not (log.exists() and "work hang1 0" in log.read_text()):  # the test's own limit ends a wait for ever
        assert process.poll() is None
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not psutil.wait_procs(workers, timeout=20)[1], "a worker outlives its run"
    finished = {line for line in lines(root)}
    result = run(made_up, root, names[:-1])
    assert result.tallies["join"].done + result.tallies["join"].skipped == 6
    redone = [line for line in lines(root) if lines(root).count(line) > 1]
    assert set(redone) <= finished
    # At most the jobs that were in the workers' hands at that moment are done again.
    assert len(set(redone)) <= 2
