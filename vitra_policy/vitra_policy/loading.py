"""One way in: from a checkpoint on disk or on the Hub to a policy that answers."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitra_policy.errors import UnknownNameError

if TYPE_CHECKING:
    from vitra_policy.model.reference_policy import VitraEngine

MODES: dict[str, str] = {"parity": "vitra_policy.model.reference_policy:ReferencePolicy"}
"""Engine class by mode; each takes (model, tokenizer, statistics, device, **options)."""


def load_reference(
    source: Path | str,
    mode: str = "parity",
    *,
    device: str = "cpu",
    tokenizer: Path | str | None = None,
    **options: Any,
) -> VitraEngine:
    """Load a checkpoint in the published reference's layout.

    Args:
        source: Run directory, ``.pt`` file, or Hub repository ``owner/name``.
        mode: ``parity`` gives the reference's numbers in fp32; other modes are in :data:`MODES`.
        device: ``cpu``, ``cuda`` or ``cuda:0``.
        tokenizer: PaliGemma's tokenizer.json, where the run does not bring one.
        **options: Passed to the engine.

    Raises:
        UnknownNameError: Unknown mode.
        VitraError: A subclass names what is wrong with the checkpoint.
    """
    from vitra_policy.checkpoint.reference import find_reference
    from vitra_policy.tokenizer import make_tokenizer

    engine = _engine(mode)
    run = find_reference(source, tokenizer)
    encoder = make_tokenizer(run.config.tokenizer, run.tokenizer_file)
    policy: VitraEngine = engine(run.load_model(), encoder, run.statistics, device, **options)
    return policy


def load_policy(directory: Path | str, mode: str = "parity", *, device: str = "cpu", **options: Any) -> VitraEngine:
    """Load a checkpoint directory of our own format; arguments as for :func:`load_reference`."""
    from vitra_policy.checkpoint.store import open_checkpoint
    from vitra_policy.tokenizer import make_tokenizer

    engine = _engine(mode)
    checkpoint = open_checkpoint(directory)
    encoder = make_tokenizer(checkpoint.config.tokenizer, checkpoint.tokenizer_file)
    policy: VitraEngine = engine(checkpoint.load_model(), encoder, checkpoint.statistics, device, **options)
    return policy


def _engine(mode: str) -> Any:
    if mode not in MODES:
        raise UnknownNameError("policy mode", mode, MODES)
    module, _, name = MODES[mode].partition(":")
    return getattr(import_module(module), name)
