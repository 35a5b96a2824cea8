"""The Foxglove layout names topics that the graph has, and every panel it arranges exists."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

LAYOUT = Path(__file__).parents[1] / "config/foxglove.json"
INTERFACES = Path(__file__).parents[2] / "docs/interfaces.md"


def panels(tree: Any) -> set[str]:
    if isinstance(tree, str):
        return {tree}
    return panels(tree["first"]) | panels(tree["second"])


def test_the_arranged_panels_are_the_configured_ones() -> None:
    layout = json.loads(LAYOUT.read_text())
    assert panels(layout["layout"]) == set(layout["configById"])


def test_every_topic_is_one_of_the_graph() -> None:
    known = INTERFACES.read_text()
    topics = set(re.findall(r'"/([a-z_/]+)', LAYOUT.read_text()))
    unknown = {
        topic for topic in topics if topic not in known and re.sub("^(left|right)_", "{side}_", topic) not in known
    }
    assert topics
    assert unknown == set()
