"""Train the small model by imitation; may be cut and started again at any time.

python -m vitra_training.imitation.train runs/demonstrations --out runs/imitation

On a CPU it trains on cached features (vitra_training.imitation.features). On a GPU: --device cuda, and --tower learns
to train the image tower too, on images instead of features.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import nn

from vitra_policy.checkpoint.store import About, Provenance, open_checkpoint, save_model
from vitra_policy.command_errors import print_error
from vitra_policy.errors import VitraError
from vitra_policy.loading import choose_device
from vitra_policy.model.config import preset
from vitra_policy.model.vla import Vitra
from vitra_policy.places import NUMBERS, TURN
from vitra_policy.statistics import Statistics
from vitra_training.imitation.batches import Batches
from vitra_training.imitation.earlier_runs import EarlierRunError, read_run, take_acting, take_seeing
from vitra_training.imitation.features import pretrained_tower
from vitra_training.imitation.judging import judge
from vitra_training.imitation.learner import TOWER, Learner, acting_loss, seeing_loss
from vitra_training.imitation.settings import Args, check_args
from vitra_training.imitation.table import load_looks, statistics_of

console = Console(stderr=True, highlight=False)
_LOOKS_AT_ONCE = 64


class Run:
    """A training run that can be cut and gone on with.

    Args:
        args: Its settings.

    Raises:
        VitraError: nothing to learn from, or settings that cannot be.
    """

    def __init__(self, args: Args) -> None:
        check_args(args)
        device = choose_device(args.device, "fast")
        torch.set_num_threads(args.threads)
        torch.manual_seed(args.seed)
        torch.backends.cudnn.benchmark = True
        self.args, config = args, preset(args.model)
        learns = args.tower == "learns"
        looks = load_looks(args.folders, config, images=learns, workers=args.workers)
        self.step_s = looks.step_s
        self.statistics: Statistics = statistics_of(looks, "vitra_sim")
        if args.acting_from is not None:
            self.statistics = open_checkpoint(args.acting_from).statistics or self.statistics
        self.batches = Batches(looks, self.statistics, args.held_out, device)
        self._said_off = torch.from_numpy((args.said_off_m / self.batches.places_std).astype(np.float32))
        self._said_off[TURN.start :] = 0.0
        self.learner = Learner(Vitra(config), self.batches.words, learns)
        self.learner.vitra.vision = pretrained_tower()
        self.learner.train().to(device)
        self.step = 0
        self._stage(self.learner.seeing())
        args.out.mkdir(parents=True, exist_ok=True)
        self._state, self._log = args.out / "state.pt", args.out / "log.jsonl"
        if self._state.exists():
            self._load()
        elif args.seeing_from is not None:
            self.batches.places_mean, self.batches.places_std = take_seeing(self.learner, args.seeing_from)
            self._stage(self.learner.seeing())  # averages begin with what was taken
        what = f"{len(looks)} looks of {len(looks.features)} episodes"
        console.print(f"{what}; step {self.step} of {args.steps}, {args.seeing_steps} of them seeing")

    @property
    def acting(self) -> bool:
        """Whether the second stage has begun."""
        return self.step >= self.args.seeing_steps

    @property
    def averages(self) -> dict[str, torch.Tensor]:
        """Averaged weights of what the present stage trains."""
        return self._average

    def take_step(self) -> dict[str, float]:
        """One step; returns the parts of its loss."""
        args = self.args
        if self.acting and self.batches.said is None:
            self.begin_acting()
        rng = np.random.default_rng([args.seed, self.step])
        torch.manual_seed(args.seed * 1_000_003 + self.step)  # a run that was cut goes on as if it had not been
        first, last = (args.seeing_steps, args.steps) if self.acting else (0, min(args.seeing_steps, args.steps))
        for group in self._optimizer.param_groups:
            group["lr"] = group["relative"] * args.learning_rate * _schedule(self.step - first, last - first)
        if self.acting:
            batch = self.batches.acting(self.batches.draw(rng, args.batch, args.stills))
            batch.said.add_((torch.randn(batch.said.shape) * self._said_off).to(batch.said.device))
            told = (torch.rand(args.batch) < args.told).to(batch.said.device)
            loss, parts = acting_loss(self.learner, batch, args.repeats, told)
        else:
            seen = self.batches.seeing(self.batches.draw(rng, args.seeing_batch, args.seeing_stills))
            loss, parts = seeing_loss(self.learner, seen, self.step % args.think_every == 0)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._trained.values(), 1.0)
        self._optimizer.step()
        self.step += 1
        keep = min(0.999, self.step / (self.step + 10))
        with torch.no_grad():
            torch._foreach_lerp_([*self._average.values()], [*self._trained.values()], 1 - keep)
        return parts

    def save(self, row: dict[str, Any]) -> dict[str, Any]:
        """Judge the averaged weights, write them as a checkpoint, and all that is needed to go on."""
        live = {name: p.detach().clone() for name, p in self._trained.items()}
        self.learner.load_state_dict(self._average, strict=False)
        row = row | judge(self.learner, self.batches, self.statistics)
        scale = {"places_mean": self.batches.places_mean.tolist(), "places_std": self.batches.places_std.tolist()}
        said = _plain(self.args) | {"step_s": self.step_s} | scale | row
        made = Provenance("vitra_training.imitation.train", training=said)
        save_model(
            self.args.out / "checkpoint",
            self.learner.vitra,
            dtype=torch.float16,
            overwrite=True,
            about=About(statistics=self.statistics, provenance=made),
        )
        self.learner.load_state_dict(live, strict=False)
        saved = {"learner": self.learner.state_dict(), "optimizer": self._optimizer.state_dict(), "step": self.step}
        places = {"places": torch.from_numpy(np.stack([self.batches.places_mean, self.batches.places_std]))}
        partial = self._state.with_suffix(".partial")
        torch.save(saved | {"average": self._average} | places, partial)
        partial.replace(self._state)
        with self._log.open("a") as log:
            log.write(json.dumps(row) + "\n")
        return row

    def _stage(self, names: list[str]) -> None:
        """Train only these from now on, with an optimizer and averages of their own."""
        self.learner.only_train(names)
        self._trained = {name: p for name, p in self.learner.named_parameters() if p.requires_grad}
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, p in self._trained.items():
            groups.setdefault((name.startswith(TOWER), p.ndim > 1), []).append(p)
        self._optimizer = torch.optim.AdamW(
            [
                {"params": some, "weight_decay": 0.02 if decays else 0.0, "relative": self.args.tower_rate**is_tower}
                for (is_tower, decays), some in groups.items()
            ],
            fused=True,
        )
        self._average = {name: p.detach().clone() for name, p in self._trained.items()}

    @torch.inference_mode()
    def _look_at_everything(self) -> None:
        """Keep what the network makes of the looks that acting needs; who is told the truth makes nothing of them."""
        vitra, batches = self.learner.vitra, self.batches
        thought = torch.zeros((len(batches), vitra.config.language.width), device=batches.device)
        said = torch.zeros((len(batches), NUMBERS), device=batches.device)
        needed = np.concatenate([*batches.held_out, *batches.train[0 if self.args.stills > 0 else 1 :]])
        for start in range(0, len(needed) if self.args.told < 1 else 0, _LOOKS_AT_ONCE):
            some = needed[start : start + _LOOKS_AT_ONCE]
            seen = batches.seeing(some)
            with torch.autocast(batches.device.type, torch.bfloat16):
                tokens = self.learner.tokens(seen.seen, seen.text)
                trunk = vitra.trunk_of_tokens(tokens, seen.text, seen.fov_rad, seen.text != 0)
            at = torch.from_numpy(some).to(batches.device)
            thought[at], said[at] = trunk[:, 0].float(), self.learner.places(tokens)
        batches.thought, batches.said = thought, said

    def begin_acting(self) -> None:
        """Keep what seeing has learned, look at everything once, and train the rest."""
        if set(self._trained) == set(self.learner.seeing()):
            self.learner.load_state_dict(self._average, strict=False)
            if self.args.acting_from is not None:
                scale = (self.batches.places_mean, self.batches.places_std)
                take_acting(self.learner, self.args.acting_from, scale)
            self._stage(self.learner.acting())
        self._look_at_everything()

    def _load(self) -> None:
        saved = read_run(self.learner, self.args.out, self.batches.device)
        self.step = int(saved["step"])
        self.batches.places_mean, self.batches.places_std = saved["places"].cpu().numpy()  # also with more episodes
        trained = set(saved["average"])
        if trained == set(self.learner.acting()):
            self._stage(self.learner.acting())
        elif trained != set(self.learner.seeing()):
            raise EarlierRunError(
                f"The run in {self.args.out} began with another --tower: give that, or another --out."
            )
        self._optimizer.load_state_dict(saved["optimizer"])
        self._average = saved["average"]
        if self.acting:
            self.begin_acting()


def _schedule(step: int, steps: int) -> float:
    """Learning rate relative to its highest: warm-up, then half a cosine."""
    warm = min((step + 1) / min(200, max(steps // 4, 1)), 1.0)
    return float(warm * max(0.5 * (1 + np.cos(np.pi * step / max(steps, 1))), 0.01))


def run(args: Args) -> Path:
    """Train, or go on where a run was cut; returns the checkpoint's folder.

    Raises:
        VitraError: nothing to learn from.
    """
    training = Run(args)
    sums: dict[str, list[float]] = {}
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("", total=args.steps, completed=training.step)
        while training.step < args.steps:
            for key, value in training.take_step().items():
                sums.setdefault(key, []).append(value)
            said = " ".join(f"{k} {np.mean(v[-50:]):.3f}" for k, v in sums.items())
            progress.update(bar, advance=1, description=said)
            if training.step % args.save_every == 0 or training.step in (args.steps, args.seeing_steps):
                means = {key: float(np.mean(values)) for key, values in sums.items()}
                row = training.save({"step": training.step, "time_s": time.time()} | means)
                console.print(" ".join(f"{k} {v:.3g}" for k, v in row.items() if k != "time_s"))
                sums = {}
    return args.out / "checkpoint"


def _plain(args: Args) -> dict[str, Any]:
    """As JSON has it, with folders by their names: where they lay is nobody's business."""
    return json.loads(json.dumps(asdict(args), default=lambda path: path.name))  # type: ignore[no-any-return]


def main() -> int:
    """Entry point."""
    args = tyro.cli(Args, prog="python -m vitra_training.imitation.train", description=__doc__)
    try:
        checkpoint = run(args)
    except VitraError as error:
        print_error(console, "imitation", error)
        return 2
    except KeyboardInterrupt:
        console.print("[yellow]imitation:[/yellow] cut; start it again to go on.")
        return 130
    console.print(f"Checkpoint: {checkpoint} (policy:=learned checkpoint:={checkpoint})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
