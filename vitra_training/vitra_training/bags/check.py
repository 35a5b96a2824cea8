"""Judges one recorded episode: rates, gaps, skew, idle ends, joint jumps, clocks, frozen images, masks, words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitra_training.bags.check_calibration import calibration
from vitra_training.bags.check_clocks import clocks, drifts
from vitra_training.bags.check_commands import commands
from vitra_training.bags.check_episode import at_frames, episode
from vitra_training.bags.check_images import images
from vitra_training.bags.check_instruction import instruction
from vitra_training.bags.check_intrinsics import intrinsics
from vitra_training.bags.check_joints import ends, idle_ends_s, jumps, unusable
from vitra_training.bags.check_streams import Skew, StreamReport, measure, rates, skew_of, skews
from vitra_training.bags.own_account import SAVED, own_account
from vitra_training.bags.streams import CAMERA, BagStreams, read_streams
from vitra_training.datasets.errors import BrokenFileError
from vitra_training.datasets.findings import Finding, Level
from vitra_training.datasets.limits import Limits

ERROR, WARNING = Level.ERROR, Level.WARNING


@dataclass(frozen=True, slots=True)
class BagReport:
    """What the check found."""

    path: str
    duration_s: float
    instruction: str
    streams: tuple[StreamReport, ...]
    skew: dict[str, Skew]
    idle_head_s: float
    idle_tail_s: float
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """No error; warnings are allowed."""
        return not any(finding.level is ERROR for finding in self.findings)


def check_bag(path: Path, limits: Limits | None = None) -> tuple[BagReport, BagStreams | None]:
    """Judge one bag; a bag that cannot be read is a finding, not an exception. The streams are for its image.

    Raises:
        DiskError: there is no room for its numbers in the folder of temporary files.
    """
    limits = limits or Limits()
    if path.name.endswith(".partial"):
        return _unreadable(path, "cut off", f"the recording was cut off: run `vitra-bag repair {path}`"), None
    try:
        bag = read_streams(path)
    except BrokenFileError as error:
        return _unreadable(path, type(error).__name__, str(error)), None
    streams = tuple(measure(stream, bag.declared_hz.get(name), limits) for name, stream in sorted(bag.streams.items()))
    skew = {name: skew_of(bag, name, limits) for name in bag.joints if CAMERA in bag.streams}
    head_s, tail_s = idle_ends_s(bag)
    checks = [
        *_words(bag), *_missing(bag), *rates(bag, streams, limits), *clocks(bag, limits), *drifts(bag, limits),
        *skews(skew, limits), *jumps(bag, limits), *ends(head_s, tail_s, bag.end_s - bag.begin_s, limits),
        *images(bag, limits),
    ]  # fmt: skip
    found = at_frames(bag)
    if (content := found.content) is not None:
        moves_from_s = bag.begin_s + head_s if head_s < bag.end_s - bag.begin_s else bag.streams[CAMERA].arrivals_s[0]
        checks += [
            *unusable(bag, content, limits), *instruction(bag, content, moves_from_s), *intrinsics(bag, content),
            *calibration(bag, content), *commands(content, bag.begin_s, limits),
        ]  # fmt: skip
    checks += [*episode(bag, found), *_history(bag)]
    report = BagReport(
        str(path), bag.end_s - bag.begin_s, bag.instruction, streams, skew, head_s, tail_s, tuple(checks)
    )
    return report, bag


def _unreadable(path: Path, check: str, message: str) -> BagReport:
    return BagReport(str(path), 0.0, "", (), {}, 0.0, 0.0, (Finding(ERROR, check, message),))


def _words(bag: BagStreams) -> Iterator[Finding]:
    if not bag.instruction.strip():
        yield Finding(ERROR, "instruction", "no instruction: the episode cannot be learnt from")
    if not bag.about:
        yield Finding(WARNING, "about", "nothing is said about operator, software and calibration")


def _missing(bag: BagStreams) -> Iterator[Finding]:
    for topic in bag.required:
        if topic not in bag.streams:
            yield Finding(ERROR, "missing topic", f"nothing on {topic}")
    if not bag.joints:
        yield Finding(ERROR, "missing topic", "no joint_states of any arm or hand")
    if "tf_static" not in bag.streams:
        yield Finding(ERROR, "missing topic", "no /tf_static: the calibration is not in the bag")


def _history(bag: BagStreams) -> Iterator[Finding]:
    for cause in bag.stops:
        yield Finding(WARNING, "stop", f"the robot was stopped while recording: {cause}")
    if warnings := bag.about.get("warnings"):
        yield Finding(WARNING, "recorder", f"said while recording: {warnings}")
    account = own_account(bag.path)
    for contradiction in account.contradictions:
        yield Finding(ERROR, "metadata", f"{contradiction}; nobody can say which is true")
    if (outcome := account.outcome) != SAVED:
        yield Finding(WARNING, "outcome", f"{outcome}: `vitra-bag convert` leaves it out")
    if reason := bag.about.get("discard_reason"):
        yield Finding(WARNING, "discarded", reason)
    if repaired := bag.about.get("repaired"):
        yield Finding(WARNING, "repaired", repaired[:200])


def as_json(report: BagReport) -> dict[str, Any]:
    """For a report file."""
    return dataclasses.asdict(report) | {"ok": report.ok}
