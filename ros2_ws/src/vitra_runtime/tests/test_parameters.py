from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import yaml

from vitra_policy.errors import UnknownNameError
from vitra_runtime.parameters import ParameterError, markdown_table, param, validate, yaml_defaults


@dataclass(frozen=True, slots=True)
class Parameters:
    rate_hz: float = param(200.0, "Setpoints per second", unit="Hz", bounds=(1.0, 1000.0))
    side: str = param("right", "Which arm", choices=("left", "right"))
    retries: int = param(3, "How often to try", bounds=(0, 10))
    names: tuple[str, ...] = param(("a", "b"), "Names")
    corner: tuple[float, ...] = param((0.0, 1.0), "A place", unit="m")


def test_values_of_the_right_type_are_taken_over() -> None:
    values = validate(Parameters, {"rate_hz": 100, "side": "left", "names": ["x"]})
    assert values == Parameters(rate_hz=100.0, side="left", names=("x",))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate_hz": "fast"}, "must be float"),
        ({"rate_hz": 2000.0}, "allowed is 1.0 to 1000.0 Hz"),
        ({"retries": True}, "must be int"),
        ({"retries": 11}, "allowed is 0 to 10"),
        ({"names": "x"}, "must be a list"),
        ({"names": [1]}, r"names\[0\]"),
        ({"corner": [0.0, math.nan]}, r"corner\[1\]' must be a finite number"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        validate(Parameters, values)


def test_unknown_names_and_choices_are_answered_with_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'rate_hz'"):
        validate(Parameters, {"rate_h": 1.0})
    with pytest.raises(UnknownNameError, match="Did you mean 'right'"):
        validate(Parameters, {"side": "rigth"})


def test_the_written_defaults_read_back_as_the_same_values() -> None:
    text = yaml_defaults(Parameters)
    assert validate(Parameters, yaml.safe_load(text)["/**"]["ros__parameters"]) == Parameters()
    assert "Setpoints per second [Hz]" in text


def test_the_table_shows_bounds_and_choices() -> None:
    table = markdown_table(Parameters)
    assert "| `rate_hz` | `200.0` | Hz | 1.0 .. 1000.0 | Setpoints per second |" in table
    assert "left, right" in table
