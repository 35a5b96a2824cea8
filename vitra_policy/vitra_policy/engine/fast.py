"""The fast engine: bf16 weights and recorded graphs on a GPU, stages compiled by OpenVINO on a CPU."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from vitra_policy.action_space import ShapeMismatchError
from vitra_policy.engine.expert import Committed, FastExpert
from vitra_policy.engine.gate import FP8_LIMIT, gated_prefix
from vitra_policy.engine.graph import GraphCache
from vitra_policy.engine.grounded import GroundedPrefix
from vitra_policy.engine.image import choose_resizer
from vitra_policy.engine.linear import Linears, Precision, Wrap, unwrapped
from vitra_policy.engine.prefix import FastPrefix
from vitra_policy.engine.stage import OpenVinoStage, Stage, has_fast_bf16, has_openvino, plain_stage
from vitra_policy.engine.streamed import StreamedPrefix, is_large
from vitra_policy.engine.timing import StageClock
from vitra_policy.engine.upload import Upload
from vitra_policy.image import as_rgb
from vitra_policy.model.inputs import ChunkInputs, chunk_inputs
from vitra_policy.model.request import ChunkRequest
from vitra_policy.model.sampling import Conditions
from vitra_policy.model.stored import computes_in_fp32
from vitra_policy.model.vla import Vitra
from vitra_policy.statistics import Statistics
from vitra_policy.tokenizer import Tokenizer, text_ids

Float32Array = NDArray[np.float32]

_logger = logging.getLogger(__name__)
_BUCKET = 16
USUAL_LENGTHS = (32, 48, 64)
"""Tokens behind the image, padded: up to some 60 words."""


@dataclass(frozen=True, slots=True)
class ChunkSettings:
    """What is fixed while a recorded graph denoises."""

    steps: int
    guidance: float
    clean: bool


@dataclass(frozen=True, slots=True)
class FastOptions:
    """Of the fast engine."""

    dtype: torch.dtype | None = None
    """Format of the matrix products, float32 or bfloat16; default bf16 where the device has it."""
    fp8: bool = False
    """Run vision and trunk in fp8 if the actions stay within `fp8_limit`."""
    fp8_limit: float = FP8_LIMIT
    """Largest root-mean-square error of normalised actions that fp8 may cause."""
    fuse: bool | None = None
    """Use `torch.compile` for the layers; default on a GPU where Triton and a C compiler are there."""
    lengths: Sequence[int] = USUAL_LENGTHS
    """Padded text lengths that a GPU records with the first image of whatever size, so that a new instruction does not
    stop a running robot."""


class FastEngine:
    """A network with its tokenizer and statistics, run as fast as the device allows.

    On a GPU: bf16 weights (residual stream, norms, softmax and the sample in fp32), layers fused by ``torch.compile``
    where its tools are there, everything recorded as two CUDA graphs, text lengths in buckets, image resized on the
    device. On a CPU: three stages compiled by OpenVINO, products in bf16 where the processor has them and else in
    fp32, all else in fp32; with ``dtype=torch.float32`` it agrees with the parity policy within rounding.

    Args:
        model: The network, stored in any type; weights are converted, so it may be dropped afterwards except its word
            embedding. On a CPU a large one is not: it is run as it lies in its file.
        tokenizer: Its tokenizer.
        statistics: Of its training data, or None.
        device: Where to run.
        options: Number formats and what is recorded ahead.
    """

    def __init__(
        self,
        model: Vitra,
        tokenizer: Tokenizer,
        statistics: Statistics | None,
        device: torch.device | str = "cpu",
        options: FastOptions | None = None,
    ) -> None:
        options = options or FastOptions()
        fp8 = options.fp8
        self.config, self.statistics, self.tokenizer = model.config, statistics, tokenizer
        self.device = torch.device(device)
        on_gpu = self._on_gpu = self.device.type == "cuda"
        model = computes_in_fp32(model)
        fused = (on_gpu and _can_fuse()) if options.fuse is None else options.fuse
        wrap: Wrap = _compiled if fused else unwrapped
        self.dtype = options.dtype or (torch.bfloat16 if on_gpu or has_fast_bf16() else torch.float32)
        linears = Linears(self.device, self.dtype)
        if not on_gpu and self.dtype == torch.bfloat16:
            linears = Linears(self.device, torch.float32, Precision.BF16)
        # OpenVINO knows neither fused functions nor PyTorch's fp8 product; on a CPU both are there for tests only.
        streams = self.device.type == "cpu" and not fp8 and is_large(model)
        compiles = self.device.type == "cpu" and not (fp8 or fused or streams) and has_openvino()
        stage: Stage = OpenVinoStage if compiles else plain_stage
        self.expert = FastExpert(model.expert, linears, wrap, stage)
        make_prefix = partial(FastPrefix, model, wrap=wrap, stage=stage, bucket=_BUCKET if on_gpu else 1)
        self.prefix: FastPrefix | GroundedPrefix | StreamedPrefix
        if self.config.vision.kind != "siglip":
            self.prefix = GroundedPrefix(model, linears, wrap, stage)
        elif streams:
            self.prefix = StreamedPrefix(model, bf16=self.dtype == torch.bfloat16)
        elif fp8:
            self.prefix = gated_prefix(make_prefix, linears, self.expert, model, options.fp8_limit)
        else:
            self.prefix = make_prefix(linears)
        self._diffusion, self._clean = model.diffusion, model.config.clean_prefix
        self._graphs, self._upload = GraphCache(self.device), Upload(self.device)
        self._resize = choose_resizer(self.config.vision, self.device, exact=self.dtype == torch.float32)
        self._lengths, self._recorded = tuple(options.lengths), False
        self._timing: dict[str, float] = {}

    @property
    def timing(self) -> Mapping[str, float]:
        """Seconds per stage of the last call."""
        return MappingProxyType(self._timing)

    @torch.inference_mode()
    def cognition(self, image: NDArray[np.uint8], instruction: str, fov: ArrayLike) -> Float32Array:
        """Cognition feature (1, 1, width); see :class:`vitra_policy.model.reference_policy.ReferencePolicy`.

        Args:
            image: (H, W, 3) RGB uint8.
            instruction: Formatted, both hands.
            fov: Field of view (2,) or (1, 2), radians.
        """
        clock = StageClock(self.device)
        feature: Float32Array = self._cognition(image, instruction, fov, clock).cpu().numpy().copy()
        self._timing = clock.read()
        return feature

    @torch.inference_mode()
    def predict(self, request: ChunkRequest) -> Float32Array:
        """Normalised action chunks; see :meth:`vitra_policy.model.reference_policy.ReferencePolicy.predict`."""
        clock = StageClock(self.device)
        inputs = chunk_inputs(self.config, request)
        head = None
        if request.prefix is not None or self._on_gpu:  # a recorded graph serves with and without
            head = self._committed(request.prefix, request.prefix_dims, inputs.noise)
        settings = ChunkSettings(request.steps, float(request.guidance), request.clean_prefix)
        cognition = self._cognition(request.image, request.instruction, request.fov, clock)
        actions = self._denoise(cognition, inputs, head, settings).cpu().numpy().copy()
        clock.end("denoise")
        self._timing = clock.read()
        return actions

    def _cognition(self, image: NDArray[np.uint8], instruction: str, fov: ArrayLike, clock: StageClock) -> Tensor:
        fov_rad = np.asarray(fov, dtype=np.float32)
        if fov_rad.size != 2:
            raise ShapeMismatchError("fov", fov_rad.shape, "(2,): horizontal and vertical angle in radians")
        ids = text_ids(instruction, self.tokenizer, self.config.tokenizer)
        tail, row, bias = self.prefix.tail(ids, torch.from_numpy(fov_rad.reshape(1, 2)))
        uploaded = self._upload.image(as_rgb(image))
        padding = {} if bias is None else {"bias": bias}
        if self._on_gpu:
            clock.end("upload")
        pixels = self._resize(uploaded)
        clock.end("preprocess")
        if self._on_gpu:
            self._record_lengths(pixels)
            feature = self._graphs("prefix", self._see, pixels=pixels, tail=tail, row=row, **padding)
        else:
            feature = self.prefix(pixels, tail, row, **padding)
        clock.end("prefix")
        return feature

    def _record_lengths(self, pixels: Tensor) -> None:
        """Record everything up to the cognition feature for all usual text lengths, once.

        Resizing comes before: what is recorded knows nothing of the camera's size, so a camera other than that of the
        warm-up finds everything recorded.
        """
        if self._recorded:
            return
        self._recorded = True
        made_up = self.config.tokenizer.bos_id
        behind = 1 + self.config.use_fov
        for length in self._lengths:
            tail, row, bias = self.prefix.tail([made_up] * (length - behind), torch.ones(1, 2))
            padding = {} if bias is None else {"bias": bias}
            self._graphs("prefix", self._see, pixels=pixels, tail=tail, row=row, **padding)

    def _see(self, pixels: Tensor, tail: Tensor, row: Tensor, bias: Tensor | None = None) -> Tensor:
        feature: Tensor = self.prefix(pixels, tail, row, bias)
        return feature

    def _denoise(
        self, cognition: Tensor, inputs: ChunkInputs, head: tuple[Tensor, Tensor] | None, settings: ChunkSettings
    ) -> Tensor:
        self._diffusion.ddim(settings.steps)  # refuses illegal numbers before anything is recorded
        parts = {
            "noise": inputs.noise,
            "state": inputs.state,
            "state_mask": inputs.state_mask,
            "action_mask": inputs.action_mask,
        }
        if head is not None:
            parts |= {"head": head[0], "where": head[1]}
        uploaded = self._upload.tensors(parts)
        return self._graphs(settings, partial(self._act, settings=settings), cognition=cognition, **uploaded)

    def _act(self, cognition: Tensor, *, settings: ChunkSettings, **parts: Tensor) -> Tensor:
        """The part that is recorded: the parts of `ChunkInputs` and of a committed prefix, masks as numbers."""
        noise = parts["noise"]
        rows = cognition.expand(len(noise), -1, -1)
        given = Conditions(rows, parts["state"], parts["state_mask"], parts["action_mask"])
        plan = self.expert.plan(given, self._diffusion.ddim(settings.steps), settings.guidance, clean=settings.clean)
        committed = Committed(parts["head"], parts["where"] > 0.5, settings.clean) if "head" in parts else None
        return self.expert.denoise(plan, noise, committed)

    def _committed(self, prefix: ArrayLike | None, dims: ArrayLike | None, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The prefix spread over a whole chunk, and where it holds."""
        samples, steps, width = noise.shape
        head, where = torch.zeros(steps, width), torch.zeros(steps, width)
        if prefix is not None:
            given = torch.from_numpy(np.array(prefix, dtype=np.float32))
            if given.ndim != 2 or given.shape[1] != width or len(given) > steps:
                raise ShapeMismatchError("prefix", tuple(given.shape), f"(0..{steps}, {width})")
            head[: len(given)] = given
            where[: len(given)] = torch.ones(width) if dims is None else torch.from_numpy(np.array(dims, np.float32))
        return head.expand(samples, -1, -1), where.expand(samples, -1, -1)


