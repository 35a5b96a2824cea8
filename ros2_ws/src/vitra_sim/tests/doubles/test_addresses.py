from __future__ import annotations

import pytest

from vitra_policy.action_space import Side
from vitra_sim.doubles.addresses import arm_address, hand_address


def test_every_ros_domain_has_devices_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    for domain in ("0", "1", "101", "232"):
        monkeypatch.setenv("ROS_DOMAIN_ID", domain)
        seen += [arm_address(Side.LEFT), arm_address(Side.RIGHT), hand_address()]
    assert seen[:3] == ["127.0.0.11", "127.0.0.12", "127.0.0.13"]
    assert len(set(seen)) == len(seen)
