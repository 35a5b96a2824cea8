"""Train the small model by imitation on cached features; may be cut and started again at any time.

python -m vitra_training.imitation.train runs/demonstrations --out runs/imitation
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from vitra_policy.action_space import Hands, action_mask, pad_action, pad_state, state_mask
from vitra_policy.checkpoint.store import Provenance, save_model
from vitra_policy.errors import VitraError
from vitra_policy.model.config import preset
from vitra_policy.model.loss import ROBOT_WEIGHTS
from vitra_policy.model.vla import Vitra
from vitra_training.imitation.features import pretrained_tower
from vitra_training.imitation.table import GEOMETRY, Looks, load_looks, statistics_of

console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Args:
    """Imitation of the scripted expert: diffusion loss on its chunks, and where things are as a second task."""

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of demonstrations that have features."""
    out: Path = Path("runs/imitation")
    """Where the run's state and the checkpoint go."""
    model: str = "mini-lite0"
    """Preset of the network."""
    seeing_steps: int = 3000
    """First so many steps teach only where things are."""
    steps: int = 12000
    """All steps."""
    batch: int = 64
    """Looks per step."""
    stills: float = 0.35
    """Share of single looks at distinct scenes in a batch."""
    repeats: int = 4
    """Noise levels per look."""
    learning_rate: float = 5e-4
    """At its highest; warms up over 300 steps and falls to nothing."""
    geometry_weight: float = 0.5
    """Weight of the second task."""
    held_out: int = 25
    """Every so many-th episode is held out."""
    save_every: int = 500
    """Steps between two saves."""
    seed: int = 0
    """Seed of everything."""
    threads: int = 1
    """CPU threads."""


class Learner(nn.Module):
    """The network and the head that says where things are."""

    def __init__(self, vitra: Vitra) -> None:
        super().__init__()
        width = vitra.config.language.width
        self.vitra = vitra
        self.geometry = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3 * len(GEOMETRY)))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Tensors of one step."""

    tower: Tensor
    text: Tensor
    fov_rad: Tensor
    state: Tensor
    state_mask: Tensor
    actions: Tensor
    action_mask: Tensor
    geometry: Tensor


class Batches:
    """Draws looks: some from stills, the others from episodes."""

    def __init__(self, looks: Looks, args: Args, statistics: Any) -> None:
        self._looks, self._args = looks, args
        held = looks.episode % args.held_out == 0
        self.train = [np.flatnonzero(~held & looks.still), np.flatnonzero(~held & ~looks.still)]
        self.held_out = [np.flatnonzero(held & looks.still), np.flatnonzero(held & ~looks.still)]
        self._state = pad_state(statistics.normalise_state(looks.state)).astype(np.float32)
        self._actions = statistics.normalise_action(looks.actions).astype(np.float32)
        hands = [Hands(left=True), Hands(right=True)]
        self._state_masks = np.stack([state_mask(h) for h in hands])
        self._action_masks = np.stack([action_mask(h, steps=looks.actions.shape[1]) for h in hands])
        self.geometry_mean = looks.geometry.mean(axis=0)
        self.geometry_std = np.maximum(looks.geometry.std(axis=0), 2e-3)

    def draw(self, rng: np.random.Generator) -> Batch:
        """A batch for a training step."""
        stills, moving = self.train
        count = round(self._args.batch * self._args.stills) if len(moving) else self._args.batch
        count = count if len(stills) else 0
        chosen = [rng.choice(stills, count), rng.choice(moving, self._args.batch - count)] if len(moving) else []
        return self.of(np.concatenate(chosen) if chosen else rng.choice(stills, count))

    def of(self, indices: np.ndarray) -> Batch:
        """The batch of these looks."""
        looks = self._looks
        episodes, hands = looks.episode[indices], looks.hand[indices]
        text = looks.text[episodes]
        text = text[:, : max(int((text != 0).sum(axis=1).max()), 1)]
        mask = torch.from_numpy(self._state_masks[hands])
        return Batch(
            tower=torch.from_numpy(np.stack([looks.map_of(i) for i in indices]).astype(np.float32)),
            text=torch.from_numpy(text),
            fov_rad=torch.from_numpy(looks.fov_rad[episodes]),
            state=torch.from_numpy(self._state[indices]) * mask,
            state_mask=mask,
            actions=torch.from_numpy(pad_action(self._actions[indices]).astype(np.float32)),
            action_mask=torch.from_numpy(self._action_masks[hands]),
            geometry=torch.from_numpy((looks.geometry[indices] - self.geometry_mean) / self.geometry_std),
        )


def losses(learner: Learner, batch: Batch, args: Args, acting: bool) -> tuple[Tensor, dict[str, float]]:
    """Loss of a batch, and its parts."""
    with torch.autocast("cpu", torch.bfloat16):
        cognition = learner.vitra.cognition_of(batch.tower, batch.text, batch.fov_rad, batch.text != 0)
        predicted = learner.geometry(cognition[:, 0])
    geometry = torch.nn.functional.smooth_l1_loss(predicted.float(), batch.geometry, beta=0.1)
    if not acting:
        return geometry, {"geometry": float(geometry.detach())}
    with torch.autocast("cpu", torch.bfloat16):
        acted = learner.vitra.loss(
            cognition.float(), batch.actions, batch.state, batch.state_mask, batch.action_mask,
            weights=ROBOT_WEIGHTS, repeats=args.repeats, cognition_dropout=0.05,
        )  # fmt: skip
    total = acted.total + args.geometry_weight * geometry
    return total, {"geometry": float(geometry.detach()), "action": float(acted.total.detach())}


@torch.inference_mode()
def judge(learner: Learner, batches: Batches, rng: np.random.Generator, looks: int = 256) -> dict[str, float]:
    """Errors on held-out looks: positions in mm (median), and the wrist's place at the end of the chunk."""
    learner.eval()
    found: dict[str, float] = {}
    for name, pool in zip(("still", "moving"), batches.held_out, strict=True):
        if not len(pool):
            continue
        batch = batches.of(rng.choice(pool, min(looks, len(pool)), replace=False))
        cognition = learner.vitra.cognition_of(batch.tower, batch.text, batch.fov_rad, batch.text != 0)
        error = (learner.geometry(cognition[:, 0]) - batch.geometry).numpy() * batches.geometry_std * 1e3
        for index, what in enumerate(GEOMETRY):
            found[f"{name}_{what}_mm"] = float(np.median(np.linalg.norm(error[:, 3 * index : 3 * index + 3], axis=1)))
    learner.train()
    return found


