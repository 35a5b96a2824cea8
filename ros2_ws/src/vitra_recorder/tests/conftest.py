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


@pytest.fixture
def make(tmp_path, typestore, text):
    clock = {"ns": 10**18}

    def build(**parameters):
        parameters = {"episodes": True, "output_dir": str(tmp_path / "set"), "min_free_gb": 0.0, **parameters}
        from vitra_recorder.session import RecordingHost, RecordingSession
        from vitra_recorder.settings import Parameters

        session = RecordingSession(
            Parameters(**parameters),
            typestore,
            {"software/git": "abc"},
            RecordingHost(
                lambda name: "/" + name.lstrip("/"), text, lambda reason: pytest.fail(reason), lambda: clock["ns"]
            ),
        )
        session.clock = clock
        return session

    return build
