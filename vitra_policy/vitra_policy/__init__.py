"""The VITRA policy: everything that training and the robot share, free of ROS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vitra_policy.loading import load_policy, load_reference

__all__ = ["load_policy", "load_reference"]


def __getattr__(name: str) -> Any:
    """Import the loaders on first use, so that importing the package costs nothing."""
    if name in __all__:
        from vitra_policy import loading

        return getattr(loading, name)
    raise AttributeError(f"module 'vitra_policy' has no attribute '{name}'")
