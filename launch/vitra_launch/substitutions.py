"""Substitutions of Jazzy's launch XML: `$(var name)`, `$(find-pkg-share pkg)`, `$(equals a b)` and their kin.

`$(eval ...)` and `$(command ...)` run code and are refused on purpose.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vitra_bringup.errors import LaunchError
from vitra_policy.errors import UnknownNameError

TRUE = frozenset({"true", "1"})
FALSE = frozenset({"false", "0"})


@dataclass
class Context:
    """Where a text is substituted: launch configurations, environment and file."""

    configurations: dict[str, str]
    file: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    anonymous: dict[str, str] = field(default_factory=dict)

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
    """Truth value of a condition, as the native tool reads it."""
    value = text.strip().lower()
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise LaunchError(f"{where}: '{text}' is not a condition. Allowed: true, false, 1, 0.")


def substitute(text: str, context: Context) -> str:
    """Replace every substitution in the text, innermost first.

    Raises:
        LaunchError: unbalanced or unknown substitution, or one whose value cannot be found.
    """
    out, position = [], 0
    while (start := text.find("$(", position)) >= 0:
        out.append(text[position:start])
        end = _closing(text, start, context)
        inner = text[start + 2 : end]
        out.append(_evaluate(inner, context))
        position = end + 1
    out.append(text[position:])
    return "".join(out)


def _closing(text: str, start: int, context: Context) -> int:
    depth = 0
    for i in range(start, len(text)):
        if text.startswith("$(", i):
            depth += 1
        elif text[i] == ")":
            depth -= 1
            if depth == 0:
                return i
    raise LaunchError(f"{context.file}: unbalanced '$(' in '{text}'.")


def _split(inner: str, context: Context) -> list[str]:
    """Words of a substitution; nested substitutions and quoted texts stay one word."""
    words, word, i, quote = [], "", 0, ""
    started = False
    while i < len(inner):
        c = inner[i]
        if inner.startswith("$(", i):
            end = _closing(inner, i, context)
            word += _evaluate(inner[i + 2 : end], context)
            started, i = True, end + 1
            continue
        if quote:
            if c == quote:
                quote = ""
            else:
                word += c
        elif c in "'\"":
            quote, started = c, True
        elif c.isspace():
            if started:
                words.append(word)
            word, started = "", False
        else:
            word, started = word + c, True
        i += 1
    if started:
        words.append(word)
    return words


def _evaluate(inner: str, context: Context) -> str:
    words = _split(inner, context)
    if not words:
        raise LaunchError(f"{context.file}: empty substitution '$()'.")
    name, args = words[0], words[1:]
    if name in ("eval", "command"):
        raise LaunchError(f"{context.file}: '$({name} ...)' runs code and is not supported; use arguments instead.")
    if name not in _TABLE:
        raise UnknownNameError(f"substitution in {context.file}:", name, _TABLE)
    counts, function = _TABLE[name]
    if len(args) not in counts:
        raise LaunchError(f"{context.file}: '$({inner})' takes {' or '.join(map(str, counts))} values.")
    return function(args, context)


def _var(args: list[str], context: Context) -> str:
    if args[0] in context.configurations:
        return context.configurations[args[0]]
    if len(args) == 2:
        return args[1]
    raise UnknownNameError(f"launch argument in {context.file}:", args[0], context.configurations)


def _env(args: list[str], context: Context) -> str:
    if args[0] in context.environment:
        return context.environment[args[0]]
    if len(args) == 2:
        return args[1]
    raise LaunchError(f"{context.file}: environment variable '{args[0]}' is not set.")


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
    return context.anonymous.setdefault(args[0], f"{args[0]}_{os.getpid()}_{len(context.anonymous)}")


def _bools(args: list[str], context: Context) -> list[bool]:
    return [as_bool(a, str(context.file)) for a in args]


def _text(value: bool) -> str:
    return "true" if value else "false"


_ANY = range(1, 33)
_TABLE: dict[str, tuple[range | tuple[int, ...], Callable[[list[str], Context], str]]] = {
    "var": ((1, 2), _var),
    "env": ((1, 2), _env),
    "find-pkg-share": ((1,), lambda a, c: str(c.package_prefix(a[0]) / "share" / a[0])),
    "find-pkg-prefix": ((1,), lambda a, c: str(c.package_prefix(a[0]))),
    "find-exec": ((1,), _find_exec),
    "exec-in-pkg": ((2,), _exec_in_pkg),
    "dirname": ((0,), lambda a, c: str(c.file.parent)),
    "filename": ((0,), lambda a, c: str(c.file)),
    "file-content": ((1,), _file_content),
    "anon": ((1,), _anon),
    "not": ((1,), lambda a, c: _text(not _bools(a, c)[0])),
    "and": ((2,), lambda a, c: _text(all(_bools(a, c)))),
    "or": ((2,), lambda a, c: _text(any(_bools(a, c)))),
    "all": (_ANY, lambda a, c: _text(all(_bools(a, c)))),
    "any": (_ANY, lambda a, c: _text(any(_bools(a, c)))),
    "equals": ((2,), lambda a, c: _text(a[0] == a[1])),
    "not-equals": ((2,), lambda a, c: _text(a[0] != a[1])),
    "if": ((2, 3), lambda a, c: a[1] if as_bool(a[0], str(c.file)) else (a[2] if len(a) == 3 else "")),
}


def find_executable(package: str, executable: str, context: Context) -> Path:
    """The executable of a package.

    Raises:
        UnknownNameError: the package has no such executable; the message lists those it has.
    """
    folder = context.package_prefix(package) / "lib" / package
    path = folder / executable
    if not path.is_file():
        raise UnknownNameError(f"executable of package '{package}'", executable, [p.name for p in folder.glob("*")])
    return path


def words(text: str) -> list[str]:
    """Split a command line as a shell would."""
    return shlex.split(text)
