"""The policy's methods on ONNX Runtime: on a GPU where onnxruntime-gpu finds one, else on the CPU."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from vitra_policy.action_space import ShapeMismatchError
from vitra_policy.engine.onnx_graphs import GRAPHS, NETWORK_FILE, export_onnx, fingerprint
from vitra_policy.errors import VitraError
from vitra_policy.model.config import VitraConfig
from vitra_policy.model.inputs import chunk_inputs, prefix_inputs
from vitra_policy.model.request import ChunkRequest
from vitra_policy.model.vla import Vitra
from vitra_policy.statistics import Statistics
from vitra_policy.tokenizer import Tokenizer

Float32Array = NDArray[np.float32]


class OnnxRuntimeError(VitraError):
    """ONNX Runtime is missing, or graphs do not belong to the checkpoint."""


class OnnxEngine:
    """A network exported by :func:`vitra_policy.engine.onnx_graphs.export_onnx`, with tokenizer and statistics.

    Args:
        model: The network; exported now unless ``graphs`` is given.
        tokenizer: Its tokenizer.
        statistics: Of its training data, or None.
        device: ``cuda`` asks for the CUDA provider.
        graphs: Directory of exported graphs.
        threads: CPU threads; 0 leaves the choice to PyTorch's setting.

    Raises:
        OnnxRuntimeError: onnxruntime is not installed, has no CUDA provider, or the graphs are of another network.
    """

    def __init__(
        self,
        model: Vitra,
        tokenizer: Tokenizer,
        statistics: Statistics | None,
        device: torch.device | str = "cpu",
        *,
        graphs: Path | str | None = None,
        threads: int = 0,
    ) -> None:
        self.config, self.statistics, self.tokenizer = model.config, statistics, tokenizer
        self._diffusion, self._device = model.diffusion, torch.device(device).type
        if graphs is not None:
            _check_network(Path(graphs), model)
            self._open(Path(graphs), threads)
        else:
            with tempfile.TemporaryDirectory(prefix="vitra-onnx-") as folder:
                self._open(export_onnx(model, folder), threads)
        self._timing: dict[str, float] = {}

    @property
    def timing(self) -> Mapping[str, float]:
        """Seconds per stage of the last call."""
        return MappingProxyType(self._timing)

    def cognition(self, image: NDArray[np.uint8], instruction: str, fov: ArrayLike) -> Float32Array:
        """See :meth:`vitra_policy.model.reference_policy.ReferencePolicy.cognition`.

        Args:
            image: (H, W, 3) RGB uint8.
            instruction: Formatted, both hands.
            fov: Field of view (2,) or (1, 2), radians.
        """
        feature: Float32Array = self._cognition(image, instruction, fov).numpy()
        return feature

    def predict(self, request: ChunkRequest) -> Float32Array:
        """See :meth:`vitra_policy.model.reference_policy.ReferencePolicy.predict`.

        Raises:
            OnnxRuntimeError: a clean prefix, for which these graphs were not made.
        """
        inputs = chunk_inputs(self.config, request)
        if request.clean_prefix and not self.config.clean_prefix:
            raise OnnxRuntimeError("These graphs were exported for a network that was not trained with clean prefixes.")
        cognition = self._cognition(request.image, request.instruction, request.fov)
        started_s = time.perf_counter()
        fixed = {
            "state": inputs.state[:1].numpy(),
            "state_mask": inputs.state_mask[:1].float().numpy(),
            "action_mask": inputs.action_mask[:1].float().numpy(),
        }
        head, where = self._committed(request.prefix, request.prefix_dims, fixed["action_mask"].shape)
        rows = [self._denoise(cognition, fixed, row[None], head, where, request) for row in inputs.noise.numpy()]
        self._timing["denoise"] = time.perf_counter() - started_s
        return np.concatenate(rows)

    def _cognition(self, image: NDArray[np.uint8], instruction: str, fov: ArrayLike) -> Any:
        started_s = time.perf_counter()
        inputs = prefix_inputs(self.config, self.tokenizer, image, instruction, fov)
        seen_s = time.perf_counter()
        names = [entry.name for entry in self._sessions["prefix"].get_inputs()]
        feeds = {name: getattr(inputs, name).numpy() for name in names}
        (cognition,) = self._run("prefix", feeds)
        self._timing = {"preprocess": seen_s - started_s, "prefix": time.perf_counter() - seen_s}
        return cognition

    def _denoise(
        self,
        cognition: Any,
        fixed: Mapping[str, NDArray[Any]],
        noise: Float32Array,
        head: Float32Array,
        where: Float32Array,
        request: ChunkRequest,
    ) -> Float32Array:
        updates = self._diffusion.ddim(request.steps)
        levels = [update.timestep for update in updates] + [0] * self.config.clean_prefix
        offset, modulation, context = self._run(
            "cond", {**fixed, "cognition": cognition, "timesteps": np.array(levels, dtype=np.int64)}
        )
        kept = {"noise": noise, "head": head, "where": where, "action_mask": fixed["action_mask"]}
        constant = {name: self._place(value) for name, value in kept.items()}
        constant |= {"offset": offset, "modulation": modulation, "context": context}
        sample = self._place(noise)
        for index, update in enumerate(updates):
            prefix = (1.0, 0.0) if request.clean_prefix else (update.alpha**0.5, (1 - update.alpha) ** 0.5)
            values = [*prefix, update.keep, update.add, request.guidance, request.clean_prefix]
            coefficients = np.array(values, dtype=np.float32)
            changing = {"sample": sample, "index": np.array([index]), "coefficients": coefficients}
            (sample,) = self._run("step", constant | changing)
        actions: Float32Array = np.where(where > 0, head, sample.numpy()) * fixed["action_mask"]
        return actions

    def _committed(
        self, prefix: ArrayLike | None, dims: ArrayLike | None, shape: tuple[int, ...]
    ) -> tuple[Float32Array, Float32Array]:
        head, where = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        if prefix is not None:
            given = np.asarray(prefix, dtype=np.float32)
            if given.ndim != 2 or given.shape[1] != shape[2] or len(given) > shape[1]:
                raise ShapeMismatchError("prefix", given.shape, f"(0..{shape[1]}, {shape[2]})")
            head[0, : len(given)], where[0, : len(given)] = given, 1.0 if dims is None else np.asarray(dims)
        return head, where

    def _open(self, folder: Path, threads: int) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise OnnxRuntimeError(f"{error}. Install it: pip install 'vitra-policy[onnx]'.") from error
        provider = "CUDAExecutionProvider" if self._device == "cuda" else "CPUExecutionProvider"
        if provider not in onnxruntime.get_available_providers():
            raise OnnxRuntimeError(f"This onnxruntime has no {provider}. Install onnxruntime-gpu, or use device=cpu.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        options.log_severity_level = 3
        self._ort_value = onnxruntime.OrtValue
        self._sessions: dict[str, Any] = {
            name: onnxruntime.InferenceSession(
                str(folder / f"{name}.onnx"), options, providers=list(dict.fromkeys([provider, "CPUExecutionProvider"]))
            )
            for name in GRAPHS
        }

    def _place(self, value: Any) -> Any:
        """An array on the session's device; what is there already passes through."""
        if not isinstance(value, np.ndarray):
            return value
        return self._ort_value.ortvalue_from_numpy(np.ascontiguousarray(value), self._device, 0)

    def _run(self, graph: str, feeds: Mapping[str, Any]) -> list[Any]:
        """Outputs of a graph, left on the device."""
        session = self._sessions[graph]
        binding = session.io_binding()
        for entry in session.get_inputs():
            binding.bind_ortvalue_input(entry.name, self._place(feeds[entry.name]))
        for entry in session.get_outputs():
            binding.bind_output(entry.name, self._device, 0)
        session.run_with_iobinding(binding)
        outputs: list[Any] = binding.get_outputs()
        return outputs


def _check_network(folder: Path, model: Vitra) -> None:
    try:
        described = json.loads((folder / NETWORK_FILE).read_text())
        exported = described["model"]
    except (OSError, ValueError, KeyError) as error:
        raise OnnxRuntimeError(
            f"{folder} holds no exported graphs ({error}). Make them: vitra-policy export-onnx."
        ) from error
    if VitraConfig.from_dict(exported) != model.config:
        raise OnnxRuntimeError(f"The graphs in {folder} were exported from another network than the checkpoint's.")
    if described.get("weights") != fingerprint(model):
        raise OnnxRuntimeError(
            f"The graphs in {folder} hold other weights than the checkpoint. Run vitra-policy export-onnx."
        )
