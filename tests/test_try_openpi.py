"""The command that tries openpi's own client and server, with doubles of both in the places where openpi has them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CLIENT = """
from websockets.sync.client import connect
from vitra_policy.serving import wire

class WebsocketClientPolicy:
    def __init__(self, host, port):
        self._connection = connect(f"ws://{host}:{port}", compression=None, max_size=None)
        self._metadata = wire.unpack(self._connection.recv())

    def infer(self, request):
        self._connection.send(wire.pack(request))
        return wire.unpack(self._connection.recv())
"""
SERVER = """
from vitra_policy.serving.openpi_double import OpenpiDouble

class WebsocketPolicyServer:
    def __init__(self, policy, host, port):
        self._double = OpenpiDouble(policy.infer, port=port)

    def serve_forever(self):
        self._double._server.serve_forever()
"""


def run(repo_root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, repo_root / "requirements/try_openpi.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.timeout(320)
def test_it_does_the_task_both_ways_and_prints_the_figures(repo_root: Path, tmp_path: Path) -> None:
    for name, text in (
        ("packages/openpi-client/src/openpi_client/websocket_client_policy.py", CLIENT),
        ("src/openpi/serving/websocket_policy_server.py", SERVER),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    tried = run(repo_root, str(tmp_path), "--episodes", "1")
    assert tried.returncode == 0, tried.stderr[-2000:]
    lines = tried.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "openpi's client, our server, openpi-generic",
        "openpi's client, our server, openpi-joints",
        "our client, openpi's server, openpi-generic",
        "our client, openpi's server, openpi-joints",
    ]
    assert all("1 of 1, chunks " in line for line in lines)


def test_a_folder_without_openpi_is_refused(repo_root: Path, tmp_path: Path) -> None:
    tried = run(repo_root, str(tmp_path))
    assert tried.returncode == 2
    assert "Give the folder of openpi's repository" in tried.stderr
