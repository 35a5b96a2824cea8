"""The grammar of substitutions: `text $(name argument 'quoted argument' $(nested)) text`.

As in Jazzy: arguments are separated by one space; a quoted argument is quoted as a whole; inside quotes the same quote
cannot be used again; a backslash takes the meaning from the character behind it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from vitra_bringup.errors import LaunchError

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Call:
    """`$(name argument ...)`."""

    name: str
    arguments: tuple[Template, ...]


Template: TypeAlias = "tuple[str | Call, ...]"
"""Texts and substitutions in a row."""


def parse(text: str, where: str) -> Template:
    """Parts of an attribute's text.

    Args:
        text: As written in the file.
        where: For messages.

    Raises:
        LaunchError: the text does not follow the grammar.
    """
    parser = _Parser(text, where)
    parts = parser.fragments("")
    return parts if parts else ("",)


def unescape(text: str) -> str:
    """A text without the backslashes that protect its characters."""
    return _ESCAPED.sub(r"\1", text)


class _Parser:
    def __init__(self, text: str, where: str) -> None:
        self._text, self._where, self._at = text, where, 0

    def fragments(self, quote: str) -> Template:
        """Texts and substitutions up to the closing quote, or to the end."""
        parts: list[str | Call] = []
        begin = self._at
        while self._at < len(self._text):
            if quote and self._text[self._at] == quote:
                self._add(parts, begin)
                return tuple(parts)
            if self._text.startswith("$(", self._at):
                self._add(parts, begin)
                parts.append(self._call(quote))
                begin = self._at
            else:
                self._at += 2 if self._text[self._at] == "\\" else 1
        if quote:
            raise self._error(f"a quote {quote} is not closed")
        self._add(parts, begin)
        return tuple(parts)

    def _call(self, quote: str) -> Call:
        self._at += 2
        name = _IDENTIFIER.match(self._text, self._at)
        if name is None:
            raise self._error("'$(' must be followed by the name of a substitution")
        self._at = name.end()
        arguments: list[Template] = []
        while self._next() == " ":
            self._at += 1
            arguments.append(self._argument(quote))
        if self._next() != ")":
            raise self._error(f"'$({name[0]}' is not closed, or its arguments are not separated by single spaces")
        self._at += 1
        return Call(name[0], tuple(arguments))

    def _argument(self, quote: str) -> Template:
        if not quote and self._next() in ("'", '"'):
            opening = self._next()
            self._at += 1
            parts = self.fragments(opening)
            self._at += 1
            return parts
        parts_found: list[str | Call] = []
        begin = self._at
        ends = f" ()'\"{quote}" if not quote else f" (){quote}"
        while self._at < len(self._text) and self._next() not in ends:
            if self._text.startswith("$(", self._at):
                self._add(parts_found, begin)
                parts_found.append(self._call(quote))
                begin = self._at
            else:
                self._at += 2 if self._next() == "\\" else 1
        self._add(parts_found, begin)
        if not parts_found:
            raise self._error("an argument is missing, or two spaces follow each other")
        return tuple(parts_found)

    def _next(self) -> str:
        return self._text[self._at] if self._at < len(self._text) else ""

    def _add(self, parts: list[str | Call], begin: int) -> None:
        if begin < self._at:
            parts.append(unescape(self._text[begin : self._at]))

    def _error(self, what: str) -> LaunchError:
        return LaunchError(f"{self._where}: {what}, in '{self._text}' at character {self._at + 1}.")