def run(args: Args) -> Path:
    """Train, or go on where a run was cut; returns the checkpoint's folder.

    Raises:
        VitraError: nothing to learn from.
    """
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    config = preset(args.model)
    looks = load_looks(args.folders, config)
    statistics = statistics_of(looks, "vitra_sim")
    batches = Batches(looks, args, statistics)
    learner = Learner(Vitra(config))
    learner.vitra.vision = pretrained_tower()
    learner.vitra.freeze_vision()
    trained = [p for p in learner.parameters() if p.requires_grad]
    decay = [p for p in trained if p.ndim > 1]
    plain = [p for p in trained if p.ndim <= 1]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}])
    args.out.mkdir(parents=True, exist_ok=True)
    state_file, log_file = args.out / "state.pt", args.out / "log.jsonl"
    average = {name: p.detach().clone() for name, p in learner.named_parameters() if p.requires_grad}
    step = 0
    if state_file.exists():
        saved = torch.load(state_file, weights_only=True)
        learner.load_state_dict(saved["learner"])
        optimizer.load_state_dict(saved["optimizer"])
        average, step = saved["average"], int(saved["step"])
    console.print(f"{len(looks)} looks of {len(looks.features)} episodes; step {step} of {args.steps}")
    learner.train()
    sums: dict[str, list[float]] = {}
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("", total=args.steps, completed=step)
        while step < args.steps:
            rng = np.random.default_rng([args.seed, step])
            torch.manual_seed(args.seed * 1_000_003 + step)  # a run that was cut goes on as if it had not been
            acting = step >= args.seeing_steps
            warm, left = min((step + 1) / 300, 1.0), 0.5 * (1 + np.cos(np.pi * step / args.steps))
            for group in optimizer.param_groups:
                group["lr"] = float(args.learning_rate * warm * max(left, 0.02))
            loss, parts = losses(learner, batches.draw(rng), args, acting)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            step += 1
            keep = min(0.999, step / (step + 10))
            with torch.no_grad():
                for name, p in learner.named_parameters():
                    if name in average:
                        average[name].lerp_(p, 1 - keep)
            for key, value in parts.items():
                sums.setdefault(key, []).append(value)
            progress.update(
                bar, advance=1, description=" ".join(f"{k} {np.mean(v[-50:]):.3f}" for k, v in sums.items())
            )
            if step % args.save_every == 0 or step == args.steps:
                row = {"step": step, "time_s": time.time()} | {k: float(np.mean(v)) for k, v in sums.items()}
                live = {name: p.detach().clone() for name, p in learner.named_parameters() if name in average}
                learner.load_state_dict(average, strict=False)
                row |= judge(learner, batches, np.random.default_rng(0))
                made = Provenance("vitra_training.imitation.train", training=_plain(args) | row)
                save_model(
                    args.out / "checkpoint", learner.vitra, statistics=statistics, provenance=made, overwrite=True
                )
                learner.load_state_dict(live, strict=False)
                saved = {"learner": learner.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
                torch.save(saved | {"average": average}, state_file.with_suffix(".partial"))
                state_file.with_suffix(".partial").replace(state_file)
                with log_file.open("a") as log:
                    log.write(json.dumps(row) + "\n")
                sums = {}
    return args.out / "checkpoint"


def _plain(args: Args) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(args), default=str))  # type: ignore[no-any-return]


def main() -> int:
    """Entry point."""
    args = tyro.cli(Args, description=__doc__)
    try:
        checkpoint = run(args)
    except VitraError as error:
        console.print(f"[red]imitation:[/red] {error}")
        return 2
    except KeyboardInterrupt:
        console.print("[yellow]imitation:[/yellow] cut; start it again to go on.")
        return 130
    console.print(f"Checkpoint: {checkpoint} (policy:=vitra policy_options:=mode=parity checkpoint:={checkpoint})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
