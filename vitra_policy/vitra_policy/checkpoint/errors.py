"""What can be wrong with a checkpoint, one class per cause."""

from __future__ import annotations

from vitra_policy.errors import VitraError


class CheckpointFileError(VitraError):
    """A file of a checkpoint that is missing, damaged, or of another kind."""


class CheckpointVersionError(VitraError):
    """A checkpoint of a format version this program does not read."""


class CheckpointExistsError(VitraError):
    """Something is where a checkpoint should be written."""


class CheckpointKeysError(VitraError):
    """Tensors that are missing from a checkpoint, or that belong to nothing."""


class CheckpointShapeError(VitraError):
    """Tensors whose shape differs from what the configuration says."""


class UnsupportedReferenceError(VitraError):
    """A setting of the reference implementation that never worked there and is not offered here."""


class HubError(VitraError):
    """A repository on the Hugging Face Hub that could not be downloaded."""
