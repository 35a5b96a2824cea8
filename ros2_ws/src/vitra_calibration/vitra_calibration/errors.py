"""What can go wrong with a calibration; every message says what to do next."""

from __future__ import annotations

from vitra_policy.errors import VitraError


class TooFewSamplesError(VitraError):
    """Not enough images in which the board was found."""


class TooLittleRotationError(VitraError):
    """The wrist did not turn enough, or about one axis only: the mounting cannot be told apart from others."""


class InvertedError(VitraError):
    """The samples fit only when a transform is read the wrong way round, or as those of the other arm."""


class InaccurateError(VitraError):
    """The error on samples that were kept out is too large, or the solvers disagree."""


class ImplausibleError(VitraError):
    """The result cannot be true, or is far from the calibration before."""


class SessionError(VitraError):
    """A folder of samples that cannot be read."""
