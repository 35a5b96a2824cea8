"""Made-up messages of trackers and controllers, and calibration files: none ends its reader or gets nonsense in.

python tests/fuzz_frames.py --frames 100000 --seed 0
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tyro
from tqdm import tqdm

from realman_driver.plausible import PositionCheck
from vitra_description.calibration import CalibrationError, calibration_path, load_calibration
from vitra_description.postures import home
from vitra_teleop.inputs.mailbox import FrameMailbox
from vitra_teleop.wire import MAX_DISTANCE_M, encode

_NUMBERS = (b"0", b"-1", b"1e999", b"NaN", b"Infinity", b"1" + b"0" * 400, b"null", b'"a"', b"[]", b"{}", b"true")
_CALIBRATIONS_EVERY = 50


@dataclass(frozen=True)
class Options:
    """How much, and from which seed."""

    frames: int = 100_000
    """Messages to make up."""
    seed: int = 0
    """Of the random numbers."""
    progress: bool = True
    """Show a progress bar."""


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """The message with a few bytes, a number or a piece changed."""
    way = rng.integers(4)
    if way == 0:
        changed = bytearray(data)
        for at in rng.integers(0, len(data), rng.integers(1, 6)):
            changed[at] = int(rng.integers(256))
        return bytes(changed)
    begin, end = sorted(int(i) for i in rng.integers(0, len(data), 2))
    if way == 1:
        return data[:begin] + data[end:]
    digits = [i for i, byte in enumerate(data) if chr(byte).isdigit()]
    at = int(rng.choice(digits)) if digits else begin
    return data[:at] + bytes(rng.choice(np.array(_NUMBERS, dtype=object))) + data[at + 1 :]


class Campaign:
    """Readers that live on from message to message."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._now_s, self.taken, self.refused = 100.0, 0, 0
        self._mailbox = FrameMailbox(lambda: self._now_s)
        self._positions = PositionCheck()
        self._good_deg = tuple(np.rad2deg(home("left")).tolist())
        self._positions.start(self._good_deg, 0.0)
        self._calibration = calibration_path("sim").read_bytes()

    def tracker(self, number: int) -> None:
        """One datagram of a tracker, damaged; a sound one must still be heard afterwards."""
        self._now_s += 0.01
        wrist = {"position_m": self._rng.normal(0, 1, 3).tolist(), "quaternion_xyzw": [0.0, 0.0, 0.0, 1.0]}
        hand = {"valid": True, "engage": True, "wrist": wrist, "joints_rad": [0.1] * 12}
        self._mailbox.put(mutated(encode(number, number * 0.01, {"right": hand}), self._rng))
        frame = self._mailbox.take()
        for one in frame.hands.values() if frame else ():
            pose = one.tracker_from_wrist
            assert np.isfinite(pose).all()
            assert np.abs(pose[:3, 3]).max() <= MAX_DISTANCE_M
        self.taken += frame is not None

    def controller(self, time_s: float) -> None:
        """One state push of a controller, damaged."""
        position = list(self._good_deg)
        for joint in self._rng.integers(0, 7, self._rng.integers(0, 3)):
            position[joint] = float(self._rng.choice([0.0, np.nan, np.inf, 2_147_483.0, -1e9, self._rng.normal(0, 90)]))
        if self._rng.random() < 0.1:
            position = position[: self._rng.integers(8)]
        if self._positions.accepts(position, time_s):
            assert self._positions.last_deg is not None
            assert max(abs(q) for q in self._positions.last_deg) < 370.0

    def calibration(self, folder: Path) -> None:
        """One calibration file, damaged: read, or refused by name."""
        path = folder / "made_up.yaml"
        path.write_bytes(mutated(self._calibration, self._rng))
        try:
            load_calibration(path)
        except CalibrationError:
            self.refused += 1


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Entry point; returns and prints the counts."""
    options = tyro.cli(Options, description=__doc__, args=arguments)
    campaign, begin_s = Campaign(options.seed), time.perf_counter()
    with TemporaryDirectory() as folder:
        for number in tqdm(range(options.frames), disable=not options.progress, unit="frames"):
            campaign.tracker(number)
            campaign.controller(number * 0.005)
            if number % _CALIBRATIONS_EVERY == 0:
                campaign.calibration(Path(folder))
    seconds = time.perf_counter() - begin_s
    result = {
        "frames": options.frames,
        "taken": campaign.taken,
        "calibrations_refused": campaign.refused,
        "rate_hz": round(options.frames / seconds, 1),
    }
    sys.stdout.write(json.dumps(result) + "\n")
    return result


if __name__ == "__main__":
    main()
