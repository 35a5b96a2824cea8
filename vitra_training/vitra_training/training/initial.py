"""The network a run starts with: fresh, from a checkpoint of ours, or with a PaliGemma backbone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitra_policy.checkpoint.errors import CheckpointFileError, CheckpointShapeError
from vitra_policy.checkpoint.match import check_tensors
from vitra_policy.checkpoint.reference_keys import map_keys
from vitra_policy.checkpoint.store import Checkpoint, open_checkpoint
from vitra_policy.model.config import VitraConfig, preset
from vitra_policy.model.vla import Vitra
from vitra_training.training.config import LossConfig, ModelConfig
from vitra_training.training.errors import ForeignCheckpointError
from vitra_training.training.optimizer import is_backbone

_COGNITION_INIT_ID = 10


def build(config: ModelConfig, loss: LossConfig, seed: int, *, empty: bool = False) -> tuple[Vitra, Path | None]:
    """The network to train and the tokenizer file it reads with.

    Args:
        config: which network.
        loss: what it is trained for.
        seed: of fresh weights.
        empty: no weights and no memory for them yet (device `meta`): a run that goes on takes those it saved.

    Raises:
        ForeignCheckpointError: the initial checkpoint is of another network than `preset` or `causal` ask for.
        VitraError: a file is missing or damaged.
    """
    checkpoint = open_checkpoint(config.initial) if config.initial else None
    network = network_config(config, loss, checkpoint)
    tokenizer = config.tokenizer or (checkpoint.tokenizer_file if checkpoint else None)
    if tokenizer is None and config.paligemma and (config.paligemma / "tokenizer.json").is_file():
        tokenizer = config.paligemma / "tokenizer.json"
    torch.manual_seed(seed)
    if empty:
        with torch.device("meta"):
            vitra = Vitra(network)
    else:
        vitra = _with_weights(config, checkpoint, network)
    vitra.set_gradient_checkpointing(config.gradient_checkpointing)
    if config.compile:
        vitra.compile_layers()
    return vitra.train(), tokenizer


def _with_weights(config: ModelConfig, checkpoint: Checkpoint | None, network: VitraConfig) -> Vitra:
    if checkpoint is not None and config.initial_part == "all":
        return replace(checkpoint, config=network).load_model(dtype=torch.float32)
    vitra = Vitra(network)
    if checkpoint is not None:
        weights = checkpoint.load_model(dtype=torch.float32).state_dict()
        vitra.load_state_dict({name: w for name, w in weights.items() if is_backbone(name)}, strict=False)
    elif config.paligemma is not None:
        _load_paligemma(vitra, config.paligemma)
    return vitra


def network_config(config: ModelConfig, loss: LossConfig, checkpoint: Checkpoint | None) -> VitraConfig:
    """Sizes of the network to train.

    Args:
        config: What is asked for.
        loss: What the loss needs of the network.
        checkpoint: Where weights come from; None: none.

    Raises:
        ForeignCheckpointError: the checkpoint's differ from what is asked for.
    """
    if checkpoint is None:
        base = preset(config.preset or "3b")
        expert = base.expert if config.causal is None else replace(base.expert, causal=config.causal)
    else:
        base = expected = checkpoint.config
        if config.preset is not None:
            expected = preset(config.preset)
        expert = base.expert
        if config.initial_part == "backbone":
            expert = replace(expert, causal=True if config.causal is None else config.causal)
            expected = replace(expected, expert=expert)
        elif config.causal is not None:
            expected = replace(expected, expert=replace(expected.expert, causal=config.causal))
        found = replace(base, expert=expert, name="", clean_prefix=False).to_dict()
        asked = replace(expected, name="", clean_prefix=False).to_dict()
        differences = _differences("", found, asked)
        if differences:
            raise ForeignCheckpointError(checkpoint.directory, differences)
    return replace(base, expert=expert, clean_prefix=loss.max_prefix > 0)


def _differences(prefix: str, found: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    out: list[str] = []
    for name, value in found.items():
        if isinstance(value, dict):
            out += _differences(f"{prefix}{name}.", value, asked[name])
        elif value != asked[name]:
            out.append(f"{prefix}{name} is {value}, asked for {asked[name]}")
    return out


def _load_paligemma(vitra: Vitra, folder: Path) -> None:
    """Fill backbone and cognition token from a Hugging Face PaliGemma 2 checkpoint.

    Raises:
        CheckpointFileError, CheckpointShapeError, CheckpointKeysError: the folder holds something else.
    """
    from safetensors import SafetensorError, safe_open

    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise CheckpointFileError(f"{folder} has no *.safetensors. Download google/paligemma2-3b-mix-224 there.")
    tensors: dict[str, Tensor] = {}
    try:
        for file in files:
            with safe_open(file, framework="pt") as opened:
                tensors |= {f"backbone.{name}": opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointFileError(f"Cannot read PaliGemma weights in {folder}: {error}.") from error
    weights = {ours: tensors[theirs].float() for ours, theirs in map_keys(tensors).items()}
    embedding = weights.get("language.embedding.weight")
    if embedding is None:
        raise CheckpointFileError(f"{folder} has no word embedding; it is not a PaliGemma checkpoint.")
    rows = vitra.config.language.vocabulary
    if len(embedding) < rows:
        raise CheckpointShapeError(f"{folder}: {len(embedding)} words, the network has {rows}.")
    weights["language.embedding.weight"] = embedding[:rows]
    rest = {name: value for name, value in vitra.state_dict().items() if not is_backbone(name)}
    check_tensors({n: tuple(t.shape) for n, t in (rest | weights).items()}, vitra, str(folder))
    vitra.load_state_dict(rest | weights)
    with torch.no_grad():
        vitra.cognition_token.copy_(vitra.language.embedding.weight[_COGNITION_INIT_ID])
