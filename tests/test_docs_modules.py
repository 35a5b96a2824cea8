"""Tables of modules and rooms in package READMEs are complete, and name nothing that is gone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TABLE = re.compile(r"^\| (module|room|folder) \|[^\n]*\n\|[-|]+\|\n((?:\|[^\n]*\n)+)", re.M)
NAME = re.compile(r"`([\w/]+?)(?:\.py)?/?`")


def packages(readme: Path) -> list[Path]:
    """The Python packages beside a README."""
    return [init.parent for init in sorted(readme.parent.glob("*/__init__.py")) if init.parent.name != "tests"]


def readmes() -> list[Path]:
    """Tracked READMEs that have such a table."""
    run = subprocess.run(["git", "ls-files", "*README.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [path for name in run.stdout.split() if (path := ROOT / name).is_file() and packages(path)]
    return [path for path in paths if TABLE.search(path.read_text(encoding="utf-8"))]


READMES = readmes()


def tables(readme: Path, package: Path) -> list[tuple[str, str]]:
    """Kind and rows of the tables about a package: where there are several, those under a heading that names it."""
    sections = re.split(r"^(?=#)", readme.read_text(encoding="utf-8"), flags=re.M)
    alone = len(packages(readme)) == 1
    about = [text for text in sections if alone or re.search(rf"\b{package.name}\b", text.partition("\n")[0])]
    return [found for text in about for found in TABLE.findall(text)]


def named(readme: Path, package: Path) -> set[str]:
    """Names in the first cells of the tables about a package."""
    rows = [row for _, table in tables(readme, package) for row in table.splitlines()]
    return {name for row in rows for name in NAME.findall(row.split("|")[1])}


def rooms(package: Path) -> set[str]:
    """Packages inside of a package."""
    return {init.parent.name for init in package.glob("*/__init__.py")}


def modules(package: Path) -> set[str]:
    """Modules of a package, and the packages inside of it."""
    return {file.stem for file in package.glob("*.py") if file.stem != "__init__"} | rooms(package)


BOTH = [(readme, package) for readme in READMES for package in packages(readme)]


@pytest.mark.parametrize(("readme", "package"), BOTH, ids=lambda path: path.name.replace("README.md", path.parent.name))
def test_a_table_names_every_module_of_its_package(readme: Path, package: Path) -> None:
    kinds = {kind for kind, _ in TABLE.findall(readme.read_text(encoding="utf-8"))}
    here = modules(package) if "module" in kinds else rooms(package)
    assert sorted(here - named(readme, package)) == [], f"add them to the table of {readme}"


@pytest.mark.parametrize(("readme", "package"), BOTH, ids=lambda path: path.name.replace("README.md", path.parent.name))
def test_a_table_names_nothing_that_is_gone(readme: Path, package: Path) -> None:
    there = modules(package) | {folder.name for folder in package.iterdir() if folder.is_dir()}
    gone = [name for name in sorted(named(readme, package)) if name not in there and not (package / name).is_dir()]
    assert gone == [], f"take them out of the table of {readme}"


def test_the_packages_with_many_modules_have_a_table() -> None:
    with_table = {readme.parent.name for readme in READMES}
    assert {"urdf", "vitra_control", "vitra_recorder", "vitra_runtime", "vitra_policy", "vitra_training"} <= with_table
