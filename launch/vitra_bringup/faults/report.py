"""The campaign's table and plots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vitra_bringup.faults.trial import HOLD_M, HOLD_S, Result

_TABLE, _PLOT = "faults_table.md", "faults.png"


def write_report(folder: Path, results: Sequence[Result]) -> None:
    """Write `faults_table.md` and `faults.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _TABLE).write_text(table(results))
    if results:
        _plot(folder / _PLOT, results)


def table(results: Sequence[Result]) -> str:
    """One row per kind, the worst of its seeds."""
    by_kind: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_kind[result.kind].append(result)
    passed = sum(not result.problems for result in results)
    lines = [
        "<!-- Written by python -m vitra_bringup.faults.campaign --report; do not edit. -->",
        f"{len(results)} faults of {len(by_kind)} kinds, {passed} passed. Times and ways are the largest of the seeds.",
        "",
        "| kind | seeds | passed | speed m/s | to a driver ms | then to rest ms | mm | crept deg | peak deg/s "
        "| peak deg/s² | named | moved again |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for kind, rows in sorted(by_kind.items()):
        first = next((row.causes[0] for row in rows if row.causes), "goes on")
        lines.append(
            f"| `{kind}` | {len(rows)} | {sum(not row.problems for row in rows)} "
            f"| {max(row.speed_m_s for row in rows):.2f} "
            f"| {_worst(rows, 'to_driver_s', 0)} | {_worst(rows, 'to_rest_s', 0)} | {_worst(rows, 'distance_m', 1)} "
            f"| {np.degrees(max(row.crept_rad for row in rows)):.1f} "
            f"| {np.degrees(max(row.velocity_rad_s for row in rows)):.0f} "
            f"| {np.degrees(max(row.acceleration_rad_s2 for row in rows)):.0f} | {first[:70].replace('|', '/')} "
            f"| {'re-arm' if rows[0].stopped else 'yes'}{'' if all(row.moved_again for row in rows) else ' NOT'} |"
        )
    failures = [f"- `{row.kind}` seed {row.seed}: {'; '.join(row.problems)}" for row in results if row.problems]
    return "\n".join([*lines, "", *(["Not passed:", "", *failures] if failures else ["All passed."]), ""])


def _worst(rows: Sequence[Result], what: str, digits: int) -> str:
    """Largest of the seeds that stopped, in thousandths; a dash where none did."""
    values = [float(getattr(row, what)) for row in rows if row.stopped]
    return f"{max(values) * 1e3:.{digits}f}" if values else "-"


def _plot(path: Path, results: Sequence[Result]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    stopped = [result for result in results if result.stopped]
    kinds = sorted({result.kind for result in stopped})
    figure, axes = plt.subplots(1, 2, figsize=(12, 0.24 * len(kinds) + 1.5), sharey=True)
    for axis, values, limit, label in (
        (
            axes[0],
            [result.to_rest_s * 1e3 for result in stopped],
            HOLD_S * 1e3,
            "to rest after it reached a driver [ms]",
        ),
        (axes[1], [result.distance_m * 1e3 for result in stopped], HOLD_M * 1e3, "way of a wrist in that time [mm]"),
    ):
        axis.scatter(values, [kinds.index(result.kind) for result in stopped], s=14)
        axis.axvline(limit, linestyle="--", color="tab:red")
        axis.set_xlabel(label)
        axis.grid(alpha=0.3)
    axes[0].set_yticks(range(len(kinds)), kinds, fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
