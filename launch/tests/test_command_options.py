"""Options that cannot be are refused before a graph is launched and before anything is removed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vitra_bringup import demo, sim_session, teleop_demo
from vitra_policy.errors import VitraError


@pytest.fixture(autouse=True)
def no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    def launched(*_: Any, **__: Any) -> None:
        pytest.fail("a graph was launched")

    for module in (demo, sim_session, teleop_demo):
        monkeypatch.setattr(module, "GraphRun", launched)


@pytest.mark.parametrize(
    ("module", "change", "says"),
    [
        (demo, {"episodes": 0}, "--episodes is 0"),
        (demo, {"seed": -1}, "--seed is -1"),
        (demo, {"time_limit_s": math.nan}, "--time-limit-s is nan"),
        (demo, {"time_limit_s": 0.0}, "--time-limit-s is 0.0"),
        (demo, {"task": "nope"}, "Unknown task 'nope'"),
        (demo, {"task": "place@nope"}, "Unknown scene family"),
        (demo, {"policy": "experd"}, "Did you mean 'expert'"),
        (demo, {"checkpoint": "nowhere"}, "--checkpoint is nowhere"),
        (teleop_demo, {"episodes": 0}, "--episodes is 0"),
        (teleop_demo, {"task": "nope"}, "Unknown task 'nope'"),
        (teleop_demo, {"stale_s": math.inf}, "--stale-s is inf"),
        (sim_session, {"task": "nope"}, "Unknown task 'nope'"),
        (sim_session, {"port": 99999}, "--port is 99999"),
    ],
)
def test_an_option_that_cannot_be_is_named(module: Any, change: dict[str, Any], says: str, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("of an earlier run")
    with pytest.raises(VitraError, match=says):
        module.run(replace(module.Args(out=tmp_path), **change))
    assert (tmp_path / "summary.json").is_file()


def test_the_teleoperation_demo_leaves_other_files_of_its_folder_alone(tmp_path: Path, monkeypatch: Any) -> None:
    def begun(*_: Any, **__: Any) -> None:
        raise VitraError("begun")

    (tmp_path / "thesis.tex").write_text("x")
    (tmp_path / "episodes").mkdir()
    monkeypatch.setattr(teleop_demo, "GraphRun", begun)
    with pytest.raises(VitraError, match="begun"):
        teleop_demo.run(teleop_demo.Args(out=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
