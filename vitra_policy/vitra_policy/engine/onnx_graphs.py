"""Export to ONNX: `prefix` (image and words to cognition), `cond` (once per chunk) and `step` (once per noise level).

Weights and sums are fp32 and the operators those of opset 20, which every ONNX Runtime places on CPU and GPU alike
(docs/model.md: Cost). Masks are numbers, 0 or 1. Guidance always runs both halves; scale 1 gives the conditional.
"""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vitra_policy.engine.expert import FastExpert
from vitra_policy.engine.linear import Linears, unwrapped
from vitra_policy.engine.prefix import FastPrefix
from vitra_policy.errors import VitraError
from vitra_policy.model.stored import weights_of
from vitra_policy.model.vla import Vitra

GRAPHS = ("prefix", "cond", "step")
NETWORK_FILE = "network.json"
OPSET = 20

_MAX_TEXT = 512
_PRINTED = 256
_EXAMPLE_TEXT = 21
_EXAMPLE_STEPS = 10


class OnnxExportError(VitraError):
    """A network that cannot be exported, or a package that is missing for it."""


class PrefixGraph(nn.Module):
    """``pixel_values`` (1, 3, size, size), ``text_ids`` (1, T), ``fov_rad`` (1, 2) to ``cognition`` (1, 1, width)."""

    def __init__(self, model: Vitra, linears: Linears) -> None:
        super().__init__()
        self.prefix = FastPrefix(model, linears, unwrapped)
        self.words, self.fov = model.language.embedding, model.fov_encoder
        self.cognition_token = model.cognition_token
        self.scale = model.config.language.width**0.5
        cos, sin = self.prefix.trunk.rotary(model.config.vision.tokens + _MAX_TEXT)
        self.cos, self.sin = nn.Buffer(cos), nn.Buffer(sin)

    def forward(self, pixel_values: Tensor, text_ids: Tensor, fov_rad: Tensor) -> Tensor:
        """See the class.

        Args:
            pixel_values: (1, 3, height, width) in [-1, 1].
            text_ids: (1, T).
            fov_rad: (1, 2).
        """
        parts = [self.words(text_ids)[0]]
        if self.fov is not None:
            parts.append(self.fov(fov_rad)[0])
        tail = torch.cat([*parts, self.cognition_token[None]]) * self.scale
        x = torch.cat([self.prefix.vision(pixel_values), tail])
        row = torch.full((1,), x.shape[0] - 1, dtype=torch.int64)
        feature: Tensor = self.prefix.trunk(x, row, None, (self.cos[: x.shape[0]], self.sin[: x.shape[0]]))
        return feature


class CondGraph(nn.Module):
    """What all steps share: see the arguments of :meth:`forward`; K steps, and one more with clean prefixes."""

    def __init__(self, expert: FastExpert) -> None:
        super().__init__()
        self.expert = expert

    def forward(
        self, cognition: Tensor, state: Tensor, state_mask: Tensor, action_mask: Tensor, timesteps: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """``offset`` (1, T, width), ``modulation`` (K, 2, 1, parts, width), ``context`` (K, layers, 2, C, 2, H, D).

        Args:
            cognition: (1, 1, width).
            state: (1, state_dim).
            state_mask: (1, state_dim).
            action_mask: (1, T, action_dim).
            timesteps: (K,) of the denoising steps.
        """
        times = self.expert.stem.embed_time(timesteps)[:, None]
        offset, modulation, _, context = self.expert.prepare(
            cognition, state, state_mask, action_mask, times, guided=True
        )
        return offset, modulation, context


class StepGraph(nn.Module):
    """One DDIM step with guidance and committed prefix: ``sample`` to the next ``sample``."""

    def __init__(self, expert: FastExpert, clean: bool) -> None:
        super().__init__()
        self.expert, self.clean = expert, clean

    def forward(
        self,
        sample: Tensor,
        noise: Tensor,
        head: Tensor,
        where: Tensor,
        action_mask: Tensor,
        offset: Tensor,
        modulation: Tensor,
        context: Tensor,
        index: Tensor,
        coefficients: Tensor,
    ) -> Tensor:
        """``coefficients`` (6,): signal and spread of the prefix, keep and add of the step, guidance, clean.

        Args:
            sample: (S, T, action_dim).
            noise: (S, T, action_dim) the sample began with.
            head: Committed steps spread over a chunk (S, T, action_dim).
            where: 1 where they hold (S, T, action_dim).
            action_mask: (1, T, action_dim).
            offset: As of `CondGraph`.
            modulation: As of `CondGraph`.
            context: As of `CondGraph`.
            index: Number (1,) of the step.
            coefficients: (6,), see above.
        """
        signal, spread, keep, add, guidance, clean = coefficients.unbind(0)
        x = torch.where(where > 0.5, signal * head + spread * noise, sample)
        own = modulation.index_select(0, index)[0]
        if self.clean:
            own = torch.where((where * clean > 0.5).any(-1)[..., None, None], modulation[-1], own)
        blocks = context.index_select(0, index)[0]
        return keep * x + add * self.expert.predict_noise(x * action_mask, offset, own, blocks, None, guidance)


@dataclass(frozen=True, slots=True)
class _Graph:
    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]
    dynamic: Mapping[str, dict[int, Any]]


