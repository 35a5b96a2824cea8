"""Runs that are killed, stopped, resumed, or fed with NaN."""

from __future__ import annotations

import errno
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from vitra_training.training.checkpoints import CheckpointFolder
from vitra_training.training.errors import (
    BrokenTrainingStateError,
    DiskFullError,
    NotFiniteTrainingError,
    ResumeMismatchError,
)
from vitra_training.training.metrics_logger import MetricsLogger
from vitra_training.training.run import train
from vitra_training.training.trainer import Trainer

Losses = Callable[[Path], dict[int, float]]


def test_a_run_killed_hard_and_resumed_gives_the_losses_and_weights_of_an_undisturbed_one(
    tiny: ModuleType, human_data: Path, runs: Path, finished_run: Path, losses_of: Losses
) -> None:
    program = [sys.executable, str(Path(tiny.__file__)), str(human_data), str(runs), "killed", "--die-at", "6"]
    assert subprocess.run(program, capture_output=True, timeout=200).returncode == -signal.SIGKILL
    assert CheckpointFolder(runs / "killed/checkpoints", 3).latest().name == "step-00000004"
    assert max(losses_of(runs / "killed")) == 6
    assert train(tiny.settings(human_data, runs, "killed")) == 0
    assert losses_of(runs / "killed") == pytest.approx(losses_of(finished_run), abs=1e-6)
    for name in ("model.safetensors", "training/weights.safetensors", "training/optimizer.safetensors"):
        resumed, undisturbed = (load_file(run / "checkpoints/latest" / name) for run in (runs / "killed", finished_run))
        assert resumed.keys() == undisturbed.keys()
        for key, value in resumed.items():
            torch.testing.assert_close(value, undisturbed[key], rtol=0, atol=1e-6)


def test_sigterm_saves_the_step_it_is_in_and_the_run_goes_on_from_there(
    tiny: ModuleType,
    human_data: Path,
    runs: Path,
    finished_run: Path,
    losses_of: Losses,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MetricsLogger, "record", MetricsLogger.record)
    tiny.die_at(3, signal.SIGTERM)
    settings = tiny.settings(human_data, runs, "stopped")
    assert train(settings) == 128 + signal.SIGTERM
    assert (runs / "stopped/checkpoints/latest").resolve().name == "step-00000003"
    monkeypatch.undo()
    assert train(settings) == 0
    assert losses_of(runs / "stopped") == pytest.approx(losses_of(finished_run), abs=1e-6)


def test_resuming_on_another_micro_batch_changes_nothing(
    tiny: ModuleType, human_data: Path, runs: Path, finished_run: Path, losses_of: Losses
) -> None:
    assert train(tiny.settings(human_data, runs, "parts", micro_batch=2)) == 0
    assert losses_of(runs / "parts") == pytest.approx(losses_of(finished_run), abs=1e-5)


def test_nan_stops_the_run_by_name_and_keeps_the_checkpoint_before_it(
    tiny: ModuleType, human_data: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimise = Trainer._optimize

    def poison(self: Trainer, batches: object) -> object:
        if self.step == 5:
            with torch.no_grad():
                next(iter(self.parameters.values()))[:] = float("nan")
        return optimise(self, batches)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "_optimize", poison)
    with pytest.raises(NotFiniteTrainingError, match=r"loss of step 6 is not finite.*step-00000004"):
        train(tiny.settings(human_data, runs, "poisoned"))
    weights = load_file(runs / "poisoned/checkpoints/latest/model.safetensors")
    assert all(value.isfinite().all() for value in weights.values())


def test_other_settings_are_not_resumed(tiny: ModuleType, human_data: Path, runs: Path, finished_run: Path) -> None:
    settings = tiny.settings(human_data, runs, "undisturbed")
    other = replace(settings, optimizer=replace(settings.optimizer, lr_expert=0.5))
    with pytest.raises(ResumeMismatchError, match=r"--optimizer.lr-expert was 0.002, now 0.5"):
        train(other)


def test_other_data_are_not_resumed(tiny: ModuleType, robot_data: Path, runs: Path, finished_run: Path) -> None:
    with pytest.raises(ResumeMismatchError, match="other contents"):
        train(tiny.settings(robot_data, runs, "undisturbed"))


