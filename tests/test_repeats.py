"""No concept is written twice: nowhere do more than six lines of code stand a second time."""

from __future__ import annotations

import ast
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINES = 7
LEAST_CHARACTERS = 150
"""Fewer than that in seven lines is layout (brackets, single words), no concept."""
ALONE = "labeling/adapters/bridges/"
"""Scripts that run in the environments of other projects and can share no module."""
LAYOUT = {")", "]", "}", "):", ") -> None:", "@property", "else:", "try:", "finally:"}


def code_lines(text: str, nodes: list[ast.AST]) -> list[tuple[int, str]]:
    """Numbered lines of code, stripped; imports, docstrings, comments and bare brackets left out."""
    skipped: set[int] = set()
    for node in nodes:
        is_words = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        if isinstance(node, ast.Import | ast.ImportFrom) or is_words:
            assert isinstance(node, ast.stmt)
            skipped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if number not in skipped and line.strip() not in LAYOUT and line.strip() and not line.strip().startswith("#")
    ]


def headers(nodes: list[ast.AST]) -> set[int]:
    """Lines of argument lists: two functions of one file may have the same."""
    lines: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines.update(range(node.lineno, node.body[0].lineno))
    return lines


def repeats(files: dict[str, str]) -> Iterator[str]:
    """Places where seven lines stand a second time."""
    windows: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for name, text in files.items():
        nodes = list(ast.walk(ast.parse(text)))
        lines, of_headers = code_lines(text, nodes), headers(nodes)
        for i in range(len(lines) - LINES + 1):
            window = tuple(line for _, line in lines[i : i + LINES])
            if sum(map(len, window)) < LEAST_CHARACTERS:
                continue
            before = windows[window]
            only_header = all(number in of_headers for number, _ in lines[i : i + LINES])
            if before and not (only_header and before[0][0] == name):
                yield f"{name}:{lines[i][0]} repeats {before[0][0]}:{before[0][1]}: {window[0]}"
            before.append((name, lines[i][0]))


def test_no_seven_lines_stand_twice() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in listed.split() if "tests" not in name.split("/") and not name.endswith("setup.py")]
    names = [name for name in names if ALONE not in name]
    files = {name: path.read_text(encoding="utf-8") for name in names if (path := ROOT / name).is_file()}
    found = list(repeats(files))
    assert found == []


def test_a_repeat_is_found_whatever_its_indentation() -> None:
    body = [f"value_{i} = compute_something(of={i}, with_limit=limit)" for i in range(LINES)]
    one, other = "\n".join(body), "if True:\n" + "\n".join(f"    {line}  " for line in body)
    assert len(list(repeats({"a.py": one, "b.py": other}))) == 1
    assert list(repeats({"a.py": one, "b.py": "\n".join(body[1:])})) == []
