"""What a finished run leaves behind, and how the next one starts from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from vitra_policy import load_policy
from vitra_policy.action_space import Hands, action_mask
from vitra_policy.checkpoint.store import open_checkpoint
from vitra_policy.errors import UnknownNameError
from vitra_policy.model.request import ChunkRequest
from vitra_policy.model.vla import Vitra
from vitra_policy.statistics import HandKind
from vitra_training.cli_train import main
from vitra_training.datasets.convert import Format, convert
from vitra_training.datasets.errors import ForeignStatisticsError
from vitra_training.datasets.sources import open_source
from vitra_training.training.config import LossConfig, ModelConfig, OptimizerConfig, TrainConfig
from vitra_training.training.data import held_out_episodes
from vitra_training.training.errors import ForeignCheckpointError, ResumeMismatchError, TrainingConfigError
from vitra_training.training.initial import build
from vitra_training.training.presets import PRESETS
from vitra_training.training.run import train


def test_the_policy_loads_the_checkpoint_and_answers(finished_run: Path) -> None:
    policy = load_policy(finished_run / "checkpoints/latest")
    an_image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    mask = action_mask(Hands(right=True))
    chunk = policy.predict(
        ChunkRequest(
            image=an_image,
            instruction="Left hand: None. Right hand: Pick up the cup.",
            fov=[1.2, 0.9],
            action_mask=mask,
            seed=0,
        )
    )
    assert chunk.shape == (1, 16, 192)
    assert np.isfinite(chunk).all()
    assert not chunk[0][~mask].any()
    assert policy.statistics.kind is HandKind.HUMAN


def test_the_checkpoint_tells_the_engine_about_clean_prefixes_and_where_it_comes_from(finished_run: Path) -> None:
    checkpoint = open_checkpoint(finished_run / "checkpoints/latest")
    assert checkpoint.config.clean_prefix
    assert checkpoint.provenance.training["step"] == 12
    assert checkpoint.provenance.training["loss"]["max_prefix"] == 3


def test_losses_fall(tiny: ModuleType, human_data: Path, runs: Path, losses_of) -> None:  # type: ignore[no-untyped-def]
    settings = tiny.settings(human_data, runs, "falling", steps=50, save_every=50)
    optimizer = OptimizerConfig(lr_backbone=1e-3, lr_expert=1e-2, backbone_freeze_steps=5)
    plain = replace(settings.data, augment=False)
    assert train(replace(settings, optimizer=optimizer, data=plain, loss=LossConfig(repeats=4))) == 0
    losses = list(losses_of(runs / "falling").values())
    assert np.mean(losses[-10:]) < 0.95 * np.mean(losses[:10])


def test_fine_tuning_goes_from_human_weights_to_robot_joints(
    tiny: ModuleType, robot_data: Path, runs: Path, finished_run: Path
) -> None:
    settings = tiny.settings(robot_data, runs, "robot", steps=4, evaluate_samples=4)
    initial = ModelConfig(initial=finished_run / "checkpoints/latest")
    assert train(replace(settings, model=initial)) == 0
    checkpoint = open_checkpoint(runs / "robot/checkpoints/latest")
    assert checkpoint.statistics is not None
    assert checkpoint.statistics.kind is HandKind.XHAND
    result = json.loads((runs / "robot/evaluation/step-00000004.json").read_text())
    assert len(result["per_step"]["joint_deg"]) == 16
    assert (runs / "robot/evaluation/step-00000004.png").read_bytes().startswith(b"\x89PNG")


def test_evaluate_writes_errors_per_horizon_step(
    human_data: Path, runs: Path, finished_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = runs / "evaluated"
    arguments = ["evaluate", str(finished_run / "checkpoints/latest"), "--data.paths", str(human_data)]
    small = ["--samples", "4", "--batch-size", "2", "--data.workers", "0", "--device", "cpu", "--out", str(out)]
    assert main([*arguments, *small]) == 0
    result = json.loads((out / "evaluation.json").read_text())
    wrist = {"wrist_mm", "wrist_mm_still", "wrist_mm_mean", "wrist_mm_best", "wrist_deg", "wrist_deg_still"}
    assert set(result["mean"]) == wrist | {"joint_deg"}
    assert json.loads(capsys.readouterr().out)["wrist_mm"] == pytest.approx(result["mean"]["wrist_mm"])


@pytest.mark.parametrize(("option", "value"), [("--samples", "0"), ("--data.workers", "-1")])
def test_an_evaluation_of_nothing_is_refused(
    human_data: Path, finished_run: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    arguments = ["evaluate", str(finished_run / "checkpoints/latest"), "--data.paths", str(human_data)]
    assert main([*arguments, option, value, "--device", "cpu"]) == 2
    assert f"{option.removeprefix('--data.').removeprefix('--')} is {value}" in capsys.readouterr().err


def test_statistics_of_human_hands_are_refused_for_a_robot(
    tiny: ModuleType, robot_data: Path, runs: Path, finished_run: Path
) -> None:
    settings = tiny.settings(robot_data, runs, "foreign")
    given = finished_run / "checkpoints/latest/statistics.json"
    with pytest.raises(ForeignStatisticsError, match="human"):
        train(replace(settings, data=replace(settings.data, statistics=given)))


def test_initial_weights_of_another_network_are_refused_by_name(finished_run: Path) -> None:
    latest = finished_run / "checkpoints/latest"
    with pytest.raises(ForeignCheckpointError, match=r"vision.width is 16, asked for 192"):
        build(ModelConfig(preset="mini", initial=latest), LossConfig(), 0)
    with pytest.raises(ForeignCheckpointError, match=r"expert.causal is True, asked for False"):
        build(ModelConfig(initial=latest, causal=False), LossConfig(), 0)


def test_the_backbone_alone_can_be_taken_over(finished_run: Path) -> None:
    latest = finished_run / "checkpoints/latest"
    taken = open_checkpoint(latest).load_model().state_dict()
    vitra, _ = build(ModelConfig(initial=latest, initial_part="backbone", causal=False), LossConfig(), 7)
    fresh = vitra.state_dict()
    assert torch.equal(fresh["language.layers.0.gate.weight"], taken["language.layers.0.gate.weight"])
    assert not torch.equal(fresh["expert.action_in.0.weight"], taken["expert.action_in.0.weight"])
    assert not vitra.config.expert.causal


def test_a_backbone_starts_from_paligemma_weights(tiny: ModuleType, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    torch.manual_seed(0)
    source = Vitra(tiny.TINY).state_dict()
    names = {
        "language.embedding.weight": "language_model.model.embed_tokens.weight",
        "language.norm.weight": "language_model.model.norm.weight",
        "projector.": "multi_modal_projector.linear.",
        "vision.patch_embedding.": "vision_tower.vision_model.embeddings.patch_embedding.",
        "vision.position_embedding": "vision_tower.vision_model.embeddings.position_embedding.weight",
        "vision.norm.": "vision_tower.vision_model.post_layernorm.",
        ".attention.query.": ".self_attn.q_proj.",
        ".attention.key.": ".self_attn.k_proj.",
        ".attention.value.": ".self_attn.v_proj.",
        ".gate.": ".mlp.gate_proj.",
        ".up.": ".mlp.up_proj.",
        ".down.": ".mlp.down_proj.",
        ".norm_attention_in.": ".input_layernorm.",
        ".norm_attention_out.": ".post_attention_layernorm.",
        ".norm_mlp_in.": ".pre_feedforward_layernorm.",
        ".norm_mlp_out.": ".post_feedforward_layernorm.",
        ".norm1.": ".layer_norm1.",
        ".norm2.": ".layer_norm2.",
        ".fc1.": ".mlp.fc1.",
        ".fc2.": ".mlp.fc2.",
    }
    theirs = {}
    for name, value in source.items():
        if not name.startswith(("vision.", "projector.", "language.")):
            continue
        key = name
        for ours, other in names.items():
            key = key.replace(ours, other)
        out = ".self_attn.out_proj." if name.startswith("vision.") else ".self_attn.o_proj."
        key = key.replace(".attention.out.", out)
        key = key.replace("vision.layers.", "vision_tower.vision_model.encoder.layers.")
        theirs[key.replace("language.layers.", "language_model.model.layers.")] = value.clone()
    save_file(theirs, tmp_path / "model.safetensors")
    vitra, _ = build(ModelConfig(preset="tiny", paligemma=tmp_path), LossConfig(), 5)
    for name, value in vitra.state_dict().items():
        if name.startswith(("vision.", "projector.", "language.")):
            assert torch.equal(value, source[name]), name
    assert torch.equal(vitra.cognition_token, source["language.embedding.weight"][10])


def test_resume_never_does_not_touch_an_existing_run(
    tiny: ModuleType, human_data: Path, runs: Path, finished_run: Path
) -> None:
    with pytest.raises(ResumeMismatchError, match="--run.name"):
        train(tiny.settings(human_data, runs, "undisturbed", resume="never"))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["pretrain", "--config", name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "--optimizer.backbone-freeze-steps" in shown
    assert "--loss.max-prefix" in shown


def test_a_misspelt_preset_is_answered_with_a_guess(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "--config", "mini-sintetic"]) == 2
    assert "Did you mean 'mini-synthetic'" in capsys.readouterr().err


def test_impossible_settings_name_their_flags(tiny: ModuleType, human_data: Path, runs: Path) -> None:
    config: TrainConfig = tiny.settings(human_data, runs, "x", batch_size=6, ema_decay=1.5)
    with pytest.raises(TrainingConfigError, match=r"--run.batch-size 6.*4 processes.*--run.ema-decay"):
        replace(config, run=replace(config.run, micro_batch=1)).check(world_size=4)
    with pytest.raises(UnknownNameError):
        build(ModelConfig(preset="4b"), LossConfig(), 0)


@pytest.mark.parametrize(
    ("group", "values", "says"),
    [
        ("run", {"keep": -1}, r"--run.keep -1: must be at least 0"),
        ("run", {"micro_batch": 0}, r"--run.micro-batch 0: must be at least 1"),
        ("run", {"steps": 0}, r"--run.steps 0: must be at least 1"),
        ("run", {"seed": 1 << 64}, r"--run.seed: must be less than 2\^64"),
        *(
            ("run", {"name": name}, rf"--run.name '{name}': must name a folder below --run.out")
            for name in ("", ".", "..", "a/../../b", "/a")
        ),
        ("optimizer", {"lr_expert": -1.0}, r"--optimizer.lr-expert -1.0: must be at least 0"),
        ("optimizer", {"betas": (2.0, 0.9)}, r"--optimizer.betas: must both lie in"),
        ("optimizer", {"clip_norm": 0.0}, r"--optimizer.clip-norm: must be greater than 0"),
        ("loss", {"robot_wrist": -3.0}, r"--loss.robot-wrist -3.0: must be at least 0"),
        ("data", {"workers": -1, "statistics_frames": 0}, r"--data.statistics-frames 0: .*--data.workers -1: "),
    ],
)
def test_settings_that_would_delete_or_unlearn_what_was_trained_are_refused(
    tiny: ModuleType, human_data: Path, runs: Path, group: str, values: dict[str, object], says: str
) -> None:
    config: TrainConfig = tiny.settings(human_data, runs, "x")
    with pytest.raises(TrainingConfigError, match=says):
        replace(config, **{group: replace(getattr(config, group), **values)}).check()


def test_growing_data_keep_their_split() -> None:
    ids = [f"episode{number}" for number in range(400)]
    before, after = held_out_episodes(ids[:200], 0.1), held_out_episodes(ids, 0.1)
    assert (before[:200] == after[:200]).mean() > 0.99
    assert 0.05 < after.mean() < 0.15
    assert not held_out_episodes(ids, 0.0).any()
    assert held_out_episodes(["a", "b"], 0.01).sum() == 1


def test_egosmiths_shards_train_two_steps(tiny: ModuleType, human_data: Path, runs: Path, tmp_path: Path) -> None:
    """Out as EgoSteer's WebDataset, in again through the canonical store, and two steps on it."""
    assert not convert(open_source(human_data), tmp_path / "shards", Format.EGOSMITH).failed
    assert not convert(open_source(tmp_path / "shards"), tmp_path / "store", Format.CANONICAL).failed
    assert train(tiny.settings(tmp_path / "store", runs, "egosmith", steps=2, evaluate_samples=2)) == 0
    assert open_checkpoint(runs / "egosmith/checkpoints/latest").statistics is not None
