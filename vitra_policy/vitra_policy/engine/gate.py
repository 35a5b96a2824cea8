"""fp8 only as long as the actions stay what they are: the gate compares chunks before fp8 is let through."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import torch

from vitra_policy.engine.expert import FastExpert
from vitra_policy.engine.linear import Fp8UnavailableError, Linears, Precision, check_fp8
from vitra_policy.engine.prefix import FastPrefix
from vitra_policy.model.sampling import Conditions
from vitra_policy.model.vla import Vitra

FP8_LIMIT = 0.05
"""Root-mean-square error of normalised actions, i.e. a twentieth of the actions' standard deviation."""

_logger = logging.getLogger(__name__)
_SCENES, _WORDS = 4, 24
_GUIDANCE, _STEPS = 5.0, 10


def gated_prefix(
    make_prefix: Callable[[Linears], FastPrefix], linears: Linears, expert: FastExpert, model: Vitra, limit: float
) -> FastPrefix:
    """The fp8 prefix if it works here and keeps within the limit, else the full one; the log says which and why.

    Args:
        make_prefix: Makes a prefix of a maker of linear layers.
        linears: In the engine's full precision.
        expert: The engine's expert.
        model: The network.
        limit: Largest root-mean-square error of normalised actions.
    """
    full = make_prefix(linears)
    try:
        check_fp8(linears.device)
    except Fp8UnavailableError as error:
        _logger.warning("%s", error)
        return full
    small = make_prefix(replace(linears, precision=Precision.FP8))
    error_rms = action_error(full, small, expert, model)
    if not error_rms <= limit:
        _logger.warning(
            "fp8 changes the actions by %.3f of their standard deviation (rms), more than the %.3f allowed; "
            "going on in %s",
            error_rms,
            limit,
            linears.dtype,
        )
        return full
    _logger.info("fp8 changes the actions by %.4f of their standard deviation (rms, %.3f allowed)", error_rms, limit)
    return small


@torch.inference_mode()
def action_error(full: FastPrefix, small: FastPrefix, expert: FastExpert, model: Vitra) -> float:
    """Root-mean-square difference of normalised actions between two prefixes, over a few random scenes.

    Args:
        full: The prefix in full precision.
        small: The one that is judged.
        expert: Draws the actions.
        model: The network both were made of.
    """
    cfg, device = model.config, expert.mask.device
    draw = torch.Generator().manual_seed(0)
    squares = []
    for _ in range(_SCENES):
        size = cfg.vision.image_size
        coarse = torch.rand(1, 3, 8, 8, generator=draw) * 2 - 1
        pixels = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear").to(device)
        words = torch.randint(5, min(cfg.language.vocabulary, 30_000), (_WORDS,), generator=draw).tolist()
        noise = torch.randn(1, cfg.expert.steps, cfg.expert.action_dim, generator=draw).to(device)
        state = torch.randn(1, cfg.expert.state_dim, generator=draw).to(device)
        tail = full.tail(words, torch.tensor([[1.2, 0.9]]))
        chunks = []
        for prefix in (full, small):
            plan = expert.plan(
                Conditions(prefix(pixels, *tail), state, torch.ones_like(state), torch.ones_like(noise)),
                model.diffusion.ddim(_STEPS),
                _GUIDANCE,
            )
            chunks.append(expert.denoise(plan, noise))
        squares.append((chunks[0] - chunks[1]).square().mean())
    return float(torch.stack(squares).mean().sqrt())
