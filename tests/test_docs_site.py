"""The documentation is complete: the reference says what the code says, and every page is in the site."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_reference", ROOT / "docs/generate_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = load_generator()


@pytest.mark.parametrize("page", GENERATOR.PAGES)
def test_the_reference_says_what_the_code_says(page: str) -> None:
    written = (ROOT / "docs/reference" / page).read_text(encoding="utf-8")
    assert written == GENERATOR.text_of(page), "run: python docs/generate_reference.py"


def test_every_node_and_every_message_is_in_the_reference() -> None:
    parameters = (ROOT / "docs/reference/parameters.md").read_text()
    for name in ("executor", "safety_supervisor", "realman_driver", "xhand_driver", "policy", "recorder", "teleop"):
        assert f"## {name}\n" in parameters
    messages = (ROOT / "docs/reference/messages.md").read_text()
    for path in (ROOT / "ros2_ws/src/vitra_msgs").glob("*/*.[msa][sre][gvt]*"):
        assert f"## {path.stem}\n" in messages


def test_every_command_that_a_package_installs_is_in_the_reference() -> None:
    installed = set()
    for file in [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("ros2_ws/src/*/setup.py"), ROOT / "launch/setup.py"]:
        installed |= set(re.findall(r"\"?(vitra-[a-z-]+) ?=", file.read_text()))
    assert installed - {"vitra-launch", "vitra-training", "vitra-description"} <= set(GENERATOR.COMMANDS)


def test_every_command_has_its_options_once_and_also_those_that_it_inherits() -> None:
    sections = re.split(r"^#{2,3} ", (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8"), flags=re.M)[1:]
    options = {one.splitlines()[0]: re.findall(r"^\| `([^`]+)` \|", one, re.M) for one in sections}
    assert [name for name in options if "_-" in name] == [], "a class that only others are made of is no command"
    assert {name: found for name, found in options.items() if len(set(found)) < len(found)} == {}
    assert {"--json", "--domain-id", "--find-s"} <= set(options["vitra-operate status"])
    assert {"--json", "--wait-s"} <= set(options["vitra-operate arm"])
    assert {"--policy", "--mode", "--device"} <= set(options["vitra-policy serve"])


def test_every_page_is_in_the_site_once() -> None:
    listed = subprocess.run(["git", "ls-files", "docs"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pages = sorted(name.removeprefix("docs/") for name in listed.split() if name.endswith(".md"))
    nav = (ROOT / "mkdocs.yml").read_text().split("\nnav:\n")[1]
    assert sorted(re.findall(r"- (\S+\.md)$", nav, re.M)) == pages
