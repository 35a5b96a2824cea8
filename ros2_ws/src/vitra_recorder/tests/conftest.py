"""Definitions of the stack's messages, straight from the sources."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def typestore(repo_root):
    from vitra_recorder.typestore import stack_typestore

    return stack_typestore([repo_root / "ros2_ws/src/vitra_msgs"])


@pytest.fixture
def text(typestore):
    """Serialised std_msgs/String."""
    string = typestore.types["std_msgs/msg/String"]
    return lambda value: bytes(typestore.serialize_cdr(string(value), "std_msgs/msg/String"))
