"""The action expert of the fast engine: everything that does not change from step to step is computed once.

Against the plain expert (:mod:`vitra_policy.model.dit`): the modulation of all blocks and steps is one product; the
context tokens, which no action token can influence, leave behind keys and values for all steps at once; constant
parts (positions, the mask half of the action embedding, the unconditional half) are folded; the two halves of the
guidance share the action embedding and, being linear, the output layer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vitra_policy.engine.expert_block import PARTS, ExpertBlock, modulate, run_block, run_context_block
from vitra_policy.engine.linear import Linears, Wrap
from vitra_policy.engine.stage import Stage, plain_stage
from vitra_policy.model.diffusion import DdimStep
from vitra_policy.model.dit import Dit, DitBlock
from vitra_policy.model.sampling import Conditions
from vitra_policy.model.unfilled import unfilled


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """What one chunk needs in all of its steps; K steps, B rows (guided: conditional, then unconditional)."""

    updates: tuple[DdimStep, ...]
    guidance: float
    mask: Tensor
    """(S, T, action_dim) valid dimensions as numbers."""
    offset: Tensor
    """(S, T, width) share of the mask and the bias in the action embedding before its activation."""
    modulation: Tensor
    """(K, B, 1, 6 * layers + 2, width); with a clean prefix one more row, which belongs to the prefix."""
    tokens: Tensor
    """(B, C, width) context tokens with their positions."""
    context: Tensor | None
    """(K, layers, B, C, 2, heads, head_dim) keys and values of the context tokens; None without causality."""


@dataclass(frozen=True, slots=True)
class Committed:
    """A prefix to keep, in tensors of fixed size so that its length may vary inside a recorded graph."""

    actions: Tensor
    """(S, T, action_dim) normalised; anything outside ``where``."""
    where: Tensor
    """(S, T, action_dim) bool."""
    clean: bool = False
    """Given clean at timestep 0 (training-time real-time chunking) instead of at the sample's noise level."""


def embed_sample(expert: FastExpert, masked: Tensor, offset: Tensor, guided: bool) -> Tensor:
    """Action tokens (B, T, width) of a masked sample (S, T, action_dim), for both halves of the guidance if asked.

    Args:
        expert: Its weights.
        masked: Sample times mask (S, T, action_dim).
        offset: What the mask adds (S, T, width).
        guided: For both halves.
    """
    hidden = F.gelu(expert.action_in(masked.to(expert.dtype)) + offset)
    y = expert.action_mid(hidden).float() + expert.stem.position_embedding[expert.config.context_tokens :]
    return torch.cat([y, y]) if guided else y


def read_noise(expert: FastExpert, y: Tensor, shift: Tensor, scale: Tensor, guidance: float | Tensor | None) -> Tensor:
    """Predicted noise (S, T, action_dim) of the tokens (B, tokens, width) behind the last block.

    Args:
        expert: Its weights.
        y: Tokens (B, tokens, width).
        shift: Of the last modulation (B, 1, width).
        scale: Of the last modulation (B, 1, width).
        guidance: Scale of the guidance; None: the conditional half alone.
    """
    y = modulate(y, shift, scale)[:, -expert.config.steps :]
    if guidance is not None:
        conditional, unconditional = y.chunk(2)
        y = unconditional + guidance * (conditional - unconditional)
    noise: Tensor = expert.action_out(y.to(expert.dtype)).float()
    return noise


