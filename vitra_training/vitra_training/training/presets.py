"""Named starting points of the command line: the paper's runs, runs for a CPU, and the paper's baselines in small."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vitra_policy.errors import UnknownNameError
from vitra_training.training.config import (
    DataConfig,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    RunConfig,
    SourceFormat,
    Synthetic,
    TrainConfig,
)

_DATA, _RUNS = Path("runs/data"), Path("runs/train")

_PAPER_PRETRAIN = TrainConfig(
    config="paper-pretrain",
    model=ModelConfig(preset="3b"),
    run=RunConfig(name="paper-pretrain", steps=100_000, batch_size=512, save_every=2000, evaluate_every=2000),
)
_PAPER_FINETUNE = TrainConfig(
    config="paper-finetune",
    optimizer=OptimizerConfig(lr_backbone=1e-5, lr_expert=1e-5, backbone_freeze_steps=0, betas=(0.9, 0.95)),
    loss=LossConfig(repeats=2, max_prefix=4),
    run=RunConfig(name="paper-finetune", steps=10_000, batch_size=256, save_every=500, evaluate_every=500),
)

_MINI_RUN = RunConfig(
    batch_size=16,
    precision="fp32",
    save_every=100,
    log_every=1,
    evaluate_first=True,
    evaluate_samples=64,
    evaluate_guidance=1.0,
    keep=2,
)
_MINI_SYNTHETIC = TrainConfig(
    config="mini-synthetic",
    data=DataConfig(
        paths=(_DATA / "synthetic-human",),
        synthetic=Synthetic.HUMAN,
        synthetic_episodes=200,
        statistics_frames=8,
        holdout=0.05,
        workers=1,
    ),
    model=ModelConfig(preset="mini", gradient_checkpointing=False),
    optimizer=OptimizerConfig(lr_backbone=3e-4, lr_expert=1e-3, warmup_steps=20, backbone_freeze_steps=20),
    loss=LossConfig(repeats=4),
    run=replace(_MINI_RUN, name="mini-synthetic", steps=300),
)
_MINI_FINETUNE = TrainConfig(
    config="mini-finetune",
    data=replace(
        _MINI_SYNTHETIC.data,
        paths=(_DATA / "synthetic-robot",),
        synthetic=Synthetic.ROBOT,
        synthetic_episodes=40,
        holdout=0.1,
    ),
    model=ModelConfig(initial=_RUNS / "mini-synthetic/checkpoints/latest", gradient_checkpointing=False),
    optimizer=OptimizerConfig(lr_backbone=1e-4, lr_expert=5e-4, backbone_freeze_steps=0, betas=(0.9, 0.95)),
    loss=LossConfig(repeats=2, max_prefix=4),
    run=replace(_MINI_RUN, name="mini-finetune", steps=150),
)
_SMOKE = replace(
    _MINI_SYNTHETIC,
    config="smoke",
    data=replace(_MINI_SYNTHETIC.data, paths=(_DATA / "smoke",), synthetic_episodes=4, statistics_frames=2, workers=0),
    run=replace(_MINI_RUN, name="smoke", steps=4, batch_size=4, save_every=2, log_every=1, evaluate_samples=4),
)


def _baseline(name: str, of: TrainConfig = _MINI_SYNTHETIC, steps: int | None = None) -> TrainConfig:
    run = replace(of.run, name=name, steps=steps or of.run.steps)
    return replace(of, config=name, run=run)


def _data(of: TrainConfig, name: str, synthetic: Synthetic, format: SourceFormat) -> TrainConfig:
    path = _DATA / f"synthetic-{name}"
    data = replace(of.data, paths=(path,), synthetic=synthetic, synthetic_episodes=60, format=format)
    return replace(of, data=data)


def _baselines() -> dict[str, TrainConfig]:
    """The paper's comparisons; each is pretrained like `mini-synthetic` and fine-tuned like `mini-finetune`."""
    scratch = _baseline("mini-no-pretrain", _MINI_FINETUNE)
    bidirectional = _baseline("mini-bidirectional")
    plain = _baseline("mini-no-augmentation")
    coarse = _baseline("mini-annotations")
    latent = _baseline("mini-latent")
    return {
        "mini-no-pretrain": replace(scratch, model=replace(_MINI_SYNTHETIC.model, preset="mini")),
        "mini-bidirectional": replace(bidirectional, model=replace(bidirectional.model, causal=False)),
        "mini-no-augmentation": replace(plain, data=replace(plain.data, augment=False)),
        "mini-annotations": replace(
            coarse, data=replace(coarse.data, annotations=_DATA / "synthetic-human/annotations.json")
        ),
        "mini-egodex": _data(_baseline("mini-egodex"), "egodex", Synthetic.EGODEX, SourceFormat.EGODEX),
        "mini-latent": replace(
            latent, data=replace(latent.data, augment=False, latents=_RUNS / "mini-latent/latent_actions.safetensors")
        ),
        "mini-oxe": _data(_baseline("mini-oxe"), "gripper", Synthetic.GRIPPER, SourceFormat.GRIPPER),
    }


PRESETS: dict[str, TrainConfig] = {
    preset.config: preset for preset in (_PAPER_PRETRAIN, _PAPER_FINETUNE, _MINI_SYNTHETIC, _MINI_FINETUNE, _SMOKE)
} | _baselines()


def find_preset(name: str) -> TrainConfig:
    """A preset by name.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name not in PRESETS:
        raise UnknownNameError("training config", name, PRESETS)
    return PRESETS[name]
