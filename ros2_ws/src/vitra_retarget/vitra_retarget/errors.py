"""Why a chunk was refused, one class per cause; a refused chunk moves nothing."""

from __future__ import annotations

from vitra_policy.errors import VitraError


class ChunkRefusedError(VitraError):
    """Base of the causes; `cause` is what the counters are named after."""

    cause = "refused"


class ChunkLengthError(ChunkRefusedError):
    """Number of values, number of steps, or duration of a step is not what the layout says."""

    cause = "wrong_length"


class ChunkIdleHandError(ChunkRefusedError):
    """A policy's chunk moves a hand that its instruction leaves idle, or no instruction says which may move."""

    cause = "idle_hand"


class ChunkNotFiniteError(ChunkRefusedError):
    """A number of a valid hand is NaN or infinite."""

    cause = "not_finite"


class ChunkFrameError(ChunkRefusedError):
    """The chunk is expressed in a frame the calibration does not know."""

    cause = "unknown_frame"


class ChunkFlagsError(ChunkRefusedError):
    """No hand is marked valid: the chunk carries nothing."""

    cause = "no_valid_hand"


class ChunkImplausibleError(ChunkRefusedError):
    """The wrist is asked to move faster than any hand does: de-normalised with the wrong statistics, most likely."""

    cause = "implausible"
