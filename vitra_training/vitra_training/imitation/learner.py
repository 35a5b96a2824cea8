"""The network with its second task, and the losses of the two stages: first seeing, then acting on what is seen.

Seeing trains everything up to the cognition feature to say where things are, from the keypoint tokens and, now and
then since it costs as much again, from the trunk. The words must also say which colour and kind they name; without
that it takes thousands of steps until they choose between two objects. Acting keeps all this: what the network makes
of every look is computed once, and a step trains only the action expert on it. Some rows are told the true places
instead, so that acting is learned sharply and can be judged apart from seeing.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from vitra_policy.model.grounding import Grounding
from vitra_policy.model.loss import ROBOT_WEIGHTS, LossSettings
from vitra_policy.model.sampling import Conditions
from vitra_policy.model.vla import Vitra
from vitra_policy.places import NUMBERS
from vitra_training.imitation.augment import recoloured
from vitra_training.imitation.batches import ActingBatch, SeeingBatch

TOWER = "vitra.vision."
"""How the names of the image tower's parameters begin."""
_EDGES = (f"{TOWER}stem.", *(f"{TOWER}blocks.{index}." for index in range(3)))
"""What of the tower never learns: edges and colours are as in any image, and most of the work is there."""
_READING, _MEANING = 0.3, 0.3
_BETA = 0.1  # of the smooth L1 loss over normalised places: beyond it an error counts by its size


class Learner(nn.Module):
    """The network, and heads that say where things are by the trunk, and which colour and kind are named.

    Args:
        vitra: The network.
        words: How many colours and how many kinds are named in the data.
        tower_learns: Whether the first stage trains the image tower too.
    """

    def __init__(self, vitra: Vitra, words: tuple[int, ...], tower_learns: bool = False) -> None:
        super().__init__()
        self.tower_learns = tower_learns
        width = vitra.config.language.width
        assert vitra.places is not None
        self.vitra, self.where = vitra, vitra.places
        self.read = nn.ModuleList(nn.Linear(vitra.config.grounding.width, count) for count in words)
        self.meant = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, NUMBERS))

    def seeing(self) -> list[str]:
        """Names of the parameters that the first stage trains: all but those of the second, and a frozen tower."""
        acting, frozen = set(self.acting()), _EDGES if self.tower_learns else TOWER
        return [name for name, _ in self.named_parameters() if name not in acting and not name.startswith(frozen)]

    def acting(self) -> list[str]:
        """Names of the parameters that the second stage trains."""
        chosen = ("vitra.expert.", "vitra.places.into.")
        return [name for name, _ in self.named_parameters() if name.startswith(chosen)]

    def only_train(self, names: Iterable[str]) -> list[nn.Parameter]:
        """Freeze everything but these parameters, and return them."""
        chosen = set(names)
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name in chosen)
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def tokens(self, seen: Tensor, text: Tensor) -> Tensor:
        """Keypoint tokens (B, keypoints, width) of what is seen and of instructions.

        Args:
            seen: Feature maps, or images as uint8 (see `SeeingBatch`); while it trains, images vary in their colours.
            text: Token ids (B, T), 0 for padding.
        """
        assert isinstance(self.vitra.projector, Grounding)
        tower = seen
        if seen.dtype == torch.uint8:
            images = as_pixels(seen)
            tower = self.vitra.vision(recoloured(images) if self.training and torch.is_grad_enabled() else images)
        return self.vitra.image_features(tower, self.vitra.language.embedding(text), text != 0)

    def places(self, tokens: Tensor) -> Tensor:
        """Normalised places (B, NUMBERS) that keypoint tokens say."""
        return self.vitra.places_of_tokens(tokens)

    def reading_loss(self, text: Tensor, named: Tensor) -> Tensor:
        """Cross entropy of the colours and kinds (B, 2) that instructions name."""
        assert isinstance(self.vitra.projector, Grounding)
        words = self.vitra.projector.words(self.vitra.language.embedding(text), text != 0)
        losses = [nn.functional.cross_entropy(head(words), named[:, i]) for i, head in enumerate(self.read)]
        return torch.stack(losses).mean()


def as_pixels(images: Tensor) -> Tensor:
    """Images (B, H, W, 3) uint8 as the tower takes them, (B, 3, H, W) in [-1, 1]."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


def seeing_loss(learner: Learner, batch: SeeingBatch, think: bool) -> tuple[Tensor, dict[str, float]]:
    """Loss of the first stage, and its parts; `think`: with what the trunk makes of it.

    Args:
        learner: Trained.
        batch: Looks.
        think: Run the trunk too.
    """
    with torch.autocast(batch.seen.device.type, torch.bfloat16):
        tokens = learner.tokens(batch.seen, batch.text)
        thought = learner.vitra.trunk_of_tokens(tokens, batch.text, batch.fov_rad, batch.text != 0) if think else None
    seen, read = places_loss(learner.places(tokens), batch.places), learner.reading_loss(batch.text, batch.named)
    loss, parts = seen + _READING * read, {"seen": float(seen.detach()), "read": float(read.detach())}
    if thought is not None:
        meant = places_loss(learner.meant(thought[:, 0].float()), batch.places)
        loss, parts = loss + _MEANING * meant, parts | {"meant": float(meant.detach())}
    return loss, parts


def cognition(learner: Learner, batch: ActingBatch, told: Tensor) -> Tensor:
    """Cognition features (B, 1, width): true places alone where a row is told (B,), else what is seen.

    Args:
        learner: Its network.
        batch: Looks, with true places.
        told: (B,) bool.
    """
    places = torch.where(told[:, None], batch.places, batch.said)
    return learner.where.joined(batch.thought[:, None] * ~told[:, None, None], places)


def acting_loss(learner: Learner, batch: ActingBatch, repeats: int, told: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Loss of the second stage, and its parts; `told` (B,) says which rows are told the true places.

    Args:
        learner: Trained.
        batch: Looks with actions.
        repeats: Noise levels of each.
        told: (B,) bool.
    """
    device = batch.said.device.type
    with torch.autocast(device, torch.bfloat16), sdpa_kernel(SDPBackend.MATH):  # for 18 tokens three times as fast
        acted = learner.vitra.loss(
            Conditions(cognition(learner, batch, told), batch.state, batch.state_mask, batch.action_mask),
            batch.actions,
            LossSettings(ROBOT_WEIGHTS, repeats, cognition_dropout=0.0),
        )
    return acted.total, {"action": float(acted.total.detach())}


def places_loss(predicted: Tensor, places: Tensor) -> Tensor:
    """How far normalised places are off.

    Args:
        predicted: (B, numbers).
        places: (B, numbers).
    """
    return nn.functional.smooth_l1_loss(predicted, places, beta=_BETA)
