from __future__ import annotations

from pathlib import Path

import pytest

from vitra_bringup.errors import LaunchError
from vitra_launch.substitutions import Context, substitute
from vitra_policy.errors import UnknownNameError


@pytest.fixture
def context(environment: dict[str, str]) -> Context:
    return Context({"arms": "right", "x": "a b"}, Path("/some/where/file.launch.xml"), environment)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$(var arms)_arm", "right_arm"),
        ("$(equals $(var arms) right)", "true"),
        ("$(not-equals $(var arms) 'right')", "false"),
        ("$(not $(equals $(var arms) left))", "true"),
        ("$(or $(equals $(var arms) both) $(equals $(var arms) right))", "true"),
        ("$(and true false)", "false"),
        ("$(if $(equals $(var arms) right) yes no)", "yes"),
        ("$(equals $(var x) 'a b')", "true"),
        ("$(env NOT_SET fallback)", "fallback"),
        ("$(dirname)/config", "/some/where/config"),
    ],
)
def test_a_substitution_gives_what_jazzy_gives(context: Context, text: str, expected: str) -> None:
    assert substitute(text, context) == expected


def test_a_package_folder_is_found_through_the_ament_index(context: Context) -> None:
    assert substitute("$(find-pkg-share toy)/config", context).endswith("prefix/share/toy/config")
    assert substitute("$(exec-in-pkg echo_args toy)", context).endswith("lib/toy/echo_args")


@pytest.mark.parametrize("text", ["$(eval '1 + 1')", "$(command 'ls')"])
def test_code_in_a_launch_file_is_refused(context: Context, text: str) -> None:
    with pytest.raises(LaunchError, match="runs code"):
        substitute(text, context)


@pytest.mark.parametrize("text", ["$(var arms", "$()", "$(equals a)", "$(not maybe)", "$(env NOT_SET)"])
def test_a_malformed_substitution_names_the_file(context: Context, text: str) -> None:
    with pytest.raises(LaunchError, match=r"file\.launch\.xml"):
        substitute(text, context)


def test_an_unknown_name_is_answered_with_the_nearest_one(context: Context) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'arms'"):
        substitute("$(var arm)", context)
    with pytest.raises(UnknownNameError, match="Did you mean 'equals'"):
        substitute("$(equal a b)", context)
