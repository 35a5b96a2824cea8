"""Tests of web pages may be skipped on a desk, never in continuous integration."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def browser_test(repo_root: Path, tmp_path: Path):
    """Runs one test that wants a browser, on a PATH without any; gives the summary line."""
    shutil.copy(repo_root / "conftest.py", tmp_path)
    (tmp_path / "test_page.py").write_text("def test_page(chromium): pass\n")

    def run(ci: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
            env={**os.environ, "PATH": str(tmp_path), "CI": ci},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        return done.stdout

    return run


def test_a_missing_browser_skips_the_test_and_says_how_to_get_one(browser_test) -> None:
    out = browser_test("")
    assert "1 skipped" in out


def test_in_ci_a_missing_browser_is_a_failure(browser_test) -> None:
    out = browser_test("true")
    assert "1 error" in out
    assert "setup-browser.sh" in out


def test_waits_in_a_page_are_functions_since_pages_forbid_eval(repo_root: Path) -> None:
    # Playwright evaluates an expression anew at each look, which a Content-Security-Policy refuses; a function once.
    wait, places = "wait_for_" + "function(", []
    for path in sorted(repo_root.rglob("tests/**/*.py")):
        if ".venv" not in path.parts:
            asked = [text.lstrip() for text in path.read_text().split(wait)[1:]]
            places += [f"{path}: {text[:60]}" for text in asked if not text.startswith(('"(', "'("))]
    assert not places, places
