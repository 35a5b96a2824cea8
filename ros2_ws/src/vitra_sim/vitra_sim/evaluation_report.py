"""The report of an evaluation: success with Wilson intervals, which object was taken, how episodes failed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scipy  # its `stats` take a second to import, at first use

from vitra_sim.outcome import Failure, Outcome
from vitra_sim.suites import Cell


@dataclass(frozen=True, slots=True)
class Rate:
    """k of n, with the 95 % interval of Wilson's score; of no trials the interval is everything."""

    k: int
    n: int

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound of the probability."""
        if not self.n:
            return 0.0, 1.0
        found = scipy.stats.binomtest(self.k, self.n).proportion_ci(0.95, "wilson")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        if not self.n:
            return "-"
        low, high = self.interval
        return f"{self.k}/{self.n} = {100 * self.k / self.n:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


@dataclass(frozen=True, slots=True)
class CellReport:
    """What came out in a cell.

    Attributes:
        cell: Which.
        success: Episodes that the judge was satisfied with.
        language: The named object was taken, of the episodes in which anything was.
        swapped: Another object was taken with the other instruction, of the scenes played with both in which
            anything was taken both times.
        failures: How often each failure occurred.
    """

    cell: Cell
    success: Rate
    language: Rate
    swapped: Rate
    failures: dict[str, int]


def summarize(cell: Cell, outcomes: Iterable[Outcome]) -> CellReport:
    """Count the outcomes of a cell."""
    rows = [o for o in outcomes if o.cell == cell.name]
    taken = [o for o in rows if o.taken]
    by_scene: dict[tuple[str, int], list[str]] = {}
    for one in taken:
        by_scene.setdefault((one.scene.split("#")[0], one.seed), []).append(one.taken)
    pairs = [two for two in by_scene.values() if len(two) == 2]
    return CellReport(
        cell,
        Rate(sum(o.success for o in rows), len(rows)),
        Rate(sum(o.taken == o.named for o in taken), len(taken)),
        Rate(sum(first != second for first, second in pairs), len(pairs)),
        dict(Counter(str(o.failure) for o in rows if o.failure is not Failure.NONE)),
    )


def write_report(out: Path, cells: Sequence[Cell], outcomes: Sequence[Outcome], settings: Mapping[str, Any]) -> None:
    """report.json and report.md in a folder.

    Args:
        out: The folder.
        cells: Rows of the table.
        outcomes: What was played.
        settings: Kept beside the figures.
    """
    reports = [summarize(cell, outcomes) for cell in cells]
    rows = [
        {"cell": r.cell.name, "seed": r.cell.seed, "target": r.cell.target, "failures": r.failures}
        | {
            key: {"k": rate.k, "n": rate.n, "wilson_95": rate.interval}
            for key, rate in (("success", r.success), ("language", r.language), ("swapped", r.swapped))
        }
        for r in reports
    ]
    (out / "report.json").write_text(json.dumps({"settings": dict(settings), "cells": rows}, indent=1) + "\n")
    (out / "report.md").write_text(markdown(reports, settings))


def markdown(reports: Sequence[CellReport], settings: Mapping[str, Any]) -> str:
    """The report as a page."""
    lines = [
        "| cell | done | wanted | named object taken, if any | swapped words change the object | failures |",
        "|---|---|---|---|---|---|",
    ]
    for r in reports:
        wanted = "-" if r.cell.target is None else f"{100 * r.cell.target:.0f} %"
        failures = ", ".join(f"{n} {what}" for what, n in sorted(r.failures.items(), key=lambda item: -item[1]))
        lines.append(f"| {r.cell.name} | {r.success} | {wanted} | {r.language} | {r.swapped} | {failures or '-'} |")
    told = ", ".join(f"{key} {value}" for key, value in settings.items() if value not in ("", (), []))
    return "\n".join([*lines, "", f"95 % intervals after Wilson. {told}.", ""])
