from __future__ import annotations

from pathlib import Path

import pytest

from vitra_evaluation.plan import Plan
from vitra_evaluation.plan_file import parse_plan


@pytest.fixture
def small_plan() -> Plan:
    """Two policies, one task, three trials each."""
    return parse_plan((Path(__file__).parent / "data/small.yaml").read_text(), None)
