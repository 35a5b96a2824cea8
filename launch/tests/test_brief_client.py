"""Programs that join a graph for a moment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vitra_bringup.brief_client import PROFILE, over_udp, use_udp

CONFIG = Path(__file__).parents[1] / "config"


def test_our_profile_is_exchanged_for_the_one_without_shared_memory() -> None:
    environment = {PROFILE: str(CONFIG / "fastdds.xml")}
    use_udp(environment)
    text = Path(environment[PROFILE]).read_text()
    assert "<type>UDPv4</type>" in text
    assert "<type>SHM</type>" not in text


def test_somebody_elses_profile_stays() -> None:
    for environment in ({PROFILE: "/etc/somebody/fastdds_site.xml"}, {}):
        before = dict(environment)
        use_udp(environment)
        assert environment == before


def test_what_is_started_after_a_client_over_udp_has_the_profile_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROFILE, str(CONFIG / "fastdds.xml"))
    with over_udp():
        assert os.environ[PROFILE].endswith("fastdds_udp.xml")
    assert os.environ[PROFILE].endswith("fastdds.xml")
    monkeypatch.delenv(PROFILE)
    with over_udp():
        pass
    assert PROFILE not in os.environ


def test_what_libraries_print_does_not_reach_standard_output() -> None:
    code = (
        "import os; from vitra_bringup.brief_client import own_stdout\n"
        "with own_stdout(): os.write(1, b'noise of a library')\n"
        "print('the report')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout == "the report\n"
    assert "noise of a library" in run.stderr
