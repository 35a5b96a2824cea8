"""The whole network: image, instruction and field of view to a cognition feature, and from it to an action chunk."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from vitra_policy.errors import VitraError
from vitra_policy.model.config import VitraConfig
from vitra_policy.model.diffusion import Diffusion
from vitra_policy.model.dit import Dit
from vitra_policy.model.efficientnet import CHANNELS, EfficientNetLite0
from vitra_policy.model.fov import FovEncoder
from vitra_policy.model.gemma2 import Gemma2, take_rows
from vitra_policy.model.grounding import Grounding, Places
from vitra_policy.model.loss import Loss, LossDraws, LossSettings, component_loss
from vitra_policy.model.sampling import Conditions, Denoising, sample_actions
from vitra_policy.model.siglip import Siglip

_COGNITION_INIT_ID = 10


class PlacesError(VitraError):
    """Places were given to a network that has no use for them."""


class Vitra(nn.Module):
    """VITRA: SigLIP and Gemma-2 produce one cognition feature, a causal DiT denoises actions from it."""

    def __init__(self, config: VitraConfig) -> None:
        super().__init__()
        self.config = config
        width = config.language.width
        self.vision: Siglip | EfficientNetLite0
        self.projector: nn.Linear | Grounding
        if config.vision.kind == "siglip":
            self.vision, self.projector = Siglip(config.vision), nn.Linear(config.vision.width, width)
        else:
            self.vision, self.projector = EfficientNetLite0(), Grounding(config.grounding, CHANNELS, width)
        asked = config.grounding.places if config.vision.kind != "siglip" else None
        self.places = Places(config.grounding.keypoints, width, asked) if asked else None
        self.language = Gemma2(config.language)
        self.fov_encoder = FovEncoder(width) if config.use_fov else None
        self.cognition_token = nn.Parameter(self.language.embedding.weight[_COGNITION_INIT_ID].detach().clone())
        self.expert = Dit(config.expert, width)
        self.diffusion = Diffusion(config.diffusion_steps)

    def set_gradient_checkpointing(self, enabled: bool) -> None:
        """Recompute the layers of trunk and expert in the backward pass instead of storing their activations."""
        self.language.gradient_checkpointing = enabled
        self.expert.gradient_checkpointing = enabled

    def compile_layers(self) -> None:
        """Compile tower, trunk and expert layer by layer: far quicker to compile than the whole."""
        tower = self.vision.layers if isinstance(self.vision, Siglip) else [self.vision]
        for layer in [*tower, *self.language.layers, *self.expert.blocks]:
            layer.compile()

    def freeze_vision(self) -> None:
        """Exclude the image tower from training, as the paper does."""
        self.vision.requires_grad_(False)

    def image_features(self, tower: Tensor, text: Tensor, text_valid: Tensor | None = None) -> Tensor:
        """Image tokens (B, tokens, width) in the embedding space of the trunk.

        Args:
            tower: What the image tower says of the image.
            text: (B, T, width) embeddings of the instruction; a SigLIP tower's tokens do not depend on it.
            text_valid: (B, T) bool, False for padding; None when nothing is padded.
        """
        if isinstance(self.projector, Grounding):
            tokens = self.projector(tower, text, text_valid)
        else:
            tokens = self.projector(tower)
        scaled: Tensor = tokens / self.config.language.width**0.5
        return scaled

    def embed(
        self, pixel_values: Tensor, text_ids: Tensor, fov_rad: Tensor, text_valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """As `embed_tower`, from images (B, 3, height, width) in [-1, 1].

        Args:
            pixel_values: Images.
            text_ids: (B, T).
            fov_rad: (B, 2).
            text_valid: (B, T) bool, False where padded; None: all valid.
        """
        return self.embed_tower(self.vision(pixel_values), text_ids, fov_rad, text_valid)

    def embed_tower(
        self, tower: Tensor, text_ids: Tensor, fov_rad: Tensor, text_valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Sequence ``[image, text, FoV, cognition, padding]`` of embeddings (B, N, width) and its valid mask (B, N).

        The mask is None without ``text_valid``. Padding of the text moves behind the cognition token.

        Args:
            tower: What the image tower said (B, patches, width).
            text_ids: (B, T).
            fov_rad: (B, 2).
            text_valid: (B, T) bool, False where padded; None: all valid.
        """
        image = self.image_features(tower, self.language.embedding(text_ids), text_valid)
        return self.embed_tokens(image, text_ids, fov_rad, text_valid)

    def embed_tokens(
        self, image: Tensor, text_ids: Tensor, fov_rad: Tensor, text_valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """As `embed_tower`, from image tokens (B, tokens, width).

        Args:
            image: Image tokens.
            text_ids: (B, T).
            fov_rad: (B, 2).
            text_valid: (B, T) bool, False where padded; None: all valid.
        """
        batch = len(text_ids)
        text = self.language.embedding(text_ids)
        parts = [image, text.to(image.dtype)]
        if self.fov_encoder is not None:
            parts.append(self.fov_encoder(fov_rad).to(image.dtype))
        parts.append(self.cognition_token.to(image.dtype).expand(batch, 1, -1))
        embeddings = torch.cat(parts, dim=1)
        if text_valid is None:
            return embeddings, None
        valid = torch.ones(embeddings.shape[:2], dtype=torch.bool, device=embeddings.device)
        valid[:, image.shape[1] : image.shape[1] + text_ids.shape[1]] = text_valid
        order = torch.argsort((~valid).to(torch.uint8), dim=1, stable=True)
        return take_rows(embeddings, order), valid.gather(1, order)

    def cognition(
        self,
        pixel_values: Tensor,
        text_ids: Tensor,
        fov_rad: Tensor,
        text_valid: Tensor | None = None,
        *,
        all_rows: bool = False,
    ) -> Tensor:
        """Cognition feature (B, 1, width): the trunk's output at the cognition token.

        Args:
            pixel_values: (B, 3, height, width) in [-1, 1].
            text_ids: (B, T) ``[<bos>, instruction, newline, padding]``, without image placeholders.
            fov_rad: (B, 2) horizontal and vertical field of view; ignored by a model without FoV.
            text_valid: (B, T) bool, False for padding; None when nothing is padded.
            all_rows: Compute the last layer for every token like the reference does, for bit-equal comparison.
                By default it is computed for the cognition token alone, which is the same up to rounding.
        """
        return self.cognition_of(self.vision(pixel_values), text_ids, fov_rad, text_valid, all_rows=all_rows)

    def cognition_of(
        self,
        tower: Tensor,
        text_ids: Tensor,
        fov_rad: Tensor,
        text_valid: Tensor | None = None,
        *,
        all_rows: bool = False,
    ) -> Tensor:
        """As `cognition`, from what the image tower said: a frozen tower needs to look at an image only once.

        Args:
            tower: What the image tower said (B, patches, width).
            text_ids: (B, T).
            fov_rad: (B, 2).
            text_valid: (B, T) bool, False where padded; None: all valid.
            all_rows: Compute every row of the last layer, as the reference does; else only the wanted one.
        """
        image = self.image_features(tower, self.language.embedding(text_ids), text_valid)
        return self.cognition_of_tokens(image, text_ids, fov_rad, text_valid, all_rows=all_rows)

    def cognition_of_tokens(
        self,
        image: Tensor,
        text_ids: Tensor,
        fov_rad: Tensor,
        text_valid: Tensor | None = None,
        *,
        all_rows: bool = False,
    ) -> Tensor:
        """As `cognition`, from image tokens (B, tokens, width).

        Args:
            image: Image tokens.
            text_ids: (B, T).
            fov_rad: (B, 2).
            text_valid: (B, T) bool, False where padded; None: all valid.
            all_rows: Compute every row of the last layer, as the reference does; else only the wanted one.
        """
        feature = self.trunk_of_tokens(image, text_ids, fov_rad, text_valid, all_rows=all_rows)
        return feature if self.places is None else self.places.joined(feature, self.places_of_tokens(image))

    def trunk_of_tokens(
        self,
        image: Tensor,
        text_ids: Tensor,
        fov_rad: Tensor,
        text_valid: Tensor | None = None,
        *,
        all_rows: bool = False,
    ) -> Tensor:
        """What the trunk alone adds to the cognition feature, from image tokens (B, tokens, width).

        Args:
            image: Image tokens.
            text_ids: (B, T).
            fov_rad: (B, 2).
            text_valid: (B, T) bool, False where padded; None: all valid.
            all_rows: Compute every row of the last layer, as the reference does; else only the wanted one.
        """
        embeddings, valid = self.embed_tokens(image, text_ids, fov_rad, text_valid)
        batch, length = embeddings.shape[:2]
        if valid is None:
            rows = torch.full((batch, 1), length - 1, device=embeddings.device)
        else:
            rows = valid.sum(dim=1, keepdim=True) - 1
        if all_rows:
            return take_rows(self.language(embeddings, valid), rows)
        feature: Tensor = self.language(embeddings, valid, rows)
        return feature

    def places_of_tokens(self, image: Tensor) -> Tensor:
        """Normalised places (B, numbers) that image tokens (B, tokens, width) say."""
        assert self.places is not None
        places: Tensor = self.places(image.float() * self.config.language.width**0.5)
        return places

    def denoise(self, given: Conditions, noise: Tensor, how: Denoising | None = None) -> Tensor:
        """Normalised actions (B, steps, action_dim); see :func:`vitra_policy.model.sampling.sample_actions`.

        Args:
            given: Cognition feature, state and masks.
            noise: (B, steps, action_dim) standard normal.
            how: Steps, guidance and prefix; None: as published.
        """
        given = replace(given, cognition=given.cognition.to(noise.dtype))
        return sample_actions(self.expert, self.diffusion, given, noise, how)

    def loss(
        self,
        given: Conditions,
        actions: Tensor,
        settings: LossSettings | None = None,
        draws: LossDraws | None = None,
    ) -> Loss:
        """Training loss of a batch, each sample at several noise levels (docs/model.md: Training).

        Args:
            given: Cognition feature from :meth:`cognition`, state and masks (bool).
            actions: (B, steps, action_dim) normalised.
            settings: Weights, repeats, dropout and prefixes; None: as in pre-training.
            draws: Random numbers in place of drawing them here.
        """
        settings, draws = settings or LossSettings(), draws or LossDraws()
        rows_of = replace(given, cognition=given.cognition.to(actions.dtype)).repeated(settings.repeats)
        cognition, action_mask = rows_of.cognition, rows_of.action_mask
        actions = actions.repeat(settings.repeats, 1, 1)
        rows, device = len(actions), actions.device
        noise, timesteps, dropped, lengths = draws.noise, draws.timesteps, draws.dropped, draws.prefix_lengths
        if noise is None:
            noise = torch.randn_like(actions)
        if timesteps is None:
            timesteps = torch.randint(0, self.diffusion.levels, (rows,), device=device)
        if dropped is None and self.training and settings.cognition_dropout > 0:
            dropped = torch.rand(rows, device=device) < settings.cognition_dropout
        if dropped is not None:
            empty = self.expert.unconditional.to(cognition.dtype)
            cognition = torch.where(dropped[:, None, None], empty, cognition)
        noisy, loss_mask = self.diffusion.add_noise(actions, noise, timesteps), action_mask
        if lengths is None and settings.max_prefix > 0:
            lengths = torch.randint(0, settings.max_prefix + 1, (rows,), device=device)
        if lengths is not None:
            clean = (torch.arange(actions.shape[1], device=device) < lengths[:, None])[..., None]
            noisy, loss_mask = torch.where(clean, actions, noisy), action_mask & ~clean
            timesteps = self.expert.token_timesteps(timesteps, lengths)
        predicted = self.expert(noisy, timesteps, cognition, rows_of.state, rows_of.state_mask, action_mask)
        return component_loss(predicted, noise, loss_mask, settings.weights.repeat(settings.repeats))


def told_cognition(model: Vitra, places: Tensor) -> Tensor:
    """Cognition feature (1, 1, width) of a network that is told normalised places (numbers,) and sees nothing.

    Raises:
        PlacesError: the network does not know of places.
    """
    if model.places is None:
        raise PlacesError(f"Model '{model.config.name}' is not asked for places, so it cannot be told any.")
    nothing = torch.zeros(1, 1, model.config.language.width, device=model.places.into.weight.device)
    return model.places.joined(nothing, places[None].to(nothing.device))
