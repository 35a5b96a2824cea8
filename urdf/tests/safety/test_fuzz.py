"""A share of `make fuzz`: made-up commands never get a limit broken, and a broken guard is found at once."""

from __future__ import annotations

import pytest

from vitra_safety.fuzz import LimitBrokenError, Options, run
from vitra_safety.guard import CommandGuard, Refusal
from vitra_safety.setpoint_limiter import Array, SetpointLimiter


@pytest.mark.parametrize("seed", [0, 1])
def test_made_up_commands_break_no_limit_and_end_nothing(seed: int) -> None:
    result = run(Options(commands=1500, seed=seed, progress=False))
    assert result.accepted > 200
    assert result.sent > 800
    assert len(result.refused) >= 8


def test_a_limiter_that_lets_everything_pass_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def follow(self: SetpointLimiter, target_rad: Array, target_velocity_rad_s: Array) -> Array:
        self.sent(target_rad)
        return target_rad

    monkeypatch.setattr(SetpointLimiter, "follow", follow)
    with pytest.raises(LimitBrokenError, match=r"seed 0, command \d+"):
        run(Options(commands=5000, progress=False))


def test_a_guard_that_does_not_check_positions_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(self: CommandGuard, *_: object, **__: object) -> Refusal | None:
        return None

    monkeypatch.setattr(CommandGuard, "_check_form", check)
    with pytest.raises(LimitBrokenError):
        run(Options(commands=5000, progress=False))
