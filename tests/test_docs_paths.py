"""A path that a page names in backticks is there, and every folder of code is named on the page nearest to it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SUFFIXES = "action|cfg|css|csv|html|jpg|js|json|lark|md|mp4|npz|onnx|png|py|rrd|sh|toml|txt|urdf|xacro|xml|yaml|yml"
FENCED = re.compile(r"^```.*?^```", re.M | re.S)
INLINE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(rf"^(?!/)(?:[\w.*-]+/)+[\w.*-]+\.(?:{SUFFIXES})$")
ABSTRACT = re.compile(r"(?:^|/)[A-Z]{2,}[/.]")
"""`runs/train/NAME/report.json`: whoever reads puts a name in its place."""
MADE = {
    "runs/": "what commands write",
    "ros2_ws/install/": "what `make build` writes",
    "meta/info.json": "inside a LeRobot data set",
    "meta/vitra.json": "inside a LeRobot data set of ours",
    "episodes/": "inside the folder that `vitra-label run --out` fills",
    "launch/share/launch/frontend/": "inside a checkout of ros2/launch",
    "src/config/experiment/": "inside a checkout of EgoSteer",
    "scripts/run_server.sh": "inside a checkout of EgoSteer",
    "scripts/serve_policy.py": "inside a checkout of openpi",
}
"""Paths that begin so lie in no checkout of this project, and where they lie."""
HISTORY = "CHANGELOG.md"
"""Tells what was, also where it lay then."""
LABELING = "vitra_training/vitra_training/labeling"
OTHER_PAGES = {LABELING: "docs/labeling/README.md", "ros2_ws/src/vitra_sim": "docs/architecture.md"}
"""Folder -> the page that tells of it instead of the nearest README."""


def listed(*patterns: str) -> list[str]:
    """Tracked files that are there."""
    run = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in run.stdout.split() if (ROOT / name).is_file()]


PAGES = sorted(name for name in listed("*.md") if name != HISTORY)
FOLDERS = {name.split("/")[0] for name in listed() if "/" in name}


def words(page: str) -> set[str]:
    """What stands in backticks outside of blocks, cut at blanks."""
    return {
        word.partition("::")[0].strip(".,;:()\"'")
        for span in INLINE.findall(FENCED.sub("", (ROOT / page).read_text(encoding="utf-8")))
        for word in span.split()
    }


def is_path(word: str) -> bool:
    """Whether a word says that a file or folder of this project is there."""
    if ABSTRACT.search(word) or word.startswith(tuple(MADE)) or re.search(r"[<>{}$~=:,\[]", word):
        return False
    return bool(FILE.match(word)) or ("/" in word and word.split("/")[0] in FOLDERS)


def is_there(page: str, word: str) -> bool:
    """Whether a path leads somewhere from the project's root, the page's folder, or a package in that folder."""
    folder = (ROOT / page).parent
    packages = [init.parent for init in folder.glob("*/__init__.py") if init.parent.name != "tests"]
    return any(next(base.glob(word.rstrip("/")), None) is not None for base in (ROOT, folder, *packages))


@pytest.mark.parametrize("page", PAGES)
def test_every_path_in_backticks_is_there(page: str) -> None:
    assert [word for word in sorted(words(page)) if is_path(word) and not is_there(page, word)] == []


def page_of(folder: str) -> str:
    """The page that tells of a folder: a README above it."""
    for beginning, page in OTHER_PAGES.items():
        if folder.startswith(beginning + "/"):
            return page
    for above in Path(folder).parents:
        if (ROOT / above / "README.md").is_file():
            return str(above / "README.md")
    raise AssertionError(f"no README above {folder}")


def folders_of_code() -> list[str]:
    """Folders that hold modules, and all at the top, but no folders below tests."""
    holding = {str(Path(name).parent) for name in listed("*.py", "*.sh")} - {"."}
    holding = {name for name in holding if "tests" not in Path(name).parts[:-1] and Path(name).parts[-1] != "tests"}
    return sorted(holding | {name for name in FOLDERS if not name.startswith(".")})


def named(folder: str) -> bool:
    """Whether the page of a folder names it; one with a README, or a package directly beside it, needs no words."""
    page, path = page_of(folder), Path(folder)
    if (ROOT / path / "README.md").is_file() or (path.parts[1:] and (ROOT / path.parent / "README.md").is_file()):
        return True
    return any(path.name in word.split("/") for word in words(page))


def test_every_folder_of_code_is_named_on_the_page_nearest_to_it() -> None:
    assert [f"{folder}: {page_of(folder)}" for folder in folders_of_code() if not named(folder)] == []