class FastExpert(nn.Module):
    """The expert, prepared for one device and number format.

    Args:
        expert: The network's expert, fp32, on any device; it may be dropped afterwards.
        linears: Makes the linear layers; the residual stream, norms and the sample stay in fp32.
        wrap: Applied to the functions of a block and of what is before and behind them, e.g. ``torch.compile``.
        stage: Applied to what runs once per chunk and once per step, e.g. :class:`OpenVinoStage`.
    """

    def __init__(self, expert: Dit, linears: Linears, wrap: Wrap, stage: Stage = plain_stage) -> None:
        super().__init__()
        cfg = self.config = expert.config
        self.dtype = linears.dtype
        self._run_block, self._run_context_block = wrap(run_block), wrap(run_context_block)
        self._embed_sample, self._read_noise = wrap(embed_sample), wrap(read_noise)
        self._prepare, self._predict_noise = stage(self.prepare), stage(self.predict_noise)
        self.stem = _stem(expert).to(linears.device, torch.float32)
        self.blocks = nn.ModuleList(ExpertBlock(block, linears) for block in expert.blocks)  # type: ignore[arg-type]
        self.modulation = linears(*_modulation(expert))
        first, second, last = (cast(nn.Linear, layer) for layer in (*expert.action_in, expert.action_out))
        self.action_in = linears(first.weight[:, : cfg.action_dim])
        self.mask_in = linears(first.weight[:, cfg.action_dim :], first.bias)
        self.action_mid, self.action_out = linears.of(second), linears.of(last)
        self.null_token = nn.Buffer(linears.constant(expert.embed_cognition(expert.unconditional)[None]))
        # Rows of a multiple of 8 numbers: GPU attention would copy the mask into such rows at every call.
        visible = torch.ones(cfg.steps, -(-cfg.tokens // 8) * 8, dtype=torch.bool).tril(cfg.context_tokens)
        mask = torch.zeros(visible.shape).masked_fill(~visible, -torch.inf).to(linears.device, self.dtype)
        self.mask = nn.Buffer(mask[:, : cfg.tokens])
        self._times: dict[tuple[int, ...], Tensor] = {}

    def plan(
        self, given: Conditions, updates: tuple[DdimStep, ...], guidance: float, *, clean: bool = False
    ) -> ChunkPlan:
        """Everything that all steps share.

        Args:
            given: Cognition feature, state and masks, batch S.
            updates: The denoising steps.
            guidance: Classifier-free guidance scale; 1 runs the conditional half alone.
            clean: Whether the modulation of a clean prefix is needed.
        """
        levels = (*(update.timestep for update in updates), *([0] if clean else []))
        mask = given.action_mask.float()
        offset, modulation, tokens, *context = self._prepare(
            cognition=given.cognition.float(),
            state=given.state,
            state_mask=given.state_mask,
            action_mask=mask,
            times=self.embedded_times(levels),
            guided=guidance != 1.0,
        )
        return ChunkPlan(updates, guidance, mask, offset, modulation, tokens, *(context or [None]))

    def prepare(
        self, cognition: Tensor, state: Tensor, state_mask: Tensor, action_mask: Tensor, times: Tensor, *, guided: bool
    ) -> tuple[Tensor, ...]:
        """Offset, modulation, tokens and, with causality, context of a :class:`ChunkPlan`.

        Args:
            cognition: (S, 1, cognition_width).
            state: (S, state_dim).
            state_mask: (S, state_dim) as numbers.
            action_mask: (S, T, action_dim) as numbers.
            times: What :meth:`embedded_times` gives, (K, 1, 1, width).
            guided: Both halves of the guidance or only the conditional one.
        """
        tokens, modulation = self.conditions(cognition, state, state_mask, times, guided=guided)
        offset = self.mask_in(action_mask.to(self.dtype))
        context = (self.context(tokens, modulation),) if self.config.causal else ()
        return offset, modulation, tokens, *context

    def conditions(
        self, cognition: Tensor, state: Tensor, state_mask: Tensor, times: Tensor, *, guided: bool
    ) -> tuple[Tensor, Tensor]:
        """Context tokens (B, C, width) and modulation (K, B, 1, parts, width) for embedded times (K, 1, 1, width).

        Args:
            cognition: (S, 1, cognition_width).
            state: (S, state_dim).
            state_mask: (S, state_dim) as numbers.
            times: What :meth:`embedded_times` gives.
            guided: Both halves of the guidance, so that B is 2 S.
        """
        cognition_token = self.stem.embed_cognition(cognition)
        if guided:
            cognition_token = torch.cat([cognition_token, self.null_token.expand_as(cognition_token)])
            state, state_mask = state.repeat(2, 1), state_mask.repeat(2, 1)
        tokens = self.stem.context(cognition_token, state, state_mask)
        modulation = self.modulation(F.silu(tokens[0] + times).to(self.dtype)).float()
        modulation = modulation.view(*modulation.shape[:-1], -1, self.config.width)
        return torch.cat(tokens, dim=1) + self.stem.position_embedding[: self.config.context_tokens], modulation

    def embedded_times(self, levels: tuple[int, ...]) -> Tensor:
        """Embedded timesteps (K, 1, 1, width), remembered."""
        if levels not in self._times:
            times = torch.tensor(levels, device=self.null_token.device)
            self._times[levels] = self.stem.embed_time(times)[:, None]
        return self._times[levels]

    def denoise(self, plan: ChunkPlan, noise: Tensor, committed: Committed | None = None) -> Tensor:
        """Normalised actions (S, T, action_dim); masked dimensions are 0, a committed prefix is kept exactly.

        Args:
            plan: What all steps share.
            noise: (S, T, action_dim) standard normal.
            committed: Steps that open the chunk; None: none.
        """
        x, prefix_tokens = noise, None
        if committed is not None and committed.clean:
            prefix_tokens = self._prefix_tokens(committed, plan)
        for k, update in enumerate(plan.updates):
            if committed is not None:
                head = committed.actions
                if not committed.clean:
                    head = update.alpha**0.5 * head + (1 - update.alpha) ** 0.5 * noise
                x = torch.where(committed.where, head, x)
            modulation = plan.modulation[k]
            if prefix_tokens is not None:
                modulation = torch.where(prefix_tokens, plan.modulation[-1], modulation)
            x = torch.add(update.keep * x, self._noise(plan, x, k, modulation), alpha=update.add)
        if committed is not None:
            x = torch.where(committed.where, committed.actions, x)
        return x * plan.mask

    def _noise(self, plan: ChunkPlan, x: Tensor, k: int, modulation: Tensor) -> Tensor:
        return cast(
            Tensor,
            self._predict_noise(
                masked=x * plan.mask,
                offset=plan.offset,
                modulation=modulation,
                context=None if plan.context is None else plan.context[k],
                tokens=None if plan.context is not None else plan.tokens,
                guidance=None if plan.guidance == 1.0 else plan.guidance,
            ),
        )

    def predict_noise(
        self,
        masked: Tensor,
        offset: Tensor,
        modulation: Tensor,
        context: Tensor | None,
        tokens: Tensor | None,
        guidance: float | Tensor | None,
    ) -> Tensor:
        """Guided noise prediction (S, T, action_dim).

        Args:
            masked: (S, T, action_dim) sample, 0 where masked.
            offset: :attr:`ChunkPlan.offset`.
            modulation: (B, 1 or T, parts, width) of this step.
            context: (layers, B, C, 2, heads, head_dim) of this step, or None without causality.
            tokens: :attr:`ChunkPlan.tokens`, needed when there is no ``context``.
            guidance: Scale; None when there is only the conditional half.
        """
        y = self._embed_sample(self, masked, offset, guidance is not None)
        if tokens is not None:
            y = torch.cat([tokens, y], dim=1)
        parts = modulation.unbind(-2)
        for index, block in enumerate(self.blocks):
            own = parts[PARTS * index : PARTS * (index + 1)]
            if context is None:
                y = self._run_block(block, y, own, None, None)
            else:
                y = self._run_block(block, y, own, context[index], self.mask)
        noise: Tensor = self._read_noise(self, y, *parts[-2:], guidance)
        return noise

    def context(self, tokens: Tensor, modulation: Tensor) -> Tensor:
        """:attr:`ChunkPlan.context`: keys and values of the context tokens, for all steps in one pass.

        Args:
            tokens: (B, C, width).
            modulation: (K, B, 1, parts, width).
        """
        steps, rows = modulation.shape[:2]
        x = tokens.expand(steps, -1, -1, -1).flatten(0, 1)
        parts = modulation.flatten(0, 1).unbind(-2)
        found: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            own = parts[PARTS * index : PARTS * (index + 1)]
            kept, x = self._run_context_block(block, x, own, index + 1 == len(self.blocks))
            found.append(kept.unflatten(0, (steps, rows)))
        return torch.stack(found, dim=1)

    def _prefix_tokens(self, committed: Committed, plan: ChunkPlan) -> Tensor:
        """(B, tokens, 1, 1) bool: action tokens that are given clean."""
        clean = committed.where.any(-1)
        if plan.context is None:
            clean = F.pad(clean, (self.config.context_tokens, 0))
        return clean.repeat(plan.modulation.shape[1] // len(clean), 1)[..., None, None]


def _stem(expert: Dit) -> Dit:
    """The expert without its blocks."""
    with unfilled():
        stem = Dit(replace(expert.config, layers=0), expert.unconditional.shape[-1])
    kept = {name: value.clone() for name, value in expert.state_dict().items() if not name.startswith("blocks.")}
    stem.load_state_dict(kept, assign=True)
    return stem.requires_grad_(False)


def _modulation(expert: Dit) -> tuple[Tensor, Tensor]:
    """Weight and bias of all modulations stacked, blocks first; every scale has its 1 added."""
    layers = [*(cast(DitBlock, block).modulation for block in expert.blocks), expert.out_modulation]
    bias = torch.cat([layer.bias.detach() for layer in layers]).view(-1, expert.config.width).clone()
    scales = [PARTS * index + part for index in range(len(expert.blocks)) for part in (1, 4)]
    bias[[*scales, PARTS * len(expert.blocks) + 1]] += 1.0
    return torch.cat([layer.weight.detach() for layer in layers]), bias.flatten()
