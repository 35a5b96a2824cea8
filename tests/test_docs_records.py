"""Every test that docs/records.md names for a promise exists, and is slow where the page says so."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMED = re.compile(r"`(test_\w+)::(test_\w+)`( \(slow\))?")


def test_every_promise_has_tests_that_exist() -> None:
    page = (ROOT / "docs/records.md").read_text()
    listed = subprocess.run(["git", "ls-files", "*test_*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    files: dict[str, str] = {}
    for name in listed.stdout.split():
        if (path := ROOT / name).is_file():
            files[path.stem] = files.get(path.stem, "") + path.read_text()
    wrong = []
    for file, test, slow in NAMED.findall(page):
        found = re.search(rf"((?:^@[^\n]*\n)*)^(?:async )?def {test}\(", files.get(file, ""), re.M)
        if found is None or ("mark.slow" in found[1]) != bool(slow):
            wrong.append(f"{file}::{test}{slow}")
    assert wrong == []
    table, seen, _ = page.partition("## Seen on the commit before")
    assert seen, "what was compared by hand has no tests of its own"
    promises = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert all(NAMED.search(line) for line in promises)
    assert len(promises) > 30
