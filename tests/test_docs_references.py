"""What docstrings and pages say about other pages is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECTION = re.compile(r"docs/(\w+)\.md: ([A-Z][A-Za-z0-9-]*(?: [a-z][a-z-]*)*)")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split() if (path := ROOT / name).is_file()]


def headings(page: Path) -> str:
    return "\n".join(line for line in page.read_text().splitlines() if line.startswith("#") or "|" in line)


def test_sections_that_docstrings_name_exist() -> None:
    missing = []
    for path in tracked("*.py"):
        for page, section in SECTION.findall(path.read_text()):
            if section.lower() not in headings(ROOT / f"docs/{page}.md").lower():
                missing.append(f"{path.relative_to(ROOT)} names docs/{page}.md: {section}")
    assert missing == []


def test_no_docstring_points_to_pages_that_users_do_not_have() -> None:
    assert [
        str(p)
        for p in tracked("*.py")
        if "tests" not in p.parts and re.search(r"\bfacts/\w+\.md|\(facts:", p.read_text())
    ] == []


def test_relative_links_of_pages_lead_somewhere() -> None:
    broken = []
    for page in tracked("*.md"):
        for target in LINK.findall(page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert broken == []
