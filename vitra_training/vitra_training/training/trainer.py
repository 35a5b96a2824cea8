"""The training loop: batches in, checkpoints out, exact to the sample whatever interrupts it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vitra_policy.model.vla import Vitra
from vitra_policy.statistics import Statistics
from vitra_training.datasets.samples.loader import Loader, LoaderOptions
from vitra_training.training.average import MovingAverage
from vitra_training.training.batch import TrainBatch
from vitra_training.training.blind import BlindBound
from vitra_training.training.checkpoints import CheckpointFolder, PolicyParts, Progress, TrainingState
from vitra_training.training.config import TrainConfig
from vitra_training.training.data import TrainingData
from vitra_training.training.distributed import Team, like, parameters_of, share, tensor_set, whole_number
from vitra_training.training.errors import NotFiniteTrainingError
from vitra_training.training.evaluation import evaluate, write_evaluation
from vitra_training.training.examples import Examples, collate_examples
from vitra_training.training.feed import feed
from vitra_training.training.metrics_logger import MetricsLogger
from vitra_training.training.network import Sampling, TrainingNetwork, valid_components
from vitra_training.training.optimizer import apply_rates, make_optimizer, named_states
from vitra_training.training.schedule import rates_at
from vitra_training.training.stopping import StopRequest

CHECKPOINTS, EVALUATION = "checkpoints", "evaluation"


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one optimizer step measured, over all processes."""

    loss: float
    grad_norm: float
    components: dict[str, float]