@pytest.mark.parametrize(
    ("name", "says"), [("training/optimizer.safetensors", "rror"), ("model.safetensors", "not what")]
)
def test_a_damaged_training_state_is_refused_by_name(tmp_path: Path, finished_run: Path, name: str, says: str) -> None:
    """One that cannot be read, and one bit of the weights."""
    folder = CheckpointFolder(finished_run / "checkpoints", 3)
    shutil.copytree(folder.latest(), copy := tmp_path / "damaged-checkpoint")
    assert folder.load(copy)
    whole = bytearray((copy / name).read_bytes())
    whole[-3] ^= 1
    (copy / name).write_bytes(whole if name.startswith("model") else b"\x10")
    with pytest.raises(BrokenTrainingStateError, match=f"damaged-checkpoint: .*{says}"):
        folder.load(copy)


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"version": 1, "step": 4, "place": 16, "settings": 5, "data": "x"}']
)
def test_a_run_whose_newest_state_is_damaged_says_which_checkpoint_to_delete(
    tiny: ModuleType, human_data: Path, runs: Path, finished_run: Path, text: str
) -> None:
    (state := runs / "damaged/checkpoints/step-00000004/training/state.json").parent.mkdir(parents=True, exist_ok=True)
    state.write_text(text)
    with pytest.raises(BrokenTrainingStateError, match=r"step-00000004: .* Delete that checkpoint"):
        train(tiny.settings(human_data, runs, "damaged"))


def test_a_copy_that_somebody_keeps_beside_the_checkpoints_is_neither_gone_on_with_nor_deleted(
    tmp_path: Path, finished_run: Path
) -> None:
    root = tmp_path / "checkpoints"
    shutil.copytree(finished_run / "checkpoints", root, symlinks=True)
    kept = ["step-00000008.good", "step-8", "step-9000", "step-best"]
    for name in kept:
        shutil.copytree(root / "step-00000008", root / name)
    folder = CheckpointFolder(root, 1)
    assert folder.latest() == root / "step-00000012"
    folder._tidy()
    assert sorted(path.name for path in root.glob("step-*")) == sorted(["step-00000012", *kept])


def test_of_a_checkpoint_that_was_moved_to_another_disk_only_the_link_goes(tmp_path: Path, finished_run: Path) -> None:
    root = tmp_path / "checkpoints"
    shutil.copytree(finished_run / "checkpoints", root, symlinks=True)
    moved = (root / "step-00000008").rename(tmp_path / "moved")
    (root / "step-00000008").symlink_to(moved)
    CheckpointFolder(root, 1)._tidy()
    assert [path.name for path in root.glob("step-*")] == ["step-00000012"]
    assert (moved / "model.safetensors").is_file()


def test_only_the_newest_checkpoints_stay_and_nothing_half_written(finished_run: Path) -> None:
    found = sorted(path.name for path in (finished_run / "checkpoints").iterdir())
    assert found == ["latest", "step-00000004", "step-00000008", "step-00000012"]


def test_what_a_kill_left_half_written_is_not_taken_for_a_checkpoint(
    tiny: ModuleType, human_data: Path, runs: Path, finished_run: Path
) -> None:
    half = finished_run / "checkpoints/.step-00000016.partial"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    assert CheckpointFolder(finished_run / "checkpoints", 3).latest().name == "step-00000012"
    assert train(tiny.settings(human_data, runs, "undisturbed")) == 0
    assert not half.exists()


def test_a_full_disk_ends_in_a_message_and_leaves_the_last_checkpoint(
    tiny: ModuleType, human_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vitra_training.training import checkpoints

    real = checkpoints.write_weights

    def full(folder: Path, *arguments: Any, **options: Any) -> Any:
        if "00000004" in str(folder) and options.get("stem") == "optimizer":
            (folder / "optimizer.safetensors").write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(folder))
        return real(folder, *arguments, **options)

    monkeypatch.setattr(checkpoints, "write_weights", full)
    settings = tiny.settings(human_data, tmp_path, "full", steps=6, save_every=2)
    with pytest.raises(DiskFullError, match="step 4.*step-00000002"):
        train(settings)
    folder = tmp_path / "full/checkpoints"
    assert sorted(path.name for path in folder.iterdir()) == ["latest", "step-00000002"]
    monkeypatch.undo()
    assert train(settings) == 0


@pytest.mark.parametrize("command", ["train", "data"])
def test_a_full_disk_elsewhere_is_a_message_too(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from vitra_training import cli_data, cli_train

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "runs/somewhere")

    if command == "train":
        monkeypatch.setattr("vitra_training.training.check.check_runs", full)
        assert cli_train.main(["check", str(tmp_path)]) == 2
    else:
        monkeypatch.setattr(cli_data, "open_source", full)
        assert cli_data.main(["inspect", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert "No space left (runs/somewhere)" in said.out + said.err
