"""The command line of vitra-launch."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitra_bringup.errors import LaunchError
from vitra_launch.launcher import arguments, main

FILE = """<launch>
  <arg name="who" description="Whom."/>
  <group if="false"><arg name="how" default="well"/></group>
  <executable cmd="/bin/touch $(var who)" name="touch"/>
</launch>"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.launch.xml"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize("option", ["--dry-run", "--debug", "--show", "-x"])
def test_an_unknown_option_is_refused_and_starts_nothing(file: Path, tmp_path: Path, capsys, option: str) -> None:
    with pytest.raises(SystemExit) as refused:
        main([str(file), f"who:={tmp_path / 'made'}", option])
    assert refused.value.code == 2
    assert option in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def test_arguments_are_shown_even_where_a_required_one_is_missing(file: Path, capsys) -> None:
    assert main([str(file), "--show-args"]) == 0
    out = capsys.readouterr().out
    assert "who:\n        Whom. (required)" in out
    assert "how: (only under a condition)" in out


def test_printing_starts_nothing(file: Path, tmp_path: Path, capsys) -> None:
    assert main(["--print", str(file), f"who:={tmp_path / 'made'}"]) == 0
    assert capsys.readouterr().out == f"[touch] /bin/touch {tmp_path / 'made'}\n"
    assert not (tmp_path / "made").exists()


def test_a_wrong_argument_is_one_line_and_exit_code_2(file: Path, capsys) -> None:
    assert main([str(file), "whom:=x", "who:=y"]) == 2
    err = capsys.readouterr().err
    assert "Did you mean 'who'?" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("word", ["who", "who=x", "who:=", ":=x"])
def test_a_malformed_argument_is_refused_as_natively(word: str) -> None:
    with pytest.raises(LaunchError, match="name:=value"):
        arguments([word])


def test_of_a_name_that_comes_twice_the_last_value_counts() -> None:
    assert arguments(["a:=1", "a:=2:=3"]) == {"a": "2:=3"}


def test_a_file_that_shuts_down_starts_nothing(tmp_path: Path, capsys) -> None:
    path = tmp_path / "down.launch.xml"
    path.write_text(f'<launch><shutdown reason="enough"/><executable cmd="/bin/touch {tmp_path}/made"/></launch>')
    assert main([str(path)]) == 0
    assert "enough" in capsys.readouterr().out
    assert not (tmp_path / "made").exists()
