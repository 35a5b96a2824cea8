"""From when on the check of a recorded episode calls something bad."""

from __future__ import annotations

from dataclasses import dataclass, fields

from vitra_policy.command_options import OptionValueError


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something is called bad."""

    rate_warning: float = 0.03
    """Share by which a rate may miss the declared one."""
    rate_error: float = 0.10
    """The same, where the episode is refused."""
    gap_periods: float = 4.0
    """A gap is longer than so many periods of its stream, and than 60 ms."""
    gap_error_s: float = 0.5
    """So long a gap in a camera or joint stream refuses the episode."""
    skew_s: float = 0.05
    """Age of the newest joint sample at a frame; older ones mask the frame."""
    masked_warning: float = 0.02
    """Share of frames that may be masked."""
    masked_error: float = 0.2
    """The same, where the episode is refused."""
    idle_s: float = 1.5
    """Stillness at the beginning or end that teaches idling."""
    arm_rad_s: float = 4.0
    """Faster than any arm joint can turn."""
    hand_rad_s: float = 20.0
    """Faster than any hand joint can turn."""
    jump_rad: float = 0.05
    """A jump is also larger than this."""
    clock_s: float = 0.3
    """A stamp that steps so much against the time of arrival."""
    ahead_s: float = 0.03
    """Arrival before the stamp, at the median: nothing arrives before it was measured, but clocks of two machines that
    are kept together (NTP, PTP) differ by some milliseconds."""
    delay_s: float = 0.2
    """Arrival after capture."""
    frozen_s: float = 0.4
    """The same image for so long while the robot moves."""
    frozen_arm_rad: float = 0.05
    """So far may an arm turn in all meanwhile: 30 mm of a hand 0.6 m away, which no camera overlooks."""
    frozen_hand_rad: float = 0.3
    """The same of a finger joint: 30 mm of a tip 0.1 m away."""
    stutter_warning: float = 0.1
    """Share of images, while an arm moves, that were shown before; 0.5 is a camera of half the rate."""
    stutter_error: float = 0.6
    """The same, where the episode is refused."""
    drift_s: float = 0.15
    """Stamps of camera and joints that run apart by so much shift images; a busy camera is late by less."""
    follow_warning_rad: float = 0.2
    """An arm so far off its commands is one that the executor gives up on."""
    follow_rad: float = 0.5
    """An arm so far off its commands does not follow them; a fast one (4 rad/s) lags by 0.4 rad for a moment."""
    hand_follow_rad: float = 2.0
    """A finger that an object holds open may be its whole range (1.92 rad) off, and no further."""
    follow_s: float = 0.3
    """So long in all must an arm or hand be that far off."""
    command_rad: float = 0.2
    """A commanded joint that turns so much within a second must turn itself, by a tenth of it at least."""

    def __post_init__(self) -> None:
        for one in fields(self):
            if not (value := getattr(self, one.name)) >= 0:
                raise OptionValueError(one.name, value, "a number of at least 0")
