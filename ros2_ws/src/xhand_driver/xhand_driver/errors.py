"""What can go wrong between the driver and a hand, one class per cause."""

from __future__ import annotations

from vitra_policy.errors import VitraError


class SdkMissingError(VitraError):
    """The vendor's SDK is not installed for this Python."""


class HandNotFoundError(VitraError):
    """No port holds the wanted hand."""


class HandLinkError(VitraError):
    """An exchange with the hand brought no usable state."""


class HandHungError(VitraError):
    """A call of the vendor's SDK does not return; only a new process helps."""
