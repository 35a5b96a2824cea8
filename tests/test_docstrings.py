"""Docstrings of public functions name arguments, shapes and errors."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_lint_settings import packages

ROOT = Path(__file__).resolve().parent.parent
FEW_ARGUMENTS = 3
"""From that many on a function has an `Args:` section; one or two are told by the sentence."""
ARRAYS = ("NDArray", "Array", "Tensor")
KINDS = ("Args:", "Raises:", "a shape")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def public_functions(body: list[ast.stmt]) -> Iterator[Function]:
    """Functions and methods that others may call, without setters and overloads."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body)
        elif isinstance(node, Function) and not node.name.startswith("_"):
            words = [ast.unparse(decorator) for decorator in node.decorator_list]
            if not any(word.endswith((".setter", "overload")) for word in words):
                yield node


def own_raises(function: Function) -> bool:
    """Whether it raises by itself, `raise` of what was caught and helpers inside left out."""
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Raise) and node.exc is not None and not isinstance(node.exc, ast.Name):
            return "NotImplementedError" not in ast.unparse(node.exc)
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            todo += ast.iter_child_nodes(node)
    return False


def lacks(function: Function) -> list[str]:
    """Which of `KINDS` a docstring should have and has not; a function without any docstring is ruff's business."""
    text = ast.get_docstring(function)
    if text is None:
        return []
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    named = [a for a in arguments if a.arg not in ("self", "cls")]
    hints = [ast.unparse(a.annotation) for a in named if a.annotation]
    hints += [ast.unparse(function.returns)] if function.returns else []
    missing = []
    if len(named) >= FEW_ARGUMENTS and "Args:" not in text:
        missing.append("Args:")
    if own_raises(function) and "raises" not in text.lower():
        missing.append("Raises:")
    if any(hint.startswith(ARRAYS) for hint in hints) and "(" not in text and "shape" not in text:
        missing.append("a shape")
    return missing


def found(package: str) -> dict[str, list[str]]:
    """What is missing in a package: kind -> places."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / package).rglob("*.py")):
        for function in public_functions(ast.parse(path.read_text(encoding="utf-8")).body):
            for kind in lacks(function):
                places[kind].append(f"{path.relative_to(ROOT)}:{function.lineno} {function.name}")
    return places


@pytest.mark.parametrize("package", sorted(packages()))
def test_nothing_is_missing(package: str) -> None:
    places = found(package)
    assert {kind: places[kind] for kind in KINDS if places[kind]} == {}


def of(text: str) -> list[str]:
    function = ast.parse(text).body[0]
    assert isinstance(function, Function)
    return lacks(function)


def test_what_is_missing_is_seen() -> None:
    assert of('def f(a, b, c):\n    """Add."""') == ["Args:"]
    assert of('def f(a, b):\n    """Add."""') == []
    assert of('def f(a):\n    """Add."""\n    raise ValueError("no")') == ["Raises:"]
    assert (
        of('def f(a):\n    """Add.\n\n    Raises:\n        ValueError: no.\n    """\n    raise ValueError("no")') == []
    )
    assert of('def f(a: Array) -> Array:\n    """Turn."""') == ["a shape"]
    assert of('def f(a: Array) -> Array:\n    """Turn points (N, 3)."""') == []


def test_what_a_helper_inside_raises_is_its_own() -> None:
    assert of('def f(a):\n    """Add."""\n    def g():\n        raise ValueError\n    return g') == []
