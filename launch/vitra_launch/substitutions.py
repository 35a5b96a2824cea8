"""Substitutions of Jazzy's launch XML: `$(var name)`, `$(find-pkg-share pkg)`, `$(equals a b)` and their kin.

`$(eval ...)` and `$(command ...)` run code and are refused on purpose.
"""

from __future__ import annotations

import math
import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitra_bringup.errors import LaunchError
from vitra_launch.parameter_values import read_bool
from vitra_launch.substitution_text import Call, Template, parse
from vitra_policy.errors import UnknownNameError

TRUE = frozenset({"true", "1"})
FALSE = frozenset({"false", "0"})
GLOBAL_PARAMETERS = "global_params"
"""Configuration that holds what set_parameter and set_parameters_from_file gave, as natively."""


@dataclass
class Context:
    """Where a text is substituted: launch configurations, environment and file.

    As natively, namespaces, parameters and remaps for all nodes are launch configurations too, and there is one file at
    a time: behind an include, `$(dirname)` is the folder of the file that was included.
    """

    configurations: dict[str, Any]
    file: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def package_prefix(self, package: str) -> Path:
        """Install prefix of a built package.

        Raises:
            LaunchError: the package is not on AMENT_PREFIX_PATH.
        """
        prefixes = [Path(p) for p in self.environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
        for prefix in prefixes:
            if (prefix / "share/ament_index/resource_index/packages" / package).exists():
                return prefix
        known = {p.name for prefix in prefixes for p in prefix.glob("share/ament_index/resource_index/packages/*")}
        hint = "Build it with `make build` and source requirements/env.sh."
        raise UnknownNameError("package", package, [n for n in known if n.startswith(package[:5])], hint)


def as_bool(text: str, where: str) -> bool:
    """Truth value of a condition, as the native tool reads it.

    Raises:
        LaunchError: any other word.
    """
    value = text.strip().lower()
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise LaunchError(f"{where}: '{text}' is not a condition. Allowed: true, false, 1, 0.")


def substitute(text: str, context: Context) -> str:
    """Replace every substitution in the text.

    Raises:
        LaunchError: malformed or unknown substitution, or one whose value cannot be found.
    """
    return evaluate(check(parse(text, str(context.file)), str(context.file)), context)


def check(template: Template, where: str) -> Template:
    """The template, if every substitution in it exists and takes as many arguments.

    Raises:
        LaunchError, UnknownNameError: one does not.
    """
    for part in template:
        if isinstance(part, str):
            continue
        if part.name in _BROKEN:
            raise LaunchError(f"{where}: '$({part.name} ...)': {_BROKEN[part.name]}")
        if part.name not in _TABLE:
            raise UnknownNameError(f"substitution in {where}:", part.name, _TABLE)
        counts = _TABLE[part.name][0]
        if len(part.arguments) not in counts:
            allowed = " or ".join(map(str, counts))
            raise LaunchError(f"{where}: '$({part.name} ...)' takes {allowed} arguments, got {len(part.arguments)}.")
        for argument in part.arguments:
            check(argument, where)
    return template


def evaluate(template: Template, context: Context) -> str:
    """The text of a template.

    Raises:
        LaunchError: a value cannot be found.
    """
    return "".join(part if isinstance(part, str) else _call(part, context) for part in template)


def command_words(text: str, context: Context) -> list[str]:
    """Words of a command line: texts are split as a shell would, what a substitution gives stays one piece."""
    words: list[str] = []
    word: list[str] = []

    def end() -> None:
        words.append("".join(word))
        word.clear()

    for part in check(parse(text, str(context.file)), str(context.file)):
        if isinstance(part, Call):
            word.append(evaluate((part,), context))
            continue
        tokens = shlex.split(part)
        if not tokens:
            end()
            continue
        if part[0].isspace() and word:
            end()
        for i, token in enumerate(tokens):
            if i > 0:
                end()
            word.append(token)
        if part[-1].isspace():
            end()
    if word:
        end()
    return words


def _call(call: Call, context: Context) -> str:
    return _TABLE[call.name][1](call.arguments, context)


def _first(function: Callable[[list[str], Context], str]) -> Callable[[tuple[Template, ...], Context], str]:
    """A substitution that needs all its arguments."""
    return lambda arguments, context: function([evaluate(a, context) for a in arguments], context)


def _refused(why: str) -> Callable[[tuple[Template, ...], Context], str]:
    def refuse(arguments: tuple[Template, ...], context: Context) -> str:
        raise LaunchError(f"{context.file}: {why}")

    return refuse


def _var(args: list[str], context: Context) -> str:
    if args[0] in context.configurations:
        return str(context.configurations[args[0]])
    if len(args) == 2:
        return args[1]
    raise UnknownNameError(f"launch argument in {context.file}:", args[0], context.configurations)


def _env(args: list[str], context: Context) -> str:
    if args[0] in context.environment:
        return context.environment[args[0]]
    if len(args) == 2:
        return args[1]
    raise LaunchError(f"{context.file}: environment variable '{args[0]}' is not set.")


def _param(args: list[str], context: Context) -> str:
    for entry in context.configurations.get(GLOBAL_PARAMETERS, []):
        if isinstance(entry, tuple) and entry[0] == args[0]:
            return str(entry[1])
    if len(args) == 2:
        return args[1]
    raise LaunchError(f"{context.file}: no parameter '{args[0]}' was set for all nodes.")


def _find_exec(args: list[str], context: Context) -> str:
    path = shutil.which(args[0], path=context.environment.get("PATH"))
    if path is None:
        raise LaunchError(f"{context.file}: executable '{args[0]}' is not on the PATH.")
    return path


def _exec_in_pkg(args: list[str], context: Context) -> str:
    return str(find_executable(args[1], args[0], context))


def _file_content(args: list[str], context: Context) -> str:
    try:
        return Path(args[0]).read_text()
    except OSError as error:
        raise LaunchError(f"{context.file}: cannot read '{args[0]}': {error.strerror}.") from error


def _anon(args: list[str], context: Context) -> str:
    name = f"{args[0]}_{os.getpid()}_{len(context.configurations)}"
    return str(context.configurations.setdefault(f"anon{args[0]}", name))


def _if(arguments: tuple[Template, ...], context: Context) -> str:
    if read_bool(evaluate(arguments[0], context), str(context.file)):
        return evaluate(arguments[1], context)
    return evaluate(arguments[2], context) if len(arguments) == 3 else ""


def _equals(arguments: tuple[Template, ...], context: Context) -> bool:
    # An empty quoted argument is an empty list to the native tool, which compares it as text.
    left, right = (evaluate(argument, context) if argument else "[]" for argument in arguments)
    if left.lower() in TRUE | FALSE and right.lower() in TRUE | FALSE:
        return (left.lower() in TRUE) == (right.lower() in TRUE)
    try:
        return math.isclose(float(left), float(right))
    except ValueError:
        return left == right


def _bools(args: list[str], context: Context) -> list[bool]:
    return [read_bool(a, str(context.file)) for a in args]


def _text(value: bool) -> str:
    return "true" if value else "false"


_BROKEN = {
    "all": "the native tool of Jazzy cannot load it; nest '$(and a b)' instead.",
    "any": "the native tool of Jazzy cannot load it; nest '$(or a b)' instead.",
}
_TABLE: dict[str, tuple[tuple[int, ...], Callable[[tuple[Template, ...], Context], str]]] = {
    "var": ((1, 2), _first(_var)),
    "env": ((1, 2), _first(_env)),
    "param": ((1, 2), _first(_param)),
    "find-pkg-share": ((1,), _first(lambda a, c: str(c.package_prefix(a[0]) / "share" / a[0]))),
    "find-pkg-prefix": ((1,), _first(lambda a, c: str(c.package_prefix(a[0])))),
    "find-exec": ((1,), _first(_find_exec)),
    "exec-in-pkg": ((2,), _first(_exec_in_pkg)),
    "dirname": ((0,), _first(lambda a, c: str(c.file.parent))),
    "filename": ((0,), _first(lambda a, c: str(c.file))),
    "file-content": ((1,), _first(_file_content)),
    "anon": ((1,), _first(_anon)),
    "not": ((1,), _first(lambda a, c: _text(not _bools(a, c)[0]))),
    "and": ((2,), _first(lambda a, c: _text(all(_bools(a, c))))),
    "or": ((2,), _first(lambda a, c: _text(any(_bools(a, c))))),
    "equals": ((2,), lambda a, c: _text(_equals(a, c))),
    "not-equals": ((2,), lambda a, c: _text(not _equals(a, c))),
    "if": ((2, 3), _if),
    "eval": ((1, 2), _refused("'$(eval ...)' runs code and is not supported; use arguments instead.")),
    "command": ((1, 2), _refused("'$(command ...)' runs code and is not supported; use arguments instead.")),
    "log_dir": ((0,), _refused("'$(log_dir)' needs the native tool, which keeps a folder for each run.")),
    "launch_log_dir": ((0,), _refused("'$(launch_log_dir)' needs the native tool.")),
}


def find_executable(package: str, executable: str, context: Context) -> Path:
    """The executable of a package.

    Args:
        package: ROS package.
        executable: File name in its `lib/<package>`.
        context: Says which install folders are searched.

    Raises:
        UnknownNameError: the package has no such executable; the message lists those it has.
    """
    folder = context.package_prefix(package) / "lib" / package
    path = folder / executable
    if not path.is_file():
        raise UnknownNameError(f"executable of package '{package}'", executable, [p.name for p in folder.glob("*")])
    return path