def export_onnx(model: Vitra, directory: Path | str) -> Path:
    """Write ``prefix.onnx``, ``cond.onnx``, ``step.onnx`` and ``network.json``.

    Args:
        model: The network on the CPU, stored in any type; converted to fp32 in place.
        directory: Where to; made if need be.

    Raises:
        OnnxExportError: The network's attention is not causal, or onnx and onnxscript are not installed.
    """
    if not model.config.expert.causal:
        raise OnnxExportError(
            "Only networks with a causal expert can be exported; this one is the bidirectional ablation."
        )
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise OnnxExportError(f"{error}. Export needs: pip install 'vitra-policy[onnx]'.") from error
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    printed, model = fingerprint(model), model.float()
    with torch.inference_mode(False), torch.no_grad():
        for name, graph in _graphs(model).items():
            _export(graph, folder / f"{name}.onnx")
    described = {"opset": OPSET, "weights": printed, "model": model.config.to_dict()}
    (folder / NETWORK_FILE).write_text(json.dumps(described, indent=1) + "\n")
    return folder


def fingerprint(model: Vitra) -> str:
    """Tells the weights of one network from another's, by the first numbers of every tensor."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights_of(model).items()):
        digest.update(name.encode())
        digest.update(tensor.flatten()[:_PRINTED].float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _graphs(model: Vitra) -> dict[str, _Graph]:
    cfg = model.config
    linears = Linears(torch.device("cpu"), torch.float32)
    expert = FastExpert(model.expert, linears, unwrapped)
    text, steps = torch.export.Dim("text", min=2, max=_MAX_TEXT - 2), torch.export.Dim("steps", min=1, max=101)
    size, chunk = cfg.vision.image_size, (1, cfg.expert.steps, cfg.expert.action_dim)
    prefix = {
        "pixel_values": torch.zeros(1, 3, size, size),
        "text_ids": torch.ones(1, _EXAMPLE_TEXT, dtype=torch.int64),
        "fov_rad": torch.ones(1, 2),
    }
    cond = {
        "cognition": torch.zeros(1, 1, cfg.language.width),
        "state": torch.zeros(1, cfg.expert.state_dim),
        "state_mask": torch.ones(1, cfg.expert.state_dim),
        "action_mask": torch.ones(chunk),
        "timesteps": torch.arange(_EXAMPLE_STEPS),
    }
    cond_module = CondGraph(expert)
    offset, modulation, context = cond_module(**cond)
    step = {name: torch.zeros(chunk) for name in ("sample", "noise", "head", "where", "action_mask")}
    step |= {"offset": offset, "modulation": modulation, "context": context}
    step |= {"index": torch.zeros(1, dtype=torch.int64), "coefficients": torch.ones(6)}
    return {
        "prefix": _Graph(PrefixGraph(model, linears), prefix, ("cognition",), {"text_ids": {1: text}}),
        "cond": _Graph(cond_module, cond, ("offset", "modulation", "context"), {"timesteps": {0: steps}}),
        "step": _Graph(
            StepGraph(expert, cfg.clean_prefix),
            step,
            ("next_sample",),
            {"modulation": {0: steps}, "context": {0: steps}},
        ),
    }


def _export(graph: _Graph, path: Path) -> None:
    shapes = {name: graph.dynamic.get(name, {}) for name in graph.inputs}
    chatter = logging.getLogger("torch.onnx")
    level = chatter.level
    chatter.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph.module.eval(),
            (),
            path,
            kwargs=dict(graph.inputs),
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    chatter.setLevel(level)
