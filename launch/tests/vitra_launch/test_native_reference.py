"""Our reader and the genuine `ros2 launch` make the same of every launch file; its answers are kept in native.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent / "reference"
sys.path.insert(0, str(HERE))
from prefix import SHIPPED, case_file, make_prefix, neutral  # noqa: E402

from vitra_launch.launch_file import load  # noqa: E402
from vitra_launch.process import Parameter, Process  # noqa: E402
from vitra_policy.errors import VitraError  # noqa: E402

CASES = json.loads((HERE / "native.json").read_text())
STRICTER = [case for case in CASES if case["file"].startswith("stricter/")]
(SHUTDOWN,) = (case for case in CASES if case["file"] == "files/shutdown.launch.xml" and "arguments" not in case)


def name_of(case: dict[str, Any]) -> str:
    given = case.get("arguments", {})
    return " ".join([case["file"].removesuffix(".launch.xml"), *(f"{k}:={v}" for k, v in given.items())])


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_prefix(tmp_path_factory.mktemp("reference").resolve())


@pytest.fixture
def ours(prefix: Path):
    """Our reader's answer in the words of native.json."""

    def _ours(case: dict[str, Any]) -> dict[str, Any]:
        before = {"AMENT_PREFIX_PATH": str(prefix), "TORTURE": "a 'b'", "ROS_DOMAIN_ID": "5", "PATH": "/usr/bin:/bin"}
        try:
            launch = load(case_file(case["file"], prefix), case.get("arguments", {}), before)
        except VitraError:
            return {"refused": True}
        processes = [process(p, before) for p in sorted(launch.processes, key=lambda p: p.start_after_s)]
        declared = [
            {"name": a.name, "description": a.description, "choices": list(a.choices),
             "required": a.default is None, "conditional": a.conditional}
            for a in launch.arguments.values()
        ]  # fmt: skip
        return json.loads(neutral(json.dumps({"processes": processes, "declared": declared}), prefix))

    return _ours


def process(made: Process, before: dict[str, str]) -> dict[str, Any]:
    changed = {*made.environment, *before}
    return {
        "label": made.label,
        "command": [
            {"node": w.node, "name": w.name, "value": w.value} if isinstance(w, Parameter) else w for w in made.command
        ],
        "environment": {k: made.environment.get(k) for k in changed if made.environment.get(k) != before.get(k)},
        "cwd": made.cwd,
        "respawn": made.respawn,
        "respawn_delay_s": made.respawn_delay_s,
        "respawn_max_retries": made.respawn_max_retries,
        "shutdown_on_exit": made.shutdown_on_exit,
        "sigterm_timeout_s": made.sigterm_timeout_s,
        "sigkill_timeout_s": made.sigkill_timeout_s,
    }


@pytest.mark.parametrize("case", [c for c in CASES if c not in STRICTER and c != SHUTDOWN], ids=name_of)
def test_our_reader_agrees_with_the_native_tool(ours, case: dict[str, Any]) -> None:
    got = ours(case)
    expected = {key: value for key, value in case.items() if key not in ("file", "arguments")}
    if "processes" in expected and "processes" in got:  # one by one: a difference is easier to read
        for mine, native in zip(got["processes"], expected["processes"], strict=False):
            assert mine == native
    assert got == expected


@pytest.mark.parametrize("case", STRICTER, ids=name_of)
def test_our_reader_is_stricter_on_purpose(ours, case: dict[str, Any]) -> None:
    assert "refused" not in case
    assert ours(case) == {"refused": True}


def test_what_stands_behind_a_shutdown_is_not_even_started(ours) -> None:
    """The native tool starts it, and interrupts it at once."""
    assert [process["label"] for process in SHUTDOWN["processes"]] == ["one"]
    assert ours(SHUTDOWN)["processes"] == []


def test_every_shipped_launch_file_has_a_case() -> None:
    assert {p.name for p in SHIPPED.glob("*.launch.xml")} <= {case["file"] for case in CASES}


def test_every_refused_file_is_refused_natively_too() -> None:
    assert [c["file"] for c in CASES if c["file"].startswith("refused/") and "refused" not in c] == []