class Trainer:
    """One run on one process of a team.

    Args:
        config: settings.
        settings: the same as JSON.
        vitra: network with its initial weights.
        tokenizer_file: tokenizer of the network.
        data: what is read.
        team: the processes.
    """

    def __init__(
        self,
        config: TrainConfig,
        settings: dict[str, Any],
        vitra: Vitra,
        tokenizer_file: Path | None,
        data: TrainingData,
        team: Team,
    ) -> None:
        self.config, self.team, self._data, self._settings = config, team, data, settings
        self._network_config, self._tokenizer_file = vitra.config, tokenizer_file
        self.micro_batch = config.micro_batch(team.world_size)
        self._micro_batches = config.run.batch_size // (self.micro_batch * team.world_size)
        self.model: nn.Module = share(
            TrainingNetwork(vitra, config.loss, config.run.precision == "bf16"), team, config.run
        )
        self.parameters = parameters_of(self.model)
        self.optimizer = make_optimizer(self.parameters.items(), config.optimizer)
        self.average = MovingAverage(self.parameters, config.run.ema_decay) if config.run.ema_decay else None
        self.folder = CheckpointFolder(config.directory / CHECKPOINTS, config.run.keep)
        self._blind = BlindBound(vitra.config.expert.steps, vitra.config.diffusion_steps, config.loss)
        self.step, self.place = 0, 0
        self.report: dict[str, Any] = {}

    @property
    def statistics(self) -> Statistics:
        """Statistics that go with the checkpoints."""
        return self._data.statistics

    @torch.no_grad()
    def begin_with(self, weights: Mapping[str, Tensor]) -> None:
        """Take this process's share of the weights that the run begins with.

        Args:
            weights: Whole tensors by parameter name; those mapped from a file are read in part.
        """
        for name, parameter in self.parameters.items():
            parameter.copy_(like(weights[name], parameter))
            if self.average is not None and name in self.average.values:
                self.average.values[name].copy_(parameter.detach())

    def restore(self, checkpoint: Path) -> None:
        """Go on exactly where a checkpoint was written, on any number of processes.

        Raises:
            BrokenTrainingStateError: it cannot be read.
        """
        progress, state = self.folder.load(checkpoint)
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(like(state.weights[name], parameter))
                if self.average is not None and name in self.average.values:
                    self.average.values[name].copy_(like(state.average[name], parameter))
        for name, parameter, _ in named_states(self.optimizer):
            if f"step/{name}" in state.optimizer:
                count = state.optimizer[f"step/{name}"]
                self.optimizer.state[parameter] = {
                    "step": count.to(parameter.device) if self.optimizer.defaults["fused"] else count,
                    **{key: like(state.optimizer[f"{key}/{name}"], parameter) for key in ("exp_avg", "exp_avg_sq")},
                }
        self.step, self.place = progress.step, progress.place

    def run(self, journal: MetricsLogger, stop: StopRequest) -> None:
        """Train to the last step, or until a signal asks to stop; the last step done is saved either way.

        Raises:
            NotFiniteTrainingError: NaN; the last checkpoint stays as it is.
        """
        cfg = self.config.run
        if cfg.evaluate_first and self.step == 0:
            self.evaluate(journal)
        loader = self._loader(self._data.train, self.place, cfg.seed)
        batches = feed(loader)
        clock = _Clock(cfg.batch_size)
        while self.step < cfg.steps:
            result = self._optimize(batches)
            self.step += 1
            self.place += cfg.batch_size
            self.report = loader.report.as_dict()
            journal.advance(self.step)
            if self.step % cfg.log_every == 0 or self.step == cfg.steps:
                journal.record(self.step, self._metrics(result) | clock.tick(self.step))
            stopping = self.team.any(stop.signal is not None)
            if stopping or self.step % cfg.save_every == 0 or self.step == cfg.steps:
                self.save()
            if stopping:
                break
            if cfg.evaluate_every and self.step % cfg.evaluate_every == 0 and self.step < cfg.steps:
                self.evaluate(journal)
        if self.step >= cfg.steps:
            self.evaluate(journal)

    def save(self) -> Path | None:
        """Write a checkpoint; every process must call it."""
        moments = {f"{k}/{n}": v for n, _, state in named_states(self.optimizer) for k, v in state.items()}
        average = {**self.parameters, **self.average.values} if self.average else {}
        state = TrainingState(
            tensor_set(self.parameters, self.team), tensor_set(average, self.team), tensor_set(moments, self.team)
        )
        path = None
        if self.team.leads:
            progress = Progress(self.step, self.place, self._settings, self._data.content)
            parts = PolicyParts(self._network_config, self._data.statistics, self._tokenizer_file)
            path = self.folder.save(progress, state, parts)
        else:
            state.follow()
        self.team.wait()
        return path

    def evaluate(self, journal: MetricsLogger) -> dict[str, Any]:
        """Errors on held-out episodes, of the weights that the policy gets; every process must call it."""
        count = self.config.run.evaluate_samples
        if self._data.held_out is None or not count:
            return {}
        batches = -(-count // (self.micro_batch * self.team.world_size))
        if self.average:
            self.average.swap()
        loader = self._loader(self._data.held_out, 0, self.config.run.seed + 1)
        sampling = Sampling(guidance=self.config.run.evaluate_guidance)
        result = evaluate(
            self.model, islice(feed(loader), batches), self._data.by_set, self.team, sampling, self._blind
        )
        if self.average:
            self.average.swap()
        if self.team.leads:
            result = {"step": self.step, **result}
            path, plot = write_evaluation(result, self.config.directory / EVALUATION, f"step-{self.step:08d}")
            journal.record(self.step, {f"held_out/{name}": value for name, value in _flat(result).items()})
            journal.say(f"held out at step {self.step}: {_in_words(result)} ({path}, {plot.name})")
        return result

    def _optimize(self, batches: Iterator[TrainBatch]) -> StepResult:
        parts = [next(batches) for _ in range(self._micro_batches)]
        for part in parts if not self._blind.learnt else []:
            self._blind.learn(part.actions.numpy(), part.action_mask.numpy())
        prefix, team = self.config.loss.max_prefix, self.team
        counts = torch.stack([valid_components(part, prefix) for part in parts]).to(team.device)
        total = team.sum(counts.sum()).clamp(min=1)
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.zeros((), device=team.device)
        components: dict[str, torch.Tensor] = {}
        for part, count in zip(parts, counts, strict=True):
            partial, measured = self.model(part.to(team.device))
            # Replicas and shards average gradients over the processes; the share of the count makes that a sum.
            (partial * (count * team.world_size / total)).backward()
            loss += partial.detach() * count / total
            for name, value in measured.items():
                components[name] = components.get(name, 0) + value / (self._micro_batches * team.world_size)
        apply_rates(self.optimizer, rates := rates_at(self.step, self.config.run.steps, self.config.optimizer))
        norm = whole_number(
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimizer.clip_norm, foreach=None)
        )
        value = float(team.sum(loss))
        self._demand_finite("loss", value, parts)
        self._demand_finite("gradient", norm, parts)
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.step + 1)
        self._rates = rates
        return StepResult(value, norm, {name: float(team.sum(v)) for name, v in components.items()})

    def _demand_finite(self, what: str, value: float, parts: list[TrainBatch]) -> None:
        if not math.isfinite(value):
            samples = [f"{key.dataset}/{key.episode} frame {key.frame}" for part in parts for key in part.keys]
            bad = [s for s, ok in zip(samples, _finite_rows(parts), strict=True) if not ok]
            raise NotFiniteTrainingError(what, self.step + 1, bad or samples, self.folder.latest())

    def _metrics(self, result: StepResult) -> dict[str, float]:
        replaced = sum(item["count"] for item in self.report["replaced"])
        return {
            "loss": result.loss,
            **{f"loss/{name}": value for name, value in result.components.items()},
            "grad_norm": result.grad_norm,
            "lr/backbone": self._rates.backbone,
            "lr/expert": self._rates.expert,
            "data/replaced": replaced,
            "data/no_room": self.report["framings"].get("no_room", 0),
        }

    def _loader(self, samples: Any, start: int, seed: int) -> Loader:
        data, pad = self.config.data, self._network_config.tokenizer.pad_id
        options = LoaderOptions(
            batch_size=self.micro_batch,
            workers=data.workers,
            prefetch=data.prefetch,
            rank=self.team.rank,
            world_size=self.team.world_size,
            pin_memory=self.team.device.type == "cuda",
        )
        examples: Any = Examples(samples, self._network_config, self.config.loss, seed, self._tokenizer_file)
        collate: Any = Collate(pad)
        return Loader(examples, options, start, collate)


