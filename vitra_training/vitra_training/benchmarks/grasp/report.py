"""`report.json` and `report.md` of a run: the paper's average and median in centimetres, with intervals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_training.benchmarks.grasp.intervals import Difference, Summary, paired_difference, summarise
from vitra_training.benchmarks.grasp.outcome import Outcome
from vitra_training.benchmarks.grasp.rows import INITIAL, Case, Row

Array = NDArray[np.float64]

VERSION = 1


def write_report(outcome: Outcome, out: Path, command: str, date: str) -> dict[str, Any]:
    """Write both files and return what is in the JSON one.

    Args:
        outcome: Of a run.
        out: Its folder.
        command: That made it.
        date: Of the day.
    """
    report = make_report(outcome) | {"command": command, "date": date}
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (out / "report.md").write_text(markdown(report), encoding="utf-8")
    return report


def make_report(outcome: Outcome) -> dict[str, Any]:
    """Everything that a run found, ready for JSON."""
    return {
        "version": VERSION,
        "scenes": str(outcome.root),
        "start": asdict(outcome.start),
        "left_out": list(outcome.left_out),
        "rows": [_row(row, outcome) for row in outcome.rows],
        "differences": list(_differences(outcome)),
        "objects": [
            {"scene": case.scene, "object": case.name, "caption": case.caption, "group": case.group}
            | {"distances_cm": {name: _number(values[n]) for name, values in outcome.distances_cm.items()}}
            for n, case in enumerate(outcome.cases)
        ],
    }


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    start = report["start"]
    lines = [
        "# Grasp benchmark",
        "",
        f"{report['date']}, `{report['command']}`",
        "",
        f"{len(report['objects'])} objects in {len({one['scene'] for one in report['objects']})} scenes of "
        f"`{report['scenes']}`. The {start['side']} hand starts {100 * start['distance_m']:g} cm from the object "
        f"(seed {start['seed']}). Smallest distance of any finger point to the object over the chunk, cm, with 95 % "
        "bootstrap intervals over objects.",
        "",
        "| row | objects | average | median |",
        "|---|---|---|---|",
        *(f"| {row['row']} | {_cells(row['all'])} |" for row in report["rows"] if row["all"]),
    ]
    asked = [row for row in report["rows"] if row["policy"] and not row["shuffled"]]
    lines += ["", *(f"- {row['row']}: {_about(row)}" for row in asked)] if asked else []
    for what, title in (("groups", "Groups"), ("scenes", "Scenes")):
        lines += ["", f"## {title}", "", f"| {what[:-1]} | row | objects | average | median |", "|---|---|---|---|---|"]
        names = sorted({name for row in report["rows"] for name in row[what]})
        lines += [
            f"| {name} | {row['row']} | {_cells(row[what][name])} |"
            for name in names
            for row in report["rows"]
            if name in row[what]
        ]
    if report["differences"]:
        lines += ["", "## Paired differences", "", "Negative: the first is nearer.", ""]
        lines += ["| row | minus | objects | average, cm |", "|---|---|---|---|"]
        lines += [
            f"| {d['row']} | {d['minus']} | {d['objects']} | {_with(d['average_cm'], d['interval_cm'])} |"
            for d in report["differences"]
        ]
    if report["left_out"]:
        lines += ["", "## Left out", "", *(f"- {one}" for one in report["left_out"])]
    return "\n".join(lines) + "\n"


def _row(row: Row, outcome: Outcome) -> dict[str, Any]:
    values = outcome.distances_cm[row.name]
    steps, step_s = outcome.chunks[row.name]

    def parts(of: Callable[[Case], str]) -> dict[str, Any]:
        keys = np.array([of(case) for case in outcome.cases])
        found = {name: _summary(values[keys == name]) for name in sorted(set(keys.tolist()))}
        return {name: one for name, one in found.items() if one}

    return {
        "row": row.name,
        "policy": row.policy.name if row.policy else None,
        "options": dict(row.policy.options) if row.policy else {},
        "shuffled": row.shuffled,
        "steps": steps,
        "step_s": step_s,
        "all": _summary(values),
        "groups": parts(lambda case: case.group),
        "scenes": parts(lambda case: case.scene),
    }


def _differences(outcome: Outcome) -> Iterator[dict[str, Any]]:
    """Each policy minus the hand that stays, minus itself with shuffled captions, and minus the policies before it."""
    policies = [row for row in outcome.rows if row.policy and not row.shuffled]
    for number, row in enumerate(policies):
        own = [one.name for one in outcome.rows if one.shuffled and one.policy == row.policy]
        for other in dict.fromkeys([INITIAL, *own, *(one.name for one in policies[:number])]):
            found: Difference | None = paired_difference(outcome.distances_cm[row.name], outcome.distances_cm[other])
            if found:
                yield {"row": row.name, "minus": other} | asdict(found)


def _summary(values_cm: Array) -> dict[str, Any] | None:
    known = values_cm[np.isfinite(values_cm)]
    found: Summary | None = summarise(known) if known.size else None
    return asdict(found) if found else None


def _cells(summary: dict[str, Any]) -> str:
    average = _with(summary["average_cm"], summary["average_interval_cm"])
    return f"{summary['objects']} | {average} | {_with(summary['median_cm'], summary['median_interval_cm'])}"


def _about(row: dict[str, Any]) -> str:
    """Which policy a row is, and how long its chunks are."""
    options = ", ".join(f"{key}={value}" for key, value in row["options"].items())
    return f"`{row['policy']}` ({options or 'no options'}); {row['steps']} steps of {1000 * row['step_s']:.0f} ms"


def _with(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.1f} [{interval[0]:.1f}, {interval[1]:.1f}]"


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
