"""Everything a training run can be told, as frozen dataclasses; their docstrings are the command line's help."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from vitra_training.training.errors import TrainingConfigError


class SourceFormat(StrEnum):
    """How a data path is read."""

    AUTO = "auto"
    """Canonical store, VITRA-1M or TeleData, whichever lies there."""
    EGODEX = "egodex"
    """EgoDex: HDF5 with keypoint poses and mp4; finger rotations are fitted to the keypoints."""
    GRIPPER = "gripper"
    """LeRobot data of a gripper arm (Open X-Embodiment); the gripper opens and closes a hand."""


class Synthetic(StrEnum):
    """What is synthesized when a data path does not exist."""

    HUMAN = "human"
    """Rendered human episodes in VITRA-1M format."""
    ROBOT = "robot"
    """Rendered hands labelled as XHands, in TeleData format."""
    EGODEX = "egodex"
    """The same human episodes as EgoDex files."""
    GRIPPER = "gripper"
    """The same human episodes as LeRobot gripper data."""


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What is trained on."""

    paths: tuple[Path, ...] = ()
    """Data sets: canonical stores, folders of VITRA-1M or TeleData. Bags are converted first (`vitra-bag convert`)."""
    weights: tuple[float, ...] = ()
    """How much more often a frame of each data set comes than it would by its number; default 1 each."""
    video_root: Path | None = None
    """Where the videos of VITRA-1M annotations are, when they are elsewhere."""
    format: SourceFormat = SourceFormat.AUTO
    """How the paths are read."""
    annotations: Path | None = None
    """JSON with labelled windows per video; episodes are cut by them instead of their own (granularity baseline)."""
    latents: Path | None = None
    """Latent action model whose latents replace the actions (LAPA baseline); trained first when absent."""
    statistics: Path | None = None
    """Statistics to normalise with; computed from the data when not given."""
    statistics_frames: int | None = None
    """Frames per episode that statistics are computed from; default all."""
    reference_averaging: bool = False
    """Average the deviations of a mixture as the reference does, instead of pooling variances exactly."""
    holdout: float = 0.02
    """Share of episodes kept for evaluation, chosen by a hash of their id."""
    augment: bool = True
    """Random views, flips, colours and state masking."""
    flip_robot: bool = False
    """Mirror robot data too; needs statistics of both hands."""
    synthetic: Synthetic | None = None
    """Synthesize data at the first path when nothing is there."""
    synthetic_episodes: int = 300
    """How many episodes are synthesized."""
    workers: int = 4
    """Loader processes per training process."""
    prefetch: int = 2
    """Batches each of them keeps ready."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which network is trained, and from which weights."""

    preset: str | None = None
    """Network: 3b, mini or reduced; default that of the initial checkpoint, else 3b."""
    causal: bool | None = None
    """Causal attention over actions; `False` is the paper's bidirectional baseline. Default the preset's."""
    initial: Path | None = None
    """Checkpoint directory to start from."""
    initial_part: Literal["all", "backbone"] = "all"
    """`backbone`: take the vision-language weights only and start the action expert anew (no VLA pretraining)."""
    paligemma: Path | None = None
    """Folder of Hugging Face PaliGemma 2 weights (safetensors) to start the backbone from."""
    tokenizer: Path | None = None
    """tokenizer.json of PaliGemma; default the one beside the initial weights."""
    gradient_checkpointing: bool = True
    """Recompute activations in the backward pass: a third more compute for much less memory."""
    compile: bool = False
    """Compile the transformer layers with torch.compile."""


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """AdamW and its schedule, which is a function of the global step alone."""

    lr_backbone: float = 1e-5
    """Learning rate of projector, embedding and language layers; the vision tower is always frozen."""
    lr_expert: float = 1e-4
    """Learning rate of action expert, field-of-view encoder and cognition token."""
    shape: Literal["constant", "cosine"] = "constant"
    """Course of the learning rates after the warm-up; cosine falls to zero at the last step."""
    warmup_steps: int = 0
    """Steps over which learning rates rise linearly."""
    backbone_freeze_steps: int = 5000
    """First steps in which the backbone is not touched at all."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's decay rates."""
    weight_decay: float = 0.1
    """Decoupled decay of matrices; biases, norms and single vectors are left out."""
    decay_cognition_token: bool = False
    """Decay the cognition token too, as the reference does."""
    clip_norm: float = 1.0
    """Largest global norm of the gradient."""


