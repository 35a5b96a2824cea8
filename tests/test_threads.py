"""Every thread of a node is watched: one that ends unexpectedly is a fault by name (`vitra_runtime.threads`)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAY_BE_PLAIN = {
    "realman_driver/sdk_process.py": "a child process whose end is what its driver notices",
    "vitra_evaluation/session/terminal.py": "a person's program and no node",
    "vitra_doctor/machine.py": "tries for real-time rights and ends within the call that starts it",
}


def plain_threads(text: str) -> Iterator[int]:
    """Lines that make a thread of Python's own, or derive one."""
    for node in ast.walk(ast.parse(text)):
        made = node.func if isinstance(node, ast.Call) else None
        for name in [made, *(node.bases if isinstance(node, ast.ClassDef) else [])]:
            if name is not None and ast.unparse(name) in ("Thread", "threading.Thread"):
                yield node.lineno


def test_nodes_make_watched_threads_only() -> None:
    found = []
    for path in sorted((ROOT / "ros2_ws/src").glob("*/*/**/*.py")):
        place = "/".join(path.relative_to(ROOT / "ros2_ws/src").parts[1:])
        if {"tests", "benchmarks", "build"} & set(path.parts) or place in MAY_BE_PLAIN:
            continue
        if place != "vitra_runtime/threads.py":
            found += [f"{path.relative_to(ROOT)}:{line}" for line in plain_threads(path.read_text())]
    assert found == [], "use WatchedThread, or say here why not"


def test_the_exceptions_are_still_needed() -> None:
    for place in MAY_BE_PLAIN:
        path = ROOT / "ros2_ws/src" / place.split("/")[0] / place
        assert list(plain_threads(path.read_text())), f"{place} makes no plain thread any more"


def test_a_plain_thread_is_seen() -> None:
    assert list(plain_threads("import threading\nthreading.Thread(target=print).start()")) == [2]
    assert list(plain_threads("from threading import Thread\nclass Mine(Thread): ...")) == [2]
    assert list(plain_threads("WatchedThread(print, name='x', should_run=None)")) == []
