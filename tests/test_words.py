"""One word a concept, one concept a word (docs/glossary.md): what was given up does not come back."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STANDARD = {
    "hush": "output_capture", "handicap": "perturbed_expert", "sitting": "attended_session", "seal": "blinding_key",
    "switchboard": "blinded_policy", "hearing": "discovery_check", "bag_salvage": "mcap_recovery",
    "h264_order": "h264_continuity", "reference_manner": "reference_loader", "team": "distributed",
    "journal_of_metrics": "metrics_logger", "invent": "synthesize", "things": "objects", "wording": "captions",
}  # fmt: skip
"""Module that was -> module that is."""
RETIRED = {
    "picture": "image",
    "pictures": "images",
    "ailment": "health problem",
    "strikes": "consecutive errors",
    "salvage": "recovery",
    "hush": "capture",
    "switchboard": "blinded policy",
    "handicapped": "perturbed",
    "invent": "synthesize",
}
"""Word in names -> word to use."""
ONE_MEANING = ("Recording", "Motion", "Session", "Journal", "Side")
"""Names of classes that once stood for several things."""


@cache
def sources() -> dict[str, ast.Module]:
    """Every module that is no test."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in listed.split() if "tests" not in name.split("/") and (ROOT / name).is_file()]
    return {name: ast.parse((ROOT / name).read_text(encoding="utf-8")) for name in names}


@pytest.fixture(scope="module")
def defined() -> dict[str, list[str]]:
    """Functions, classes, arguments, attributes and constants: name -> files that define it."""
    places: dict[str, list[str]] = defaultdict(list)
    for name, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                places[node.name].append(name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                places[node.attr].append(name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                places[node.id].append(name)
            elif isinstance(node, ast.arg):
                places[node.arg].append(name)
    return places


def words(name: str) -> set[str]:
    """Lower-case words of a name in either case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)}


def test_modules_have_the_standard_names() -> None:
    stems = {Path(name).stem for name in sources()}
    assert {old: new for old, new in STANDARD.items() if old in stems} == {}
    assert set(STANDARD.values()) <= stems


def test_no_name_has_a_word_that_was_given_up(defined: dict[str, list[str]]) -> None:
    found = {name: files for name, files in defined.items() if words(name) & set(RETIRED)}
    assert found == {}, RETIRED


def test_no_page_uses_a_word_that_was_given_up() -> None:
    """But the changelog, which tells what was, and other people's names and code in backticks."""
    run = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = {}
    for name in run.stdout.split():
        if name == "CHANGELOG.md" or not (ROOT / name).is_file():
            continue
        text = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.S)
        if used := set(re.findall(r"[a-z]+", text.lower())) & set(RETIRED):
            found[name] = used
    assert found == {}, RETIRED


@pytest.mark.parametrize("name", ONE_MEANING)
def test_one_class_name_stands_for_one_thing(name: str, defined: dict[str, list[str]]) -> None:
    assert len(defined.get(name, [])) <= 1


def test_the_words_of_a_name_are_told_apart() -> None:
    assert words("_still_images") == {"still", "images"}
    assert words("ImageWatch") == {"image", "watch"}


def test_what_is_registered_by_name_has_the_standard_names() -> None:
    registered: dict[str, list[str]] = {}
    for path in [*ROOT.rglob("setup.py"), ROOT / "vitra_policy/pyproject.toml", ROOT / "vitra_training/pyproject.toml"]:
        if not {"build", "install", ".venv"} & set(path.relative_to(ROOT).parts):
            for name in re.findall(r"[\"'\n]([\w-]+) ?= ?\"?[\w.]+:\w+", path.read_text(encoding="utf-8")):
                registered.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert "blinded_policy" in registered
    found = {name: files for name, files in registered.items() if {*re.split("[_-]", name)} & set(RETIRED)}
    assert found == {}, RETIRED
