"""Our own checkpoint format: one directory of safetensors and JSON, written whole or not at all.

``model.safetensors`` (or shards with an index), ``config.json`` (format version and network), ``statistics.json``,
``tokenizer.json`` (where the network needs a file), ``provenance.json`` (where the weights come from).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitra_policy.checkpoint.errors import CheckpointExistsError, CheckpointFileError, CheckpointVersionError
from vitra_policy.checkpoint.match import check_tensors
from vitra_policy.checkpoint.stream import TensorSpec, weight_files, write_weights
from vitra_policy.checkpoint.written_together import (
    CONFIG_FILE,
    PROVENANCE_FILE,
    STATISTICS_FILE,
    STATISTICS_NOTE,
    WEIGHTS_NOTE,
    check_contents,
    check_statistics,
    check_weights,
    hashes_of,
    notes_for_weights,
    sha256_of,
)
from vitra_policy.errors import UnknownNameError
from vitra_policy.model.config import VitraConfig
from vitra_policy.model.unfilled import unfilled
from vitra_policy.model.vla import Vitra
from vitra_policy.statistics import Statistics

FORMAT = "vitra-policy-checkpoint"
VERSION = 1
TOKENIZER_FILE = "tokenizer.json"
_CONFIG_KEYS = ("format", "version", "model")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where weights come from."""

    source: str = "unknown"
    """Training run, or the file or repository that was converted."""
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    training: dict[str, Any] = field(default_factory=dict)
    """Whatever the training wants to remember: configuration, data mixture, step, metrics, code version."""
    statistics_sha256: str = ""
    """Of the statistics that belong to the weights; written with them. Empty: nobody knows."""
    weights_sha256: dict[str, str] = field(default_factory=dict)
    """Of each file of weights, by its name; written with them. Empty: nobody knows."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint directory that was read, without its weights."""

    directory: Path
    config: VitraConfig
    statistics: Statistics | None
    tokenizer_file: Path | None
    provenance: Provenance

    def load_model(self, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> Vitra:
        """Build the network in evaluation mode on weights mapped from the files.

        Args:
            device: Where the parameters live.
            dtype: Number format of the parameters; None keeps the stored one.

        Raises:
            CheckpointFileError: Weights are missing or damaged.
            CheckpointKeysError, CheckpointShapeError: They do not fit the configuration.
        """
        from safetensors import SafetensorError, safe_open

        files = weight_files(self.directory)
        if not files:
            raise CheckpointFileError(f"{self.directory} has no model.safetensors.")
        with unfilled():
            model = Vitra(self.config)
        tensors: dict[str, Tensor] = {}
        noted: dict[Path, Mapping[str, str]] = {}
        for file in files:
            try:
                with safe_open(file, framework="pt", device=str(device)) as opened:
                    noted[file] = opened.metadata() or {}
                    tensors |= {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            except (OSError, SafetensorError) as error:
                raise CheckpointFileError(f"Cannot read weights {file}: {error}. Copy the checkpoint again.") from error
        check_tensors({name: tuple(tensor.shape) for name, tensor in tensors.items()}, model, str(self.directory))
        if whole := [name for name, tensor in tensors.items() if not tensor.is_floating_point()]:
            raise CheckpointFileError(
                f"Weights in {self.directory} are no floating-point numbers: {', '.join(whole[:5])}."
            )
        for file, notes in noted.items():
            check_weights(file, notes, self.provenance.statistics_sha256)
        check_contents(files, self.provenance.weights_sha256)
        model.load_state_dict(tensors, assign=True)
        return model.to(dtype=dtype).eval()


def is_checkpoint(directory: Path | str) -> bool:
    """Whether a directory is a checkpoint of this format, of whatever version."""
    config = Path(directory) / CONFIG_FILE
    return config.is_file() and _read_json(config).get("format") == FORMAT


def open_checkpoint(directory: Path | str) -> Checkpoint:
    """Read everything but the weights of a checkpoint directory.

    Raises:
        CheckpointFileError: A file is missing or damaged.
        CheckpointVersionError: The checkpoint is of a newer format.
    """
    folder = Path(directory)
    config = _read_json(folder / CONFIG_FILE)
    if config.get("format") != FORMAT:
        raise CheckpointFileError(
            f"{folder / CONFIG_FILE} is not of a vitra-policy checkpoint. "
            "Convert a checkpoint of the reference with `vitra-policy convert`."
        )
    if config.get("version") != VERSION:
        raise CheckpointVersionError(
            f"{folder} has format version {config.get('version')}; this program reads version {VERSION}. Update it."
        )
    _check_keys(config, folder / CONFIG_FILE)
    statistics, tokenizer, provenance = (folder / name for name in (STATISTICS_FILE, TOKENIZER_FILE, PROVENANCE_FILE))
    origin = _read_provenance(provenance) if provenance.exists() else Provenance()
    check_statistics(folder, origin.statistics_sha256)
    return Checkpoint(
        directory=folder,
        config=VitraConfig.from_dict(config["model"]),
        statistics=Statistics.load(statistics, bool(origin.statistics_sha256)) if statistics.is_file() else None,
        tokenizer_file=tokenizer if tokenizer.is_file() else None,
        provenance=origin,
    )


def _check_keys(config: Mapping[str, Any], path: Path) -> None:
    for key in config:
        if key not in _CONFIG_KEYS:
            raise CheckpointFileError(f"{path}: {UnknownNameError('key', key, _CONFIG_KEYS)}")
    if "model" not in config:
        raise CheckpointFileError(f"{path} has no 'model', which is the network's sizes. Copy the checkpoint again.")


def _read_provenance(path: Path) -> Provenance:
    values = _read_json(path)
    strings = {name: values[name] for name in ("source", "created", STATISTICS_NOTE) if name in values}
    for name, value in strings.items():
        if not isinstance(value, str):
            raise CheckpointFileError(f"{path}: '{name}' is a JSON {type(value).__name__}; expected a string.")
    training, weights = values.get("training", {}), values.get(WEIGHTS_NOTE, {})
    for name, value in (("training", training), (WEIGHTS_NOTE, weights)):
        if not isinstance(value, dict):
            raise CheckpointFileError(f"{path}: '{name}' is a JSON {type(value).__name__}; expected an object.")
    return Provenance(**strings, training=training, weights_sha256=weights)


@dataclass(frozen=True, slots=True)
class About:
    """What a checkpoint holds beside the weights."""

    statistics: Statistics | None = None
    """Of the training data."""
    tokenizer_file: Path | None = None
    """tokenizer.json to copy."""
    provenance: Provenance | None = None
    """Where the weights come from."""


@dataclass(frozen=True, slots=True)
class WeightSource:
    """Where the weights are read from while they are written."""

    specs: Sequence[TensorSpec]
    """Names and shapes of the parameters."""
    read: Callable[[Sequence[str]], Mapping[str, Tensor]]
    """Returns named tensors, called once per file."""


def save_model(
    directory: Path | str,
    model: Vitra,
    about: About | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    overwrite: bool = False,
) -> Path:
    """Save a network as a checkpoint directory; see :func:`save_weights`.

    Args:
        directory: Where to; it appears only when complete.
        model: The network.
        about: Statistics, tokenizer and provenance.
        dtype: Stored number format.
        overwrite: Replace an existing checkpoint.
    """
    state: dict[str, Tensor] = model.state_dict()
    specs = [TensorSpec(name, tuple(tensor.shape)) for name, tensor in state.items()]
    weights = WeightSource(specs, lambda names: {name: state[name] for name in names})
    return save_weights(directory, model.config, weights, about, dtype=dtype, overwrite=overwrite)


def save_weights(
    directory: Path | str,
    config: VitraConfig,
    weights: WeightSource,
    about: About | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    overwrite: bool = False,
) -> Path:
    """Write a checkpoint directory atomically, streaming the weights.

    Args:
        directory: Where to; it appears only when complete.
        config: The network.
        weights: Read while they are written.
        about: Statistics, tokenizer and provenance.
        dtype: Stored number format.
        overwrite: Replace an existing checkpoint.

    Raises:
        CheckpointExistsError: The directory exists and ``overwrite`` is False.
    """
    about = about or About()
    target = Path(directory)
    if target.exists() and not overwrite:
        raise CheckpointExistsError(f"{target} exists. Choose another directory or allow overwriting it.")
    with _replaced_whole(target) as folder:
        _write_json(folder / CONFIG_FILE, {"format": FORMAT, "version": VERSION, "model": config.to_dict()})
        origin = about.provenance or Provenance()
        if about.statistics is not None:
            about.statistics.save(folder / STATISTICS_FILE)
            origin = replace(origin, statistics_sha256=sha256_of(folder / STATISTICS_FILE))
        noted = notes_for_weights(folder, origin.statistics_sha256)
        files = write_weights(folder, weights.specs, weights.read, dtype, noted=noted)
        origin = replace(origin, weights_sha256=hashes_of(files))
        _write_json(folder / PROVENANCE_FILE, asdict(origin))
        if about.tokenizer_file is not None:
            shutil.copyfile(about.tokenizer_file, folder / TOKENIZER_FILE)
    return target


@contextmanager
def _replaced_whole(target: Path) -> Iterator[Path]:
    """A directory that takes the place of ``target`` when the block succeeds and vanishes when it fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        folder.chmod(0o755)
        yield folder
        for path in folder.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        if target.exists():
            old = folder.with_suffix(".old")
            target.rename(old)
            folder.rename(target)
            shutil.rmtree(old)
        else:
            folder.rename(target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointFileError(f"Cannot read {path}: {error}. Is this a checkpoint directory?") from error
    if not isinstance(values, dict):
        raise CheckpointFileError(f"{path} holds a JSON {type(values).__name__}; expected an object.")
    return values


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1) + "\n")
