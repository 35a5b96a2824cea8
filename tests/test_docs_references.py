"""What docstrings and pages say about other pages is there."""

from __future__ import annotations

import ast
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


def anchors(page: Path) -> set[str]:
    """What a `#...` of a link may name: headings, small, blanks as hyphens, without marks."""
    titles = [line.lstrip("#").strip() for line in page.read_text().splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_into_a_page_lead_to_a_heading() -> None:
    broken = []
    for page in tracked("*.md"):
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", page.read_text()):
            goal = page.parent / target if target else page
            if not goal.is_file() or anchor not in anchors(goal):
                broken.append(f"{page.relative_to(ROOT)} -> {target}#{anchor}")
    assert broken == []


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


def test_the_right_to_real_time_priority_is_given_as_the_programs_say() -> None:
    page = (ROOT / "docs/robot.md").read_text()
    doctor = (ROOT / "ros2_ws/src/vitra_doctor/vitra_doctor/checks/machine_checks.py").read_text()
    texts = [node.value for node in ast.walk(ast.parse(doctor)) if isinstance(node, ast.Constant)]
    (mend,) = [text for text in texts if isinstance(text, str) and "limits.d" in text]
    assert mend.removesuffix(", then log in again") in page
    node = (ROOT / "ros2_ws/src/vitra_runtime/vitra_runtime/scheduling.py").read_text()
    (line,) = re.findall(r"line '(@\w+ - rtprio \d+)'", node)
    assert line in mend
    asked = [
        int(number)
        for file in (ROOT / "launch").glob("*.launch.xml")
        for number in re.findall(r'_PRIORITY" value="(?:\$\(if \$\(var realtime\) )?(\d+)', file.read_text())
    ]
    assert asked
    assert max(asked) <= int(line.split()[-1])
    assert "no real-time scheduling (" in node
    assert "`no real-time scheduling (Operation not permitted)`" in page


def test_every_page_is_reached_by_links_from_the_readme() -> None:
    pages = {page.resolve() for page in tracked("*.md")}
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        goals = {(page.parent / target).resolve() for target in LINK.findall(page.read_text())}
        waiting += [goal for goal in goals | {goal / "README.md" for goal in goals} if goal in pages]
    assert sorted(str(page.relative_to(ROOT)) for page in pages - reached) == []
