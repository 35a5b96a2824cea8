"""The demo session replaces an earlier one, and no other folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vitra_evaluation import eval_demo
from vitra_policy.errors import VitraError


@pytest.fixture(autouse=True)
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    def begun(*_: Any, **__: Any) -> None:
        raise VitraError("a session was begun")

    monkeypatch.setattr(eval_demo.subprocess, "Popen", begun)


def test_a_folder_that_is_no_earlier_session_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(VitraError, match="is left alone"):
        eval_demo.run(eval_demo.Args(out=tmp_path))
    assert (tmp_path / "thesis.tex").is_file()


def test_an_earlier_session_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "session"
    out.mkdir()
    (out / "session.sqlite").touch()
    with pytest.raises(VitraError, match="begun"):
        eval_demo.run(eval_demo.Args(out=out))
    assert not out.exists()


def test_an_unknown_graph_is_named_before_anything_is_removed(tmp_path: Path) -> None:
    (tmp_path / "session.sqlite").touch()
    with pytest.raises(VitraError, match="Unknown graph 'lokstep'"):
        eval_demo.run(eval_demo.Args(out=tmp_path, graph="lokstep"))
    assert (tmp_path / "session.sqlite").is_file()