def fast_engine(
    model: Vitra, tokenizer: Tokenizer, statistics: Statistics | None, device: torch.device | str, **options: Any
) -> FastEngine:
    """The engine of the mode `fast`, as `vitra_policy.loading` makes engines.

    Args:
        model: As for `FastEngine`, as are the next three.
        tokenizer: Its tokenizer.
        statistics: Of its training data, or None.
        device: Where to run.
        **options: Fields of `FastOptions` by name.
    """
    return FastEngine(model, tokenizer, statistics, device, FastOptions(**options))


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function fused; where that fails on this machine, the function itself and a warning."""
    chosen: list[Callable[..., Any]] = [torch.compile(function, dynamic=False)]

    def run(*arguments: Any) -> Any:
        try:
            return chosen[0](*arguments)
        except Exception as error:
            if chosen[0] is function:
                raise
            reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
            _logger.warning("%s cannot be fused here (%s): it runs unfused", function.__name__, reason)
            chosen[0] = function
            return function(*arguments)

    return run


def _can_fuse() -> bool:
    """Whether ``torch.compile`` can make GPU kernels here."""
    ready = find_spec("triton") is not None and any(shutil.which(name) for name in ("cc", "gcc", "clang"))
    if not ready:
        _logger.warning("Triton or a C compiler is missing: layers are not fused, which costs some milliseconds")
    return ready
