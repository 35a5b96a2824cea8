"""Commands of the simulation refuse an option that cannot be before they begin, and name it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vitra_policy.errors import VitraError
from vitra_sim import collect, evaluate, rollout


@pytest.mark.parametrize(
    ("module", "change", "says"),
    [
        (collect, {"episodes": 0}, "--episodes is 0"),
        (collect, {"workers": 0}, "--workers is 0"),
        (collect, {"family": ("place@seen", "place@nope")}, "Unknown scene family"),
        (collect, {"return_s": 0.0}, "--return-s is 0.0"),
        (evaluate, {"cell": ("seen object",)}, "Unknown cell 'seen object'. Did you mean 'seen objects'"),
        (evaluate, {"scale": math.nan}, "--scale is nan"),
        (evaluate, {"image_width": 0}, "--image-width is 0"),
        (rollout, {"episodes": -2}, "--episodes is -2"),
        (rollout, {"time_limit_s": math.inf}, "--time-limit-s is inf"),
        (rollout, {"task": "nope"}, "Unknown task 'nope'"),
    ],
)
def test_an_option_that_cannot_be_is_named(module: Any, change: dict[str, Any], says: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(VitraError, match=says):
        module.run(replace(module.Args(out=out), **change))
    assert not out.exists()


@pytest.mark.parametrize("module", [collect, evaluate])
def test_a_folder_that_is_a_file_is_a_sentence(module: Any, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    out = tmp_path / "README.md"
    out.write_text("x")
    words = [str(out)] if module is collect else ["--out", str(out)]
    monkeypatch.setattr("sys.argv", ["command", *words])
    assert module.main() == 2
    assert "README.md: File exists" in capsys.readouterr().err
