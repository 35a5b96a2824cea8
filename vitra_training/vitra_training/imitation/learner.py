"""The network with its second task, and the losses of the two stages: first seeing, then acting on what is seen.

Seeing trains the words, the grounding and a head that reads places off the keypoint tokens; nothing else runs, so a
step costs a third. The words must also say which colour and kind they name; without that it takes thousands of steps
until they choose between two objects. Acting keeps all this: the tokens of every look are computed once, and trunk and
action expert train on those.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from vitra_policy.model.grounding import Grounding
from vitra_policy.model.loss import ROBOT_WEIGHTS
from vitra_policy.model.vla import Vitra
from vitra_training.imitation.batches import ActingBatch, SeeingBatch
from vitra_training.imitation.table import GEOMETRY

_HEAD_WIDTH = 256
_READING = 0.3
_BETA = 0.1  # of the smooth L1 loss over normalised places: beyond it an error counts by its size


class Learner(nn.Module):
    """The network and the heads that say where things are: from the keypoints, and from the cognition feature.

    Args:
        vitra: The network.
        words: How many colours and how many kinds are named in the data.
    """

    def __init__(self, vitra: Vitra, words: tuple[int, ...]) -> None:
        super().__init__()
        width, numbers = vitra.config.language.width, 3 * len(GEOMETRY)
        self.vitra = vitra
        self.seen = nn.Sequential(
            nn.Flatten(), nn.Linear(vitra.config.grounding.keypoints * width, _HEAD_WIDTH), nn.ReLU(),
            nn.Linear(_HEAD_WIDTH, numbers),
        )  # fmt: skip
        self.read = nn.ModuleList(nn.Linear(vitra.config.grounding.width, count) for count in words)
        self.meant = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, numbers))

    def seeing(self) -> list[str]:
        """Names of the parameters that the first stage trains."""
        chosen: tuple[tuple[str, nn.Module], ...] = (
            ("vitra.projector", self.vitra.projector),
            ("vitra.language.embedding", self.vitra.language.embedding),
            ("seen", self.seen),
            ("read", self.read),
        )
        return [f"{prefix}.{name}" for prefix, module in chosen for name, _ in module.named_parameters()]

    def acting(self) -> list[str]:
        """Names of the parameters that the second stage trains."""
        first = set(self.seeing())
        return [n for n, _ in self.named_parameters() if n not in first and not n.startswith("vitra.vision.")]

    def only_train(self, names: Iterable[str]) -> list[nn.Parameter]:
        """Freeze everything but these parameters, and return them."""
        chosen = set(names)
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name in chosen)
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def tokens(self, tower: Tensor, text: Tensor) -> Tensor:
        """Keypoint tokens (B, keypoints, width) of feature maps and token ids (B, T) of instructions, 0 for padding."""
        assert isinstance(self.vitra.projector, Grounding)
        return self.vitra.image_features(tower, self.vitra.language.embedding(text), text != 0)

    def reading_loss(self, text: Tensor, named: Tensor) -> Tensor:
        """Cross entropy of the colours and kinds (B, 2) that instructions name."""
        assert isinstance(self.vitra.projector, Grounding)
        words = self.vitra.projector.words(self.vitra.language.embedding(text), text != 0)
        losses = [nn.functional.cross_entropy(head(words), named[:, i]) for i, head in enumerate(self.read)]
        return torch.stack(losses).mean()


def seeing_loss(learner: Learner, batch: SeeingBatch) -> tuple[Tensor, dict[str, float]]:
    """Loss of the first stage."""
    with torch.autocast(batch.tower.device.type, torch.bfloat16):
        tokens = learner.tokens(batch.tower, batch.text)
    places = places_loss(learner.seen(tokens.float()), batch.places)
    read = learner.reading_loss(batch.text, batch.named)
    return places + _READING * read, {"seen": float(places.detach()), "read": float(read.detach())}


def acting_loss(learner: Learner, batch: ActingBatch, repeats: int, places: float) -> tuple[Tensor, dict[str, float]]:
    """Loss of the second stage, and its parts; `places` weighs the second task."""
    with torch.autocast(batch.tokens.device.type, torch.bfloat16):
        cognition = learner.vitra.cognition_of_tokens(batch.tokens, batch.text, batch.fov_rad, batch.text != 0)
        meant = places_loss(learner.meant(cognition[:, 0]).float(), batch.places)
        acted = learner.vitra.loss(
            cognition.float(), batch.actions, batch.state, batch.state_mask, batch.action_mask,
            weights=ROBOT_WEIGHTS, repeats=repeats, cognition_dropout=0.05,
        )  # fmt: skip
    parts = {"action": float(acted.total.detach()), "meant": float(meant.detach())}
    return acted.total + places * meant, parts


def places_loss(predicted: Tensor, places: Tensor) -> Tensor:
    """How far normalised places are off."""
    return nn.functional.smooth_l1_loss(predicted, places, beta=_BETA)
