from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vitra_bringup.errors import LaunchError
from vitra_launch.launch_file import Launch, load
from vitra_policy.errors import UnknownNameError, VitraError


@pytest.fixture
def evaluate(tmp_path: Path, environment: dict[str, str]):
    def _evaluate(body: str, **given: str) -> Launch:
        path = tmp_path / "test.launch.xml"
        path.write_text(f"<launch>{body}</launch>")
        return load(path, given, environment)

    return _evaluate


def test_a_node_becomes_a_ros_command_line(evaluate, tmp_path: Path) -> None:
    launch = evaluate(
        '<arg name="ip" default="10.0.0.1"/>'
        '<group><push_ros_namespace namespace="lab"/>'
        '<node pkg="toy" exec="echo_args" name="arm" args="one two" respawn="true" respawn_delay="0.5">'
        '<param name="ip" value="$(var ip)" type="str"/><param name="rate" value="200.0"/>'
        '<remap from="a" to="b"/><env name="K" value="v"/></node></group>'
    )
    (process,) = launch.processes
    assert process.command[1:3] == ("one", "two")
    words = process.words(tmp_path)
    assert words[3:8] == ["--ros-args", "-r", "__node:=arm", "-r", "__ns:=/lab"]
    files = [yaml.safe_load(Path(words[i]).read_text()) for i in (9, 11)]
    assert files == [
        {"/lab/arm": {"ros__parameters": {"ip": "10.0.0.1"}}}, {"/lab/arm": {"ros__parameters": {"rate": 200.0}}},
    ]  # fmt: skip
    assert words[12:] == ["-r", "a:=b"]
    assert process.environment["K"] == "v"
    assert process.respawn
    assert process.respawn_delay_s == 0.5


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("10.0.0.1", "p:=10.0.0.1"),
        ("5", "p:='5'"),
        ("null", "p:='null'"),
        ("it's: so", "p:='it''s: so'"),
        ("", "p:=''"),
    ],
)
def test_a_text_stays_a_text_on_the_command_line(evaluate, tmp_path: Path, value: str, word: str) -> None:
    (process,) = evaluate(
        '<arg name="v"/><node pkg="toy" exec="echo_args" name="n"><param name="p" value="$(var v)" type="str"/></node>',
        v=value,
    ).processes
    assert process.words(tmp_path)[-1] == word


def test_conditions_choose_what_runs(evaluate) -> None:
    body = (
        '<arg name="arms" default="right"><choice value="left"/><choice value="right"/></arg>'
        '<node pkg="toy" exec="echo_args" name="l" if="$(equals $(var arms) left)"/>'
        '<node pkg="toy" exec="echo_args" name="r" unless="$(equals $(var arms) left)"/>'
    )
    assert "__node:=r" in evaluate(body).processes[0].command
    (left,) = evaluate(body, arms="left").processes
    assert "__node:=l" in left.command


def test_a_group_keeps_its_namespace_to_itself(evaluate) -> None:
    launch = evaluate(
        '<group><push-ros-namespace namespace="a"/><node pkg="toy" exec="echo_args" name="in"/></group>'
        '<node pkg="toy" exec="echo_args" name="out"/>'
    )
    assert "__ns:=/a" in launch.processes[0].command
    assert "__ns:=/a" not in launch.processes[1].command


def test_what_an_included_file_sets_stays_set_unless_a_group_keeps_it(evaluate, tmp_path: Path) -> None:
    (tmp_path / "inner.launch.xml").write_text('<launch><arg name="who"/><let name="local" value="1"/></launch>')
    include = '<include file="$(dirname)/inner.launch.xml"><arg name="who" value="me"/></include>'
    assert evaluate(f'{include}<log message="$(var local) $(var who)"/>').messages == ["1 me"]
    with pytest.raises(UnknownNameError, match="local"):
        evaluate(f'<group>{include}</group><log message="$(var local)"/>')


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<nod/>", "Did you mean 'node'"),
        ('<node pkg="toy" exec="echo_args" nmae="x"/>', "Did you mean 'name'"),
        ('<node pkg="toy" exec="echo_arg"/>', "Did you mean 'echo_args'"),
        ('<node pkg="toyy" exec="echo_args"/>', "toyy"),
        ('<node pkg="toy"/>', "'exec'"),
        ('<node pkg="toy" exec="echo_args"><parm name="a" value="1"/></node>', "Did you mean 'param'"),
        ('<node pkg="toy" exec="echo_args"><param name="a" value="1" if="true"/></node>', "attribute of <param>"),
        ('<node pkg="toy" exec="echo_args" if="true" unless="true"/>', "exclude each other"),
        ('<arg name="needed"/>', "needed:=VALUE"),
        ('<include file="/nowhere.launch.xml"/>', "nowhere"),
        ('<node pkg="toy" exec="echo_args"><param from="/nowhere.yaml"/></node>', "nowhere"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(evaluate, body: str, message: str) -> None:
    with pytest.raises(VitraError, match=message):
        evaluate(body)


def test_an_unknown_argument_or_choice_is_answered_with_the_nearest_one(evaluate) -> None:
    body = '<arg name="robot" default="sim"><choice value="sim"/><choice value="real"/></arg>'
    with pytest.raises(UnknownNameError, match="Did you mean 'robot'"):
        evaluate(body, robbot="sim")
    with pytest.raises(UnknownNameError, match="Did you mean 'real'"):
        evaluate(body, robot="reel")


@pytest.mark.parametrize("content", ["a: [", "just text", "a: {b: 1}"])
def test_a_malformed_parameter_file_is_named(evaluate, tmp_path: Path, content: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(LaunchError, match=r"params\.yaml"):
        evaluate(f'<node pkg="toy" exec="echo_args"><param from="{path}"/></node>')
