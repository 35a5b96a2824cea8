"""One image per episode that shows what its check saw: when messages came, how joints moved, how old they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vitra_training.bags.check import BagReport
from vitra_training.bags.streams import CAMERA, BagStreams, joint_track
from vitra_training.datasets.names import text_of

_MAX_MARKS = 4000


def draw_check(report: BagReport, bag: BagStreams, target: Path) -> Path:
    """Write a PNG of one checked bag.

    Args:
        report: What was found.
        bag: The streams.
        target: The PNG.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (raster, joints, skew) = plt.subplots(3, 1, figsize=(12, 9), sharex=True, height_ratios=(3, 2, 1))
    verdict = "ok" if report.ok else "NOT ok"
    figure.suptitle(
        f"{text_of(Path(report.path).name)}: {verdict}, {report.duration_s:.1f} s. {report.instruction}", wrap=True
    )
    rates = {stream.topic: stream.rate_hz for stream in report.streams}
    names = sorted(bag.streams)
    for row, name in enumerate(names):
        times = bag.streams[name].arrivals_s - bag.begin_s
        shown = times[:: max(len(times) // _MAX_MARKS, 1)]
        raster.plot(shown, np.full(len(shown), row), "|", ms=5)
    raster.set_yticks(range(len(names)), [f"{name}  {rates.get(name, 0):.0f} Hz" for name in names], fontsize=7)
    raster.set_title("arrivals: each mark is a message")
    for name in bag.joints:
        stamps, positions = joint_track(bag, name)
        if "arm" in name and len(stamps):
            labels = [f"{name.split('_')[0]} {number}" for number in range(1, positions.shape[1] + 1)]
            joints.plot(stamps - bag.begin_s, np.degrees(positions), lw=0.8, label=labels)
    for edge_s, label in ((report.idle_head_s, "idle until, from"), (report.duration_s - report.idle_tail_s, "_")):
        joints.axvline(edge_s, color="grey", ls=":", label=label)
    joints.set_ylabel("arm joints, deg")
    joints.legend(fontsize=7, ncols=4, loc="upper right")
    if CAMERA in bag.streams:
        frames = bag.streams[CAMERA].stamps_s
        for name in report.skew:
            stamps = np.sort(bag.streams[name].stamps_s)
            row_of = np.searchsorted(stamps, frames, side="right") - 1
            ages_ms = np.where(row_of >= 0, frames - stamps[np.maximum(row_of, 0)], np.nan) * 1e3
            skew.plot(frames - bag.begin_s, ages_ms, lw=0.8, label=name)
        skew.legend(fontsize=7)
    skew.set_ylabel("age at frames, ms")
    skew.set_xlabel("s; " + "; ".join(f"{f.level}: {f.check}" for f in report.findings)[:150])
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(target, dpi=80)
    plt.close(figure)
    return target
