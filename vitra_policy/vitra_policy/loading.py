"""One way in: from a checkpoint on disk or on the Hub to a policy that answers."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitra_policy.errors import UnknownNameError, VitraError

if TYPE_CHECKING:
    from vitra_policy.checkpoint.reference import ReferenceRun
    from vitra_policy.checkpoint.store import Checkpoint
    from vitra_policy.model.reference_policy import VitraEngine

MODES: dict[str, str] = {
    "parity": "vitra_policy.model.reference_policy:ReferencePolicy",
    "fast": "vitra_policy.engine.fast:fast_engine",
    "onnx": "vitra_policy.engine.onnx_engine:OnnxEngine",
}
"""What makes an engine, by mode; each takes (model, tokenizer, statistics, device, **options)."""


class DeviceError(VitraError):
    """A device this machine does not have."""


def load_reference(
    source: Path | str,
    mode: str = "parity",
    *,
    device: str = "auto",
    tokenizer: Path | str | None = None,
    **options: Any,
) -> VitraEngine:
    """Load a checkpoint in the published reference's layout.

    Args:
        source: Run directory, ``.pt`` file, or Hub repository ``owner/name``.
        mode: ``parity`` gives the reference's numbers in fp32, ``fast`` is for robots, ``onnx`` runs ONNX Runtime.
        device: ``cpu``, ``cuda``, ``cuda:0``, or ``auto``: the CPU for parity, else a GPU where there is one.
        tokenizer: PaliGemma's tokenizer.json, where the run does not bring one.
        **options: Passed to the engine.

    Raises:
        UnknownNameError: Unknown mode.
        DeviceError: The device is not there.
        VitraError: A subclass names what is wrong with the checkpoint.
    """
    from vitra_policy.checkpoint.reference import find_reference

    return _start(mode, device, lambda: find_reference(source, tokenizer), None, options)


def load_policy(
    source: Path | str,
    mode: str = "parity",
    *,
    device: str = "auto",
    tokenizer: Path | str | None = None,
    **options: Any,
) -> VitraEngine:
    """Load a checkpoint of our own format or of the reference's; arguments as for :func:`load_reference`.

    Args:
        source: Checkpoint folder, file or Hub repository.
        mode: `parity` or `fast`.
        device: `auto`, `cpu` or `cuda`.
        tokenizer: Tokenizer file; None: the checkpoint's.
        options: Of the fast engine (`FastOptions`).
    """
    return _start(mode, device, lambda: find_checkpoint(source, tokenizer), tokenizer, options)


def find_checkpoint(source: Path | str, tokenizer: Path | str | None = None) -> Checkpoint | ReferenceRun:
    """Read everything but the weights of a checkpoint of either format.

    Raises:
        VitraError: A subclass names what is wrong with the checkpoint.
    """
    from vitra_policy.checkpoint.reference import find_reference
    from vitra_policy.checkpoint.store import is_checkpoint, open_checkpoint

    return open_checkpoint(source) if is_checkpoint(source) else find_reference(source, tokenizer)


def choose_device(device: str, mode: str) -> str:
    """Resolve ``auto`` and check that the device is there.

    Raises:
        DeviceError: It is not.
    """
    import torch

    if device == "auto":
        return "cuda" if mode != "parity" and torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise DeviceError(f"'{device}' is no device. Allowed: auto, cpu, cuda, cuda:0 ...") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise DeviceError(f"Device '{device}' asked for, but PyTorch {torch.__version__} finds no GPU. Use device=cpu.")
    return device


def _engine(mode: str) -> Any:
    if mode not in MODES:
        raise UnknownNameError("policy mode", mode, MODES)
    module, _, name = MODES[mode].partition(":")
    return getattr(import_module(module), name)


def _start(
    mode: str,
    device: str,
    find: Callable[[], Checkpoint | ReferenceRun],
    tokenizer: Path | str | None,
    options: dict[str, Any],
) -> VitraEngine:
    """The engine of a mode; mode and device are checked before anything is read."""
    from vitra_policy.tokenizer import make_tokenizer

    engine, chosen = _engine(mode), choose_device(device, mode)
    checkpoint = find()
    file = checkpoint.tokenizer_file if tokenizer is None else Path(tokenizer)
    encoder = make_tokenizer(checkpoint.config.tokenizer, file)
    started: VitraEngine = engine(checkpoint.load_model(), encoder, checkpoint.statistics, chosen, **options)
    return started
