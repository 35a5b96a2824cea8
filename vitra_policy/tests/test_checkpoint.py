"""Checkpoints of our format, and everything that can be wrong with a file."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from vitra_policy import load_policy, load_reference
from vitra_policy.checkpoint import stream
from vitra_policy.checkpoint.errors import (
    CheckpointExistsError,
    CheckpointFileError,
    CheckpointKeysError,
    CheckpointShapeError,
    CheckpointVersionError,
)
from vitra_policy.checkpoint.store import About, Provenance, open_checkpoint, save_model
from vitra_policy.checkpoint.stream import TensorSpec, write_weights
from vitra_policy.errors import UnknownNameError
from vitra_policy.model.config import (
    ExpertConfig,
    LanguageConfig,
    TokenizerConfig,
    VisionConfig,
    VitraConfig,
    preset,
)
from vitra_policy.model.request import ChunkRequest
from vitra_policy.model.vla import Vitra
from vitra_policy.statistics import HandStatistics, Moments, Statistics

TINY = VitraConfig(
    name="tiny",
    vision=VisionConfig(image_size=28, width=16, layers=1, heads=2, mlp_width=32),
    language=LanguageConfig(
        vocabulary=264, width=24, layers=1, heads=2, kv_heads=1, head_dim=8, mlp_width=48, query_scalar=8.0
    ),
    expert=ExpertConfig(width=32, layers=1, heads=2),
    tokenizer=TokenizerConfig("bytes", 0, 2, 4),
)
STATISTICS = Statistics(
    "own", {"right": HandStatistics(Moments(np.zeros(61), np.ones(61)), Moments(np.zeros(51), np.ones(51)))}
)


@pytest.fixture
def model() -> Vitra:
    torch.manual_seed(0)
    return Vitra(TINY)


def test_everything_survives_saving(tmp_path: Path, model: Vitra) -> None:
    origin = Provenance(source="a test", training={"step": 12})
    save_model(tmp_path / "ckpt", model, about=About(statistics=STATISTICS, provenance=origin))
    opened = open_checkpoint(tmp_path / "ckpt")
    assert opened.config == TINY
    assert replace(opened.provenance, statistics_sha256="", weights_sha256={}) == origin
    assert opened.statistics is not None
    assert opened.statistics.present == ("right",)
    loaded = opened.load_model()
    assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in model.state_dict().items())
    assert not loaded.training


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_files_are_plain_safetensors(tmp_path: Path, model: Vitra, dtype: torch.dtype) -> None:
    from safetensors.torch import load_file

    save_model(tmp_path / "ckpt", model, dtype=dtype)
    tensors = load_file(tmp_path / "ckpt/model.safetensors")
    assert tensors.keys() == model.state_dict().keys()
    assert all(torch.equal(tensors[name], tensor.to(dtype)) for name, tensor in model.state_dict().items())


def test_large_networks_are_split_and_read_back_shard_by_shard(
    tmp_path: Path, model: Vitra, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, reads = model.state_dict(), []

    def read(names: object) -> dict[str, torch.Tensor]:
        reads.append(list(names))  # type: ignore[call-overload]
        return {name: state[name] for name in reads[-1]}

    monkeypatch.setattr(stream, "_CHUNK_ELEMENTS", 1000)
    save_model(tmp_path / "ckpt", model)
    (tmp_path / "ckpt/model.safetensors").unlink()
    specs = [TensorSpec(name, tuple(tensor.shape)) for name, tensor in state.items()]
    monkeypatch.setattr(stream, "MAX_SHARD_BYTES", 100_000)
    files = write_weights(tmp_path / "ckpt", specs, read, torch.float32)
    assert len(files) == len(reads) + 1 > 3
    assert sum(reads, []) == list(state)
    loaded = open_checkpoint(tmp_path / "ckpt").load_model().state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in state.items())


def test_an_interrupted_write_leaves_nothing_and_keeps_the_old_one(
    tmp_path: Path, model: Vitra, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(tmp_path / "ckpt", model, about=About(provenance=Provenance(source="old")))
    monkeypatch.setattr(
        "vitra_policy.checkpoint.store._write_json", lambda *_: (_ for _ in ()).throw(OSError("disk full"))
    )
    with pytest.raises(OSError, match="disk full"):
        save_model(tmp_path / "ckpt", model, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["ckpt"]
    assert open_checkpoint(tmp_path / "ckpt").provenance.source == "old"


def test_overwriting_needs_to_be_asked_for(tmp_path: Path, model: Vitra) -> None:
    save_model(tmp_path / "ckpt", model)
    with pytest.raises(CheckpointExistsError):
        save_model(tmp_path / "ckpt", model)
    save_model(tmp_path / "ckpt", model, overwrite=True, about=About(provenance=Provenance(source="new")))
    assert open_checkpoint(tmp_path / "ckpt").provenance.source == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["ckpt"]


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_damaged_checkpoints_are_named(tmp_path: Path, model: Vitra) -> None:
    folder = save_model(tmp_path / "ckpt", model)
    with pytest.raises(CheckpointFileError, match="nowhere"):
        open_checkpoint(tmp_path / "nowhere")
    edit_config(folder, version=99)
    with pytest.raises(CheckpointVersionError, match="99"):
        open_checkpoint(folder)
    edit_config(folder, version=1, format="other")
    with pytest.raises(CheckpointFileError, match="not of a vitra-policy checkpoint"):
        open_checkpoint(folder)
    edit_config(folder, format="vitra-policy-checkpoint")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointFileError, match="model.safetensors"):
        open_checkpoint(folder).load_model()
    weights.unlink()
    with pytest.raises(CheckpointFileError, match="no model.safetensors"):
        open_checkpoint(folder).load_model()


def test_statistics_that_were_not_written_with_the_weights_are_refused(tmp_path: Path, model: Vitra) -> None:
    """Sides exchanged, or numbers of another data set: nothing in them tells, and every action has another size."""
    save_model(tmp_path / "ckpt", model, about=About(statistics=STATISTICS))
    file, origin = tmp_path / "ckpt" / "statistics.json", tmp_path / "ckpt" / "provenance.json"
    Statistics("own", {"left": STATISTICS.hands["right"]}).save(file)
    with pytest.raises(CheckpointFileError, match=r"statistics\.json is not the file .* 'statistics_sha256'"):
        open_checkpoint(tmp_path / "ckpt")
    told = json.loads(origin.read_text())
    del told["statistics_sha256"]
    origin.write_text(json.dumps(told))
    assert open_checkpoint(tmp_path / "ckpt").statistics is not None, "as checkpoints of earlier versions"
    open_checkpoint(tmp_path / "ckpt").load_model()


def test_statistics_are_held_to_their_weights_also_where_the_provenance_got_lost(tmp_path: Path, model: Vitra) -> None:
    folder = save_model(tmp_path / "ckpt", model, about=About(statistics=STATISTICS))
    (folder / "provenance.json").unlink()
    open_checkpoint(folder).load_model()
    Statistics("own", {"left": STATISTICS.hands["right"]}).save(folder / "statistics.json")
    with pytest.raises(CheckpointFileError, match=r"statistics\.json is not the file .* 'statistics_sha256'"):
        open_checkpoint(folder).load_model()
    (folder / "statistics.json").unlink()
    with pytest.raises(CheckpointFileError, match=r"statistics\.json is missing"):
        open_checkpoint(folder).load_model()


@pytest.mark.parametrize(
    "exchanged", [("model.safetensors",), ("config.json",), ("statistics.json", "provenance.json")]
)
def test_weights_beside_another_configuration_or_other_statistics_are_refused(
    tmp_path: Path, exchanged: tuple[str, ...]
) -> None:
    """They fit in shape, and everything that is computed with them means something else."""
    config, right = preset("mini"), STATISTICS.hands["right"]
    other = replace(config, expert=replace(config.expert, causal=not config.expert.causal))
    save_model(tmp_path / "ckpt", Vitra(config), about=About(statistics=STATISTICS))
    save_model(tmp_path / "other", Vitra(other), about=About(statistics=Statistics("other", {"left": right})))
    assert open_checkpoint(tmp_path / "ckpt").load_model().config == config
    for name in exchanged:
        (tmp_path / "ckpt" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(
        CheckpointFileError, match=r"model\.safetensors was written with another (config|statistics)\.json"
    ):
        open_checkpoint(tmp_path / "ckpt").load_model()


def test_weights_with_one_bit_flipped_are_refused(tmp_path: Path, model: Vitra) -> None:
    """They have the right shapes and are finite; every action they give is a little off."""
    folder = save_model(tmp_path / "ckpt", model)
    file = folder / "model.safetensors"
    damaged = bytearray(file.read_bytes())
    damaged[-3] ^= 1
    file.write_bytes(damaged)
    with pytest.raises(
        CheckpointFileError, match=r"model\.safetensors in .* is not what was written: .* 'weights_sha256'"
    ):
        open_checkpoint(folder).load_model()
    origin = folder / "provenance.json"
    told = json.loads(origin.read_text())
    del told["weights_sha256"]
    origin.write_text(json.dumps(told))
    assert open_checkpoint(folder).load_model(), "as checkpoints of earlier versions, or a change that is meant"


@pytest.mark.parametrize(
    ("name", "value"), [("statistics_sha256", None), ("statistics_sha256", 5), ("source", None), ("weights_sha256", "")]
)
def test_a_provenance_that_says_nothing_readable_is_named(
    tmp_path: Path, model: Vitra, name: str, value: object
) -> None:
    origin = save_model(tmp_path / "ckpt", model, about=About(statistics=STATISTICS)) / "provenance.json"
    origin.write_text(json.dumps({name: value}))
    with pytest.raises(
        CheckpointFileError, match=f"provenance.json: '{name}' is a JSON .*; expected an? (string|object)"
    ):
        open_checkpoint(tmp_path / "ckpt")
    origin.unlink()
    origin.mkdir()
    with pytest.raises(CheckpointFileError, match=r"Cannot read .*provenance\.json"):
        open_checkpoint(tmp_path / "ckpt")


def test_statistics_that_got_lost_are_named(tmp_path: Path, model: Vitra) -> None:
    save_model(tmp_path / "ckpt", model, about=About(statistics=STATISTICS))
    (tmp_path / "ckpt" / "statistics.json").unlink()
    with pytest.raises(CheckpointFileError, match=r"statistics\.json is missing"):
        open_checkpoint(tmp_path / "ckpt")


def test_weights_that_are_whole_numbers_are_named(tmp_path: Path, model: Vitra) -> None:
    folder = save_model(tmp_path / "ckpt", model)
    weights = load_file(folder / "model.safetensors")
    name = next(iter(weights))
    save_file(weights | {name: weights[name].to(torch.int8)}, folder / "model.safetensors")
    with pytest.raises(CheckpointFileError, match=f"no floating-point numbers: {name}"):
        open_checkpoint(folder).load_model()


def test_weights_of_another_size_are_refused(tmp_path: Path, model: Vitra) -> None:
    folder = save_model(tmp_path / "ckpt", model)
    changed = TINY.to_dict()
    changed["language"]["mlp_width"] = 50
    edit_config(folder, model=changed)
    with pytest.raises(CheckpointShapeError, match=r"\(48, 24\), expected \(50, 24\)"):
        open_checkpoint(folder).load_model()
    changed["use_fov"] = False
    edit_config(folder, model=changed)
    with pytest.raises(CheckpointKeysError, match="Unexpected: fov_encoder"):
        open_checkpoint(folder).load_model()


def test_a_saved_mini_model_answers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_model(tmp_path / "mini", Vitra(preset("mini")), about=About(statistics=STATISTICS))
    policy = load_policy(tmp_path / "mini")
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    mask = np.zeros((16, 192), bool)
    mask[:, 51:102] = True
    given = {
        "image": image,
        "instruction": "Left hand: None. Right hand: Wave.",
        "fov": (1.2, 0.9),
        "action_mask": mask,
    }
    first, again = (policy.predict(ChunkRequest(**given, seed=4, steps=2, samples=2)) for _ in range(2))  # type: ignore[arg-type]
    assert first.shape == (2, 16, 192)
    np.testing.assert_array_equal(first, again)
    assert not first[..., :51].any()
    with_nan = policy.predict(
        ChunkRequest(**given, seed=4, steps=2, state=np.full(212, np.nan), state_mask=np.zeros(212, bool))
    )  # type: ignore[arg-type]
    assert np.isfinite(with_nan).all()


def test_an_unknown_mode_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="parity"):
        load_reference(tmp_path, mode="turbo")


def test_importing_the_package_imports_nothing_heavy() -> None:
    script = "import sys, vitra_policy; sys.exit(any(m in sys.modules for m in ('torch', 'numpy', 'PIL', 'scipy')))"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_network_needs_only_torch_numpy_and_safetensors() -> None:
    script = (
        "import sys\n"
        "for name in ('scipy', 'PIL', 'tokenizers', 'huggingface_hub', 'transformers', 'timm', 'torchvision'):\n"
        "    sys.modules[name] = None\n"
        "import vitra_policy.model.vla, vitra_policy.model.reference_policy, vitra_policy.checkpoint.reference\n"
        "import vitra_policy.loading, vitra_policy.hand.skeleton\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
