"""Reading checkpoints of the published reference: a run directory, a single .pt file, or a Hub repository."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitra_policy.checkpoint.errors import CheckpointFileError, UnsupportedReferenceError
from vitra_policy.checkpoint.hub import cached_hub_file, download_repository, is_hub_id
from vitra_policy.checkpoint.match import check_tensors
from vitra_policy.checkpoint.reference_keys import map_keys
from vitra_policy.checkpoint.store import About, Provenance, WeightSource, save_weights
from vitra_policy.checkpoint.stream import TensorSpec
from vitra_policy.model.config import (
    LanguageConfig,
    TokenizerConfig,
    VisionConfig,
    VitraConfig,
    expert_config,
)
from vitra_policy.model.unfilled import unfilled
from vitra_policy.model.vla import Vitra
from vitra_policy.statistics import Statistics

_PARENTS_SEARCHED = 3
_CONFIGS = ("config.json", "configs/config.json")
_STATISTICS = ("dataset_statistics.json", "statistics/dataset_statistics.json", "statistics/*statistics*.json")
_WEIGHTS = ("weights.pt", "checkpoints/*.ckpt/weights.pt", "*.ckpt/weights.pt", "checkpoints/*.pt", "*.pt")


@dataclass(frozen=True, slots=True)
class ReferenceRun:
    """The files of one reference checkpoint."""

    weights_file: Path
    config: VitraConfig
    statistics_file: Path | None
    tokenizer_file: Path | None

    @property
    def statistics(self) -> Statistics | None:
        """Dataset statistics, if the run has them."""
        return None if self.statistics_file is None else Statistics.load(self.statistics_file)

    def load_model(self) -> Vitra:
        """Build the network in evaluation mode on weights mapped from the file, as they are stored.

        Raises:
            CheckpointFileError: The file is not a flat dictionary of tensors.
            CheckpointKeysError, CheckpointShapeError: The tensors do not fit the configuration.
        """
        with unfilled():
            model = Vitra(self.config)
        tensors = _open_weights(self.weights_file)
        names = map_keys(tensors)
        check_tensors({name: tuple(tensors[key].shape) for name, key in names.items()}, model, str(self.weights_file))
        model.load_state_dict({name: tensors[key] for name, key in names.items()}, assign=True)
        return model.eval()


def find_reference(source: Path | str, tokenizer: Path | str | None = None) -> ReferenceRun:
    """Find the files of a reference checkpoint.

    Args:
        source: A run directory (``config.json``, ``checkpoints/epoch=..ckpt/weights.pt``; the latest step is taken),
            one ``.ckpt`` directory, one ``.pt`` file, or a Hub repository ``owner/name``. A lone ``.pt`` without a
            ``config.json`` near it is taken for the published 3B network.
        tokenizer: tokenizer.json, where the run does not bring one.

    Raises:
        CheckpointFileError: Nothing there, or no weights in it.
        HubError: The repository could not be downloaded.
        UnsupportedReferenceError: A setting of the reference that never worked.
    """
    from_hub = not Path(source).exists() and is_hub_id(str(source))
    path = download_repository(str(source)) if from_hub else Path(source)
    weights = _find_weights(path)
    folders = list(dict.fromkeys([*([path] if path.is_dir() else []), *list(weights.parents)[:_PARENTS_SEARCHED]]))
    config_file = _first(folders, _CONFIGS)
    raw = {} if config_file is None else _read_json(config_file)
    _demand_object(raw, "vlm", str(config_file))
    base = str(raw.get("vlm", {}).get("pretrained_model_name_or_path", "google/paligemma2-3b-mix-224"))
    vlm_folders = [folder / base for folder in folders] + folders
    vlm_file = next((f for f in (folder / base / "config.json" for folder in folders) if f.is_file()), None)
    tokenizer_file = Path(tokenizer) if tokenizer is not None else _first(vlm_folders, ("tokenizer.json",))
    if tokenizer_file is None and is_hub_id(base):
        tokenizer_file = cached_hub_file(base, "tokenizer.json", download=from_hub)
    return ReferenceRun(
        weights_file=weights,
        config=network_config(raw, {} if vlm_file is None else _read_json(vlm_file)),
        statistics_file=_first(folders, _STATISTICS),
        tokenizer_file=tokenizer_file,
    )


def network_config(run: Mapping[str, Any], vlm: Mapping[str, Any]) -> VitraConfig:
    """Our configuration for the reference's ``config.json`` and, where present, its PaliGemma ``config.json``.

    ``action_model.hidden_size`` of the reference is unused there and here; the expert's name decides.

    Raises:
        UnsupportedReferenceError: The state is fed to the language model, which the reference cannot run either.
        UnknownNameError: Unknown expert size.
    """
    for name in ("action_model", "state_encoder", "vlm", "train_dataset"):
        _demand_object(run, name, "config.json")
    for name in ("text_config", "vision_config"):
        _demand_object(vlm, name, "PaliGemma config.json")
    _demand_known_actions(run.get("train_dataset", {}))
    use_state = run.get("use_state", "DiT")
    if use_state not in ("DiT", None, False):
        raise UnsupportedReferenceError(
            f"use_state is '{use_state}' in the checkpoint's config.json; only 'DiT' works."
        )
    action, text, vision = run.get("action_model", {}), vlm.get("text_config", {}), vlm.get("vision_config", {})
    expert = expert_config(str(action.get("model_type", "DiT-B")), use_state=bool(use_state))
    expert = replace(
        expert,
        steps=run.get("fwd_pred_next_n", expert.steps),
        action_dim=action.get("action_dim", expert.action_dim),
        state_dim=run.get("state_encoder", {}).get("state_dim", expert.state_dim),
    )
    return VitraConfig(
        name=str(run.get("vla_name", "reference")),
        vision=_renamed(VisionConfig(), vision, _VISION_FIELDS),
        language=_renamed(LanguageConfig(), text, _LANGUAGE_FIELDS),
        expert=expert,
        tokenizer=_renamed(TokenizerConfig(), vlm, _TOKENIZER_FIELDS),
        use_fov=bool(run.get("use_fov", True)),
    )


_ACTIONS = {"action_type": ("angle",), "use_rel": (False,), "rel_mode": ("step",)}
"""What the numbers of a chunk mean is not written in the weights; all else than this would drive a robot wrongly."""


def _demand_known_actions(training: Mapping[str, Any]) -> None:
    for name, allowed in _ACTIONS.items():
        if name in training and training[name] not in allowed:
            raise UnsupportedReferenceError(
                f"train_dataset.{name} is {training[name]!r} in the checkpoint's config.json; actions are read as "
                f"{allowed[0]!r} only (wrist deltas per step, absolute finger angles), so its chunks would mean "
                "something else. Train with the published setting."
            )


def _demand_object(values: Mapping[str, Any], name: str, where: str) -> None:
    if not isinstance(values.get(name, {}), dict):
        raise CheckpointFileError(f"'{name}' of {where} is {values[name]!r}; expected an object.")


def convert_reference(
    source: Path | str,
    target: Path | str,
    *,
    tokenizer: Path | str | None = None,
    dtype: torch.dtype = torch.float32,
    overwrite: bool = False,
) -> Path:
    """Convert a reference checkpoint to our format, streaming: memory stays at one shard whatever the size.

    Args:
        source: See :func:`find_reference`.
        target: Directory to write.
        tokenizer: tokenizer.json, where the run does not bring one.
        dtype: Stored number format.
        overwrite: Replace an existing directory.

    Raises:
        CheckpointFileError, CheckpointKeysError, CheckpointShapeError: The source is damaged or of another network.
        CheckpointExistsError: ``target`` exists.
    """
    run = find_reference(source, tokenizer)
    tensors = _open_weights(run.weights_file)
    names = map_keys(tensors)
    shapes = {name: tuple(tensors[key].shape) for name, key in names.items()}
    del tensors
    with unfilled():
        check_tensors(shapes, Vitra(run.config), str(run.weights_file))

    def read(wanted: Sequence[str]) -> dict[str, Tensor]:
        # Mapped anew for every shard: pages that were read go back when the previous mapping is dropped.
        opened = _open_weights(run.weights_file)
        return {name: opened[names[name]] for name in wanted}

    return save_weights(
        target,
        run.config,
        dtype=dtype,
        overwrite=overwrite,
        about=About(
            statistics=run.statistics,
            tokenizer_file=run.tokenizer_file,
            provenance=Provenance(source=f"converted from the reference checkpoint {source}"),
        ),
        weights=WeightSource(specs=[TensorSpec(name, shape) for name, shape in shapes.items()], read=read),
    )


_VISION_FIELDS = {
    "image_size": "image_size",
    "patch_size": "patch_size",
    "hidden_size": "width",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
    "intermediate_size": "mlp_width",
    "layer_norm_eps": "norm_eps",
}
_LANGUAGE_FIELDS = {
    "vocab_size": "vocabulary",
    "hidden_size": "width",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
    "num_key_value_heads": "kv_heads",
    "head_dim": "head_dim",
    "intermediate_size": "mlp_width",
    "query_pre_attn_scalar": "query_scalar",
    "attn_logit_softcapping": "softcap",
    "rope_theta": "rope_theta",
    "rms_norm_eps": "norm_eps",
}
_TOKENIZER_FIELDS = {"image_token_index": "image_id", "bos_token_id": "bos_id", "pad_token_id": "pad_id"}


def _renamed(defaults: Any, values: Mapping[str, Any], fields: Mapping[str, str]) -> Any:
    return replace(defaults, **{ours: values[theirs] for theirs, ours in fields.items() if theirs in values})


def _open_weights(path: Path) -> dict[str, Tensor]:
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointFileError(
            f"{path} is not a readable weights file: {error}. Download or copy it again."
        ) from error
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise CheckpointFileError(f"{path} is not a flat dictionary of tensors, which the reference's weights.pt is.")
    return tensors


def _find_weights(path: Path) -> Path:
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(4)
        if not start.startswith((b"PK", b"\x80")):  # a zip of tensors, or the pickle of old
            raise CheckpointFileError(
                f"{path} is no checkpoint: it does not begin as a weights file does. Give a run directory, its "
                "weights.pt, or the directory of a checkpoint of ours."
            )
        return path
    if not path.is_dir():
        raise CheckpointFileError(f"No checkpoint at {path}. Give a run directory, a .pt file or a Hub repository.")
    for pattern in _WEIGHTS:
        found = [file for file in path.glob(pattern) if file.name != "optimizer.pt"]
        if found:
            return max(found, key=lambda file: (_step(file), file.name))
    raise CheckpointFileError(f"No weights in {path}; looked for {', '.join(_WEIGHTS)}.")


def _step(weights: Path) -> int:
    meta = weights.with_name("meta.json")
    step = _read_json(meta).get("global_step", 0) if meta.is_file() else 0
    return step if isinstance(step, int) else 0


def _first(folders: Sequence[Path], patterns: Sequence[str]) -> Path | None:
    return next((f for folder in folders for pattern in patterns for f in sorted(folder.glob(pattern))), None)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointFileError(f"Cannot read {path}: {error}.") from error
    if not isinstance(values, dict):
        raise CheckpointFileError(f"{path} holds a JSON {type(values).__name__}; expected an object.")
    return values
