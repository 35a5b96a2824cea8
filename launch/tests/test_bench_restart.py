from __future__ import annotations

import os
from pathlib import Path

import pytest

from vitra_bringup.bench_restart import figures, without_our_timeout

PROFILE = Path(__file__).parents[1] / "config/fastdds.xml"


def test_the_default_profile_differs_from_ours_in_the_timeout_only() -> None:
    ours = PROFILE.read_text()
    default = without_our_timeout(ours)
    assert ours.splitlines() == [line for line in ours.splitlines() if line in default or "<healthy_check" in line]
    assert "<healthy_check_timeout_ms>" not in default
    with pytest.raises(ValueError, match="does not set"):
        without_our_timeout(default)


def test_waits_are_summed_up_by_the_worst() -> None:
    assert figures([0.0, 334.0, 2.0, 101.0]) == {
        "publishers_times_restarts": 4, "longest_ms": 334.0, "p90_ms": 101.0, "over_100_ms": 2,
    }  # fmt: skip


def test_the_graph_runs_with_this_profile() -> None:
    assert Path(os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"]).read_text() == PROFILE.read_text()
