from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realman_driver.parameters import Parameters, WorkspaceError
from vitra_policy.errors import VitraError
from vitra_runtime.parameters import markdown_table, validate


def test_the_two_arms_listen_on_different_ports() -> None:
    assert Parameters(side="left").link.udp_port != Parameters(side="right").link.udp_port
    assert Parameters(udp_port=9000).link.udp_port == 9000


def test_drivers_of_two_graphs_on_one_machine_have_ports_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = set()
    for domain in ("", "0", "1", "101"):
        monkeypatch.setenv("ROS_DOMAIN_ID", domain)
        ports |= {Parameters(side=side).link.udp_port for side in ("left", "right")}
    assert {8091, 8092} < ports
    assert len(ports) == 6


def test_a_slower_joint_speed_tightens_the_guard_and_never_loosens_it() -> None:
    assert validate(Parameters, {"max_joint_speed_rad_s": 0.3}).guard.limits.velocity_rad_s == pytest.approx(
        np.full(7, 0.3)
    )


def test_the_command_timeout_is_also_the_oldest_command() -> None:
    params = Parameters(command_timeout_s=0.08)
    assert params.guard.max_age_s == params.freshness.command_s == 0.08


def test_swapped_workspace_corners_are_refused_in_words() -> None:
    with pytest.raises(WorkspaceError, match="min below max"):
        _ = Parameters(workspace_min_m=(0.0, 0.0, 2.0)).workspace


def test_an_unknown_side_is_refused() -> None:
    with pytest.raises(VitraError, match="middle"):
        validate(Parameters, {"side": "middle"})


def test_the_readme_lists_the_parameters_as_they_are() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    table = readme.split("checked by a test -->\n")[1].split("<!-- end of parameters -->")[0]
    assert table == markdown_table(Parameters)
