"""Options that pages give to `python -m vitra_...` exist; those of the `vitra-` commands stand in docs/reference."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
USED = re.compile(r"python3? -m (vitra_[\w.]+)([^\n`|;&]*)")
OPTION = re.compile(r"(?<!\S)--[a-z][\w-]*")
HISTORY = "CHANGELOG.md"
"""Tells what was, also which options there were."""


@cache
def tracked(pattern: str) -> list[str]:
    run = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in run.stdout.split() if (ROOT / name).is_file()]


@cache
def tree(module: str) -> ast.Module:
    """A module of this project, not imported."""
    end = module.replace(".", "/") + ".py"
    found = [name for name in tracked("*.py") if name == end or name.endswith("/" + end)]
    assert found, f"there is no module {module}"
    return ast.parse((ROOT / found[0]).read_text(encoding="utf-8"))


def fields(module: str, name: str) -> set[str]:
    """Options that tyro makes of a class: its fields, and those of the classes it is made of."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module and name in {alias.name for alias in node.names}:
            return fields(node.module, name)
        if isinstance(node, ast.ClassDef) and node.name == name:
            own = {
                field.target.id
                for field in node.body
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            }
            inherited = [fields(module, base.id) for base in node.bases if isinstance(base, ast.Name)]
            dashed = {f"--{one.replace('_', '-')}" for one in own}
            return dashed.union({f"--no-{one[2:]}" for one in dashed}, *inherited)
    raise AssertionError(f"{module} knows no class {name}")


def options(module: str) -> set[str]:
    """Options of a module that is run."""
    known = {"--help"}
    for node in ast.walk(tree(module)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called, first = ast.unparse(node.func), node.args[0]
        if called == "tyro.cli" and isinstance(first, ast.Name):
            known |= fields(module, first.id)
        if called.endswith(".add_argument"):
            known |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return known


def used() -> Iterator[tuple[str, str, str]]:
    """Page, module and option."""
    for page in (*tracked("*.md"), "Makefile"):
        if page == HISTORY:
            continue
        for module, rest in USED.findall((ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")):
            for option in OPTION.findall(rest):
                yield page, module, option


USES = sorted(set(used()))


@pytest.mark.parametrize("module", sorted({module for _, module, _ in USES}))
def test_an_option_that_a_page_gives_to_a_module_exists(module: str) -> None:
    known = options(module)
    assert [f"{page}: {option}" for page, of, option in USES if of == module and option not in known] == []


def test_uses_are_found() -> None:
    assert ("docs/results/README.md", "vitra_training.imitation.train", "--tower-rate") in USES
    assert "--tower-rate" in options("vitra_training.imitation.train")
    assert "--towers-rate" not in options("vitra_training.imitation.train")


SUBCOMMAND = re.compile(r"(?:^|`|&& )(vitra-(?!demo|sim|view|doctor|launch|teleop)[a-z]+) ([a-z][a-z-]+)", re.M)


def test_every_subcommand_that_a_page_names_stands_in_the_reference() -> None:
    reference = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    known = set(re.findall(r"(vitra-[a-z]+) ([a-z][a-z-]+)", "\n".join(re.findall(r"^### .*$", reference, re.M))))
    named = {
        (page, *found)
        for page in tracked("*.md")
        if page != HISTORY
        for found in SUBCOMMAND.findall((ROOT / page).read_text(encoding="utf-8"))
    }
    assert ("ros2_ws/src/vitra_evaluation/README.md", "vitra-eval", "resume") in named
    assert sorted(one for one in named if one[1:] not in known) == []
