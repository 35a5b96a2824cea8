"""The fast engine answers like the parity policy, keeps committed prefixes, and says where its time goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vitra_policy import load_policy, load_reference
from vitra_policy.action_space import Hands, ShapeMismatchError, action_mask, state_mask
from vitra_policy.benchmarks.bench_gpu import TINY
from vitra_policy.benchmarks.random_network import example_statistics, random_network
from vitra_policy.checkpoint.store import About, save_model
from vitra_policy.engine import fast as engine
from vitra_policy.engine.expert import FastExpert
from vitra_policy.engine.fast import FastEngine, FastOptions
from vitra_policy.engine.gate import action_error, gated_prefix
from vitra_policy.engine.linear import FP8, Fp8UnavailableError, Linears, Precision, quantise_rows
from vitra_policy.engine.prefix import FastPrefix
from vitra_policy.errors import UnknownNameError
from vitra_policy.loading import DeviceError
from vitra_policy.model.config import VisionConfig, VitraConfig, preset
from vitra_policy.model.diffusion import DdimStepsError
from vitra_policy.model.reference_policy import ReferencePolicy
from vitra_policy.model.request import ChunkRequest
from vitra_policy.tokenizer import ByteTokenizer

CPU = torch.device("cpu")
TEXT = "Left hand: None. Right hand: Lift it."
VARIANTS: dict[str, VitraConfig] = {
    "published structure": TINY,
    "without FoV": replace(TINY, use_fov=False),
    "without state": replace(TINY, expert=replace(TINY.expert, use_state=False)),
    "bidirectional": replace(TINY, expert=replace(TINY.expert, causal=False)),
    "without soft cap": replace(TINY, language=replace(TINY.language, softcap=None)),
    "small pretrained tower": replace(
        preset("mini-lite0"),
        vision=VisionConfig(kind="efficientnet_lite0", image_size=96, image_height=64, patch_size=16),
    ),
    "one layer each": replace(
        TINY,
        vision=replace(TINY.vision, layers=1),
        language=replace(TINY.language, layers=1),
        expert=replace(TINY.expert, layers=1),
    ),
}


def pair(config: VitraConfig = TINY, device: str = "cpu", **options: Any) -> tuple[ReferencePolicy, FastEngine]:
    model = random_network(config)
    fast = FastEngine(model, ByteTokenizer(), None, device, FastOptions(**({"dtype": torch.float32} | options)))
    return ReferencePolicy(model, ByteTokenizer(), None), fast


def asked(**changes: Any) -> ChunkRequest:
    draw = np.random.default_rng(3)
    hands = Hands(right=True)
    given = {
        "image": draw.integers(0, 256, (48, 64, 3), dtype=np.uint8),
        "instruction": TEXT,
        "fov": [1.1, 0.8],
        "state": draw.normal(size=212),
        "state_mask": state_mask(hands),
        "action_mask": action_mask(hands),
        "noise": draw.normal(size=(1, 16, 192)),
    }
    return ChunkRequest(**(given | changes))


def relative(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.abs(found - exact).max() / np.abs(exact).max())


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_fast_engine_agrees_with_the_parity_policy(variant: str) -> None:
    parity, fast = pair(VARIANTS[variant])
    seen = asked()
    image = {name: getattr(seen, name) for name in ("image", "instruction", "fov")}
    assert relative(fast.cognition(**image), parity.cognition(**image)) < 1e-5
    assert relative(fast.predict(seen), parity.predict(seen)) < 1e-5


@pytest.mark.parametrize("changes", [{"guidance": 1.0}, {"steps": 4}, {"state": None, "state_mask": None}])
def test_it_agrees_for_every_setting(changes: dict[str, Any]) -> None:
    parity, fast = pair()
    assert relative(fast.predict(asked(**changes)), parity.predict(asked(**changes))) < 1e-5


def test_several_samples_are_answered_together() -> None:
    parity, fast = pair()
    seen = asked(noise=np.random.default_rng(0).normal(size=(3, 16, 192)))
    assert relative(fast.predict(seen), parity.predict(seen)) < 1e-5


def test_the_answer_depends_on_every_input() -> None:
    _, fast = pair()
    answers = [
        fast.predict(asked(**changes))
        for changes in (
            {},
            {"image": np.zeros((48, 64, 3), np.uint8)},
            {"instruction": TEXT.replace("Lift", "Drop")},
            {"fov": [0.5, 0.4]},
            {"state": np.zeros(212)},
            {"state_mask": np.zeros(212, bool)},
        )
    ]
    assert all(relative(other, answers[0]) > 1e-4 for other in answers[1:])


@pytest.mark.parametrize("guidance", [5.0, 1.0])
@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("variant", ["published structure", "bidirectional"])
def test_a_committed_prefix_is_kept_exactly_and_shapes_the_rest(variant: str, clean: bool, guidance: float) -> None:
    parity, fast = pair(VARIANTS[variant])
    prefix = np.random.default_rng(5).normal(size=(4, 192)).astype(np.float32)
    seen = asked(prefix=prefix, clean_prefix=clean, guidance=guidance)
    found = fast.predict(seen)
    np.testing.assert_array_equal(found[0, :4, 51:102], prefix[:, 51:102])
    assert relative(found, parity.predict(seen)) < 1e-5
    assert relative(found[:, 4:], fast.predict(asked(guidance=guidance))[:, 4:]) > 1e-3


def test_a_prefix_of_one_hand_leaves_the_other_free() -> None:
    parity, fast = pair()
    both = action_mask(Hands(left=True, right=True))
    dims = np.zeros(192, bool)
    dims[51:102] = True
    seen = asked(action_mask=both, prefix=np.ones((3, 192)), prefix_dims=dims)
    found = fast.predict(seen)
    assert (found[0, :3, 51:102] == 1).all()
    assert not np.isclose(found[0, :3, :51], 1).any()
    assert relative(found, parity.predict(seen)) < 1e-5


def test_an_empty_prefix_changes_nothing() -> None:
    _, fast = pair()
    np.testing.assert_array_equal(fast.predict(asked(prefix=np.zeros((0, 192)))), fast.predict(asked()))


def test_every_answer_says_where_the_time_went() -> None:
    _, fast = pair()
    fast.predict(asked())
    assert list(fast.timing) == ["preprocess", "prefix", "denoise"]
    assert all(seconds > 0 for seconds in fast.timing.values())


def test_padding_to_a_bucket_does_not_change_the_feature() -> None:
    model = random_network(TINY)
    linears = Linears(CPU, torch.float32)
    exact, padded = (FastPrefix(model, linears, lambda function: function, bucket=bucket) for bucket in (1, 16))
    pixels = torch.rand(1, 3, 28, 28) * 2 - 1
    for words in ([2, 7, 9], list(range(5, 40))):
        tails = [prefix.tail(words, torch.tensor([[1.0, 0.7]])) for prefix in (exact, padded)]
        assert len(tails[1][0]) % 16 == 0
        with torch.inference_mode():
            torch.testing.assert_close(padded(pixels, *tails[1]), exact(pixels, *tails[0]), rtol=1e-5, atol=1e-5)


def test_bf16_stays_near_fp32() -> None:
    parity, fast = pair(dtype=torch.bfloat16)
    error = relative(fast.predict(asked()), parity.predict(asked()))
    assert 0 < error < 0.1


@pytest.mark.parametrize("variant", ["published structure", "bidirectional"])
def test_every_function_that_a_gpu_fuses_is_one_graph(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def whole(function: Callable[..., Any]) -> Callable[..., Any]:
        return torch.compile(function, dynamic=False, backend="eager", fullgraph=True)

    monkeypatch.setattr(engine, "_compiled", whole)
    parity, fused = pair(VARIANTS[variant], fuse=True)
    for changes in ({}, {"guidance": 1.0}, {"prefix": np.ones((3, 192)), "clean_prefix": True}):
        assert (
            relative(
                fused.predict(asked(**changes)),
                parity.predict(asked(**changes)),
            )
            < 1e-5
        )


def test_a_function_that_cannot_be_fused_runs_unfused_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> Callable[..., Any]:
        def fail(*_: object) -> None:
            raise RuntimeError("no compiler today")

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    parity, fused = pair(fuse=True)
    assert relative(fused.predict(asked()), parity.predict(asked())) < 1e-5
    assert "run_block cannot be fused here (no compiler today)" in caplog.text


def test_quantised_rows_keep_three_bits_of_mantissa() -> None:
    rows = torch.randn(4, 64) * torch.tensor([1e-3, 1.0, 50.0, 1e4])[:, None]
    quantised, scale = quantise_rows(rows)
    assert quantised.dtype == FP8
    assert ((quantised.float() * scale - rows).abs().amax(1) / rows.abs().amax(1) < 2**-4).all()


def test_fp8_is_refused_when_it_changes_the_actions_too_much(caplog: pytest.LogCaptureFixture) -> None:
    model = random_network(TINY)
    linears, plain = Linears(CPU, torch.float32), lambda function: function
    expert = FastExpert(model.expert, linears, plain)

    def make(maker: Linears) -> FastPrefix:
        return FastPrefix(model, maker, plain)

    if not fp8_works():
        pytest.skip("this PyTorch has no fp8 product on a CPU")
    strict = gated_prefix(make, linears, expert, model, limit=1e-6)
    assert strict.precision is Precision.FULL
    assert "more than" in caplog.text
    loose = gated_prefix(make, linears, expert, model, limit=float("inf"))
    assert loose.precision is Precision.FP8
    assert 0 < action_error(strict, loose, expert, model) < 10


def fp8_works() -> bool:
    from vitra_policy.engine.linear import check_fp8

    try:
        check_fp8(CPU)
    except Fp8UnavailableError:
        return False
    return True


def test_fp8_that_does_not_work_falls_back_with_a_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(torch, "_scaled_mm", broken)
    _, fast = pair(fp8=True)
    assert fast.prefix.precision is Precision.FULL
    assert "no such kernel" in caplog.text


def test_an_image_may_be_read_only_memory(recwarn: pytest.WarningsRecorder) -> None:
    _, fast = pair()
    image = np.frombuffer(bytes(48 * 64 * 3), np.uint8).reshape(48, 64, 3)
    fast.predict(asked(image=image))
    assert not [warning for warning in recwarn if "writable" in str(warning.message)]


def test_wrong_inputs_are_named() -> None:
    _, fast = pair()
    with pytest.raises(ShapeMismatchError, match="fov"):
        fast.predict(asked(fov=[1.0]))
    with pytest.raises(ShapeMismatchError, match="prefix"):
        fast.predict(asked(prefix=np.zeros((17, 192))))
    with pytest.raises(DdimStepsError):
        fast.predict(asked(steps=11))


def test_a_checkpoint_of_ours_loads_in_fast_mode(tmp_path: Path) -> None:
    path = save_model(tmp_path / "tiny", random_network(TINY), about=About(statistics=example_statistics()))
    fast, parity = load_policy(path, "fast", device="cpu", dtype=torch.float32), load_policy(path)
    assert isinstance(fast, FastEngine)
    assert relative(fast.predict(asked()), parity.predict(asked())) < 1e-5


def test_a_missing_gpu_and_an_unknown_mode_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="fast"):
        load_policy(tmp_path, "fastt")
    with pytest.raises(DeviceError, match="no device"):
        load_reference(tmp_path, device="gpu9")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="no GPU"):
            load_policy(tmp_path, device="cuda")


def test_it_agrees_on_the_checkpoint_of_the_reference(shared_dir: Path) -> None:
    run = shared_dir / "golden/vitra_tiny"
    parity, fast = load_reference(run), load_reference(run, "fast", device="cpu", dtype=torch.float32)
    assert relative(fast.predict(asked()), parity.predict(asked())) < 1e-5


@pytest.mark.gpu
def test_the_recorded_graphs_agree_with_the_parity_policy() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    parity, fast = pair(device="cuda", dtype=torch.float32, fuse=False)
    for changes in ({}, {"prefix": np.ones((3, 192))}, {"instruction": TEXT + " And put it down again."}, {}):
        assert relative(fast.predict(asked(**changes)), parity.predict(asked(**changes))) < 1e-3