@dataclass(frozen=True, slots=True)
class LossConfig:
    """What is minimised."""

    repeats: int = 8
    """Noise levels per sample (8 in pretraining, 2 in fine-tuning)."""
    cognition_dropout: float = 0.1
    """How often a noise draw goes without the cognition feature, for guidance."""
    max_prefix: int = 0
    """Longest clean prefix of committed steps in training-time real-time chunking; 0 switches it off."""
    human_wrist: float = 1.0
    """Weight of the wrist components of human data."""
    human_fingers: float = 1.0
    """Weight of the finger components of human data."""
    robot_wrist: float = 1.6
    """Weight of the wrist components of robot data."""
    robot_fingers: float = 0.4
    """Weight of the finger components of robot data."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How long, how fast and where."""

    name: str = "run"
    """Folder of the run below `out`."""
    out: Path = Path("runs/train")
    """Where runs lie; a shared file system when several machines train together."""
    steps: int = 100_000
    """Optimizer steps."""
    batch_size: int = 512
    """Samples per optimizer step over all processes."""
    micro_batch: int | None = None
    """Samples per process and forward pass; default all of a process's share at once."""
    seed: int = 42
    """Of order, augmentation, noise and fresh weights."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """Number format of the backbone's activations; weights and action expert stay fp32."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    sharding: Literal["auto", "fsdp2", "replicate"] = "auto"
    """How several processes share the work: FSDP2 or a full copy each (DDP); auto is FSDP2."""
    ema_decay: float = 0.0
    """Above 0, an exponential moving average of the weights is what the policy gets."""
    resume: Literal["auto", "never"] = "auto"
    """auto: go on from the last checkpoint of the run when there is one."""
    save_every: int = 1000
    """Steps between checkpoints; the last step is always saved."""
    keep: int = 3
    """Checkpoints kept; 0 keeps all."""
    log_every: int = 10
    """Steps between log lines."""
    evaluate_every: int = 0
    """Steps between held-out evaluations; 0 evaluates at the end only."""
    evaluate_first: bool = False
    """Evaluate before the first step too, so that one sees what training has changed."""
    evaluate_samples: int = 256
    """Held-out samples per evaluation; 0 switches evaluation off."""
    evaluate_guidance: float = 5.0
    """Classifier-free guidance scale in these evaluations; 1 is none, which suits a network that has learned little."""
    tensorboard: bool = True
    """Write TensorBoard events."""
    wandb: str | None = None
    """Weights & Biases project to log to."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One training run."""

    config: str
    """Preset that the other settings start from."""
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    run: RunConfig = field(default_factory=RunConfig)

    @property
    def directory(self) -> Path:
        """Folder of the run."""
        return self.run.out / self.run.name

    def check(self, world_size: int = 1) -> None:
        """Refuse settings that cannot work.

        Raises:
            TrainingConfigError: names the flag.
        """
        run, loss = self.run, self.loss
        micro, folders = self.micro_batch(world_size), Path(run.name).parts
        complaints = {
            "--data.paths: name at least one data set": not self.data.paths,
            "--data.weights: give one positive weight per data set, or none": self.data.weights != ()
            and (len(self.data.weights) != len(self.data.paths) or min(self.data.weights) <= 0),
            "--data.holdout: must lie in [0, 1)": not 0 <= self.data.holdout < 1,
            f"--run.batch-size {run.batch_size}: must be a multiple of {world_size} processes x {micro} samples "
            "(--run.micro-batch)": micro < 1 or run.batch_size % (micro * world_size) != 0,
            f"--run.name '{run.name}': must name a folder below --run.out": not folders
            or ".." in folders
            or Path(run.name).is_absolute(),
            "--run.seed: must be less than 2^64": run.seed >= 1 << 64,
            "--run.ema-decay: must lie in [0, 1)": not 0 <= run.ema_decay < 1,
            "--optimizer.betas: must both lie in [0, 1)": not all(0 <= beta < 1 for beta in self.optimizer.betas),
            "--optimizer.clip-norm: must be greater than 0": not self.optimizer.clip_norm > 0,
            "--loss.cognition-dropout: must lie in [0, 1]": not 0 <= loss.cognition_dropout <= 1,
            "--loss.max-prefix: must lie between 0 and 15 steps": not 0 <= loss.max_prefix <= 15,
            "--model.initial and --model.paligemma: give one of them": bool(self.model.initial)
            and bool(self.model.paligemma),
        }
        wrong = [complaint for complaint, holds in complaints.items() if holds]
        for group, bounds in _LEAST.items():
            for name, least in bounds.items():
                value = getattr(getattr(self, group), name)
                if value is not None and not value >= least:
                    wrong.append(f"--{group}.{name.replace('_', '-')} {value}: must be at least {least}")
        if wrong:
            raise TrainingConfigError("; ".join(wrong) + ".")

    def micro_batch(self, world_size: int) -> int:
        """Samples per process and forward pass."""
        return self.run.micro_batch or max(self.run.batch_size // world_size, 1)


_LEAST: dict[str, dict[str, int]] = {
    "data": {"statistics_frames": 1, "synthetic_episodes": 1, "workers": 0, "prefetch": 1},
    "optimizer": {"lr_backbone": 0, "lr_expert": 0, "warmup_steps": 0, "backbone_freeze_steps": 0, "weight_decay": 0},
    "loss": {"repeats": 1, "human_wrist": 0, "human_fingers": 0, "robot_wrist": 0, "robot_fingers": 0},
    "run": {
        **dict.fromkeys(("steps", "batch_size", "micro_batch", "save_every", "log_every"), 1),
        **dict.fromkeys(("seed", "keep", "evaluate_every", "evaluate_samples"), 0),
    },
}
"""Smallest value of settings; None of an optional one is none."""

_MAY_CHANGE = {
    "data": {"workers", "prefetch", "synthetic", "synthetic_episodes", "paths", "video_root", "statistics"},
    "model": {"initial", "paligemma", "tokenizer", "gradient_checkpointing", "compile", "initial_part"},
    "optimizer": set[str](),
    "loss": set[str](),
    "run": {
        *("name", "out", "steps", "micro_batch", "device", "sharding", "resume", "save_every", "keep", "log_every"),
        *("evaluate_every", "evaluate_first", "evaluate_samples", "evaluate_guidance"),
        *("tensorboard", "wandb", "precision"),
    },
}
"""Settings that may differ when a run is resumed; what the data are is compared by their content."""


def resume_differences(saved: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """Settings, as JSON, that make a run another run, with both values."""
    found = []
    for group, free in _MAY_CHANGE.items():
        before, now = saved.get(group, {}), asked[group]
        for name in sorted(before.keys() | now.keys()):
            if name not in free and before.get(name) != now.get(name):
                found.append(f"--{group}.{name.replace('_', '-')} was {before.get(name)}, now {now.get(name)}")
    if asked["optimizer"]["shape"] == "cosine" and saved["run"]["steps"] != asked["run"]["steps"]:
        found.append(f"--run.steps was {saved['run']['steps']}, which shapes the cosine")
    return found
