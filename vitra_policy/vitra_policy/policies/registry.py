"""Policies by name: built in, or brought by any installed package through the entry point group below.

    [project.entry-points."vitra_policy.policies"]
    my_policy = "my_package.my_module:make_policy"

A factory is called with its options as keyword arguments, all strings (as they come from a launch file or a command
line), and returns a `Policy`. It should be cheap; loading belongs into `Policy.warm_up`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping

from vitra_policy.errors import UnknownNameError, VitraError
from vitra_policy.extension_point import ExtensionPoint
from vitra_policy.policies.policy import Policy

POLICIES = ExtensionPoint(
    "policy",
    "vitra_policy.policies",
    {
        "egosteer": "vitra_policy.serving.egosteer_client:make_egosteer_policy",
        "learned": "vitra_policy.policies.learned:make_learned_policy",
        "remote": "vitra_policy.serving.client:make_remote_policy",
        "replay": "vitra_policy.policies.replay:make_replay_policy",
        "vitra": "vitra_policy.policies.vitra:make_vitra_policy",
    },
    "Install what it needs, e.g. pip install 'vitra-policy[serve]' for remote or 'vitra-policy[model]' for vitra.",
)
_registered: dict[str, Callable[..., Policy]] = {}


class PolicyOptionError(VitraError):
    """Options of a policy that it does not take, or that are missing or malformed."""


def register_policy(name: str, factory: Callable[..., Policy]) -> None:
    """Add a factory in this process; it wins over built-in and installed ones of that name."""
    _registered[name] = factory


def policy_names() -> list[str]:
    """All names that `create_policy` knows, sorted."""
    return sorted({*_registered, *POLICIES.names()})


def create_policy(
    name: str, options: Mapping[str, str] | None = None, offered: Mapping[str, str] | None = None
) -> Policy:
    """Make a policy by name.

    Args:
        name: one of `policy_names()`.
        options: the factory's keyword arguments, as strings.
        offered: what the robot says of itself (``calibration``, ``arm_variant``), for factories that ask.

    Raises:
        UnknownNameError: no such policy, or no such option of it ("did you mean").
        PolicyOptionError: an option is missing.
        ExtensionError: its package cannot be imported.
    """
    factory = _factory(name)
    parameters = inspect.signature(factory).parameters
    given = {key: value for key, value in (offered or {}).items() if key in parameters} | dict(options or {})
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for option in given:
            if option not in parameters:
                raise UnknownNameError(f"option of policy '{name}'", option, parameters)
    missing = [
        key
        for key, p in parameters.items()
        if p.default is p.empty and p.kind is not p.VAR_KEYWORD and key not in given
    ]
    if missing:
        raise PolicyOptionError(f"Policy '{name}' needs the option(s) {', '.join(missing)}, e.g. {missing[0]}=...")
    return factory(**given)


_NEXT_OPTION = re.compile(r",(?=\s*\w+\s*=)")


def parse_options(pairs: Iterable[str]) -> dict[str, str]:
    """Options of "key=value" strings, or several of them in one, as in "steps=5,guidance=1.0".

    Empty strings are skipped (ROS has no empty string list in YAML). A comma without a "key=" behind it is part of the
    value.

    Raises:
        PolicyOptionError: a string without "=", or a key given twice.
    """
    options: dict[str, str] = {}
    for pair in (part for text in pairs if text for part in _NEXT_OPTION.split(text)):
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise PolicyOptionError(f"Policy option '{pair}' must look like key=value.")
        if key.strip() in options:
            raise PolicyOptionError(f"Policy option '{key.strip()}' is given twice.")
        options[key.strip()] = value.strip()
    return options


def _factory(name: str) -> Callable[..., Policy]:
    if name in _registered:
        return _registered[name]
    factory: Callable[..., Policy] = POLICIES.load(name)
    return factory
