from __future__ import annotations

from pathlib import Path

import pytest

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


def test_a_node_becomes_a_ros_command_line(evaluate) -> None:
    launch = evaluate(
        '<arg name="ip" default="10.0.0.1"/>'
        '<group><push_ros_namespace namespace="lab"/>'
        '<node pkg="toy" exec="echo_args" name="arm" args="one two" respawn="true" respawn_delay="0.5">'
        '<param name="ip" value="$(var ip)" type="str"/><param name="rate" value="200.0"/>'
        '<remap from="a" to="b"/><env name="K" value="v"/></node></group>'
    )
    (process,) = launch.processes
    assert process.command[1:3] == ("one", "two")
    assert " ".join(process.command[3:]) == (
        "--ros-args -r __node:=arm -r __ns:=/lab -p ip:='10.0.0.1' -p rate:=200.0 -r a:=b"
    )
    assert process.environment["K"] == "v"
    assert process.respawn
    assert process.respawn_delay_s == 0.5


def test_conditions_choose_what_runs(evaluate) -> None:
    body = (
        '<arg name="arms" default="right"><choice value="left"/><choice value="right"/></arg>'
        '<node pkg="toy" exec="echo_args" name="l" if="$(equals $(var arms) left)"/>'
        '<node pkg="toy" exec="echo_args" name="r" unless="$(equals $(var arms) left)"/>'
    )
    assert [p.label for p in evaluate(body).processes] == ["r"]
    assert [p.label for p in evaluate(body, arms="left").processes] == ["l"]


def test_a_group_keeps_its_namespace_to_itself(evaluate) -> None:
    launch = evaluate(
        '<group><push-ros-namespace namespace="a"/><node pkg="toy" exec="echo_args" name="in"/></group>'
        '<node pkg="toy" exec="echo_args" name="out"/>'
    )
    assert "__ns:=/a" in " ".join(launch.processes[0].command)
    assert "__ns" not in " ".join(launch.processes[1].command)


def test_an_included_file_gets_arguments_and_leaks_nothing(evaluate, tmp_path: Path) -> None:
    (tmp_path / "inner.launch.xml").write_text(
        '<launch><arg name="who"/><let name="local" value="1"/>'
        '<node pkg="toy" exec="echo_args" name="$(var who)"/></launch>'
    )
    launch = evaluate('<include file="$(dirname)/inner.launch.xml"><arg name="who" value="me"/></include>')
    assert launch.processes[0].label == "me"
    with pytest.raises(UnknownNameError, match="local"):
        evaluate(
            '<include file="$(dirname)/inner.launch.xml"><arg name="who" value="me"/></include>'
            '<log message="$(var local)"/>'
        )


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