@dataclass(frozen=True, slots=True)
class Collate:
    """Stacks examples; picklable, for loader workers."""

    pad_id: int

    def __call__(self, examples: Any) -> TrainBatch:
        """The batch."""
        return collate_examples(examples, self.pad_id)


class _Clock:
    """Samples per second since the last tick."""

    def __init__(self, batch: int) -> None:
        self._batch, self._step, self._time = batch, -1, time.monotonic()

    def tick(self, step: int) -> dict[str, float]:
        now, steps = time.monotonic(), step - self._step if self._step >= 0 else 0
        rate = self._batch * steps / max(now - self._time, 1e-9)
        self._step, self._time = step, now
        return {"samples_per_s": rate} if steps else {}


def _finite_rows(parts: list[TrainBatch]) -> list[bool]:
    rows: list[bool] = []
    for part in parts:
        numbers = torch.cat([part.actions.flatten(1), part.state, part.fov_rad], dim=1)
        rows += numbers.isfinite().all(dim=1).tolist()
    return rows


def _flat(result: dict[str, Any]) -> dict[str, float]:
    values: dict[str, float] = {name: value for name, value in result.items() if name.startswith("loss")}
    mean: dict[str, float] = result["mean"]
    return values | mean


def _in_words(result: dict[str, Any]) -> str:
    mean = result["mean"]
    blind = f" (blind bound {result['loss_blind']:.4f})" if "loss_blind" in result else ""
    return (
        f"loss {result['loss']:.4f}{blind}, wrist {mean['wrist_mm']:.1f} mm (mean of {result['samples_per_chunk']} "
        f"samples {mean['wrist_mm_mean']:.1f}, best {mean['wrist_mm_best']:.1f}, standing still "
        f"{mean['wrist_mm_still']:.1f}) and {mean['wrist_deg']:.1f} degrees, joints {mean['joint_deg']:.1f} degrees"
    )
