"""Charts of a report as inline SVG, drawn by hand: no plotting library, no scripts, the same bytes every time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from vitra_evaluation.stats.intervals import BetaPosterior

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_LEFT, _WIDTH, _ROW = 300, 380, 22


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of an interval chart; everything in 0..1."""

    label: str
    value: float
    low: float
    high: float
    colour: str
    note: str = ""


def interval_chart(bars: Sequence[Bar], title: str) -> str:
    """Rates with their intervals, one row each."""
    height = 46 + _ROW * len(bars)
    parts = [_open(_LEFT + _WIDTH + 150, height, title)]
    for tick in range(0, 101, 20):
        x = _LEFT + _WIDTH * tick / 100
        parts.append(f'<line x1="{x:.1f}" y1="20" x2="{x:.1f}" y2="{height - 20}" class="grid"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 6}" text-anchor="middle">{tick} %</text>')
    for i, bar in enumerate(bars):
        y = 34 + _ROW * i
        low, mid, high = (_LEFT + _WIDTH * v for v in (bar.low, bar.value, bar.high))
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{escape(bar.label)}</text>')
        parts.append(f'<line x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}" stroke="{bar.colour}" stroke-width="3"/>')
        parts.append(f'<circle cx="{mid:.1f}" cy="{y}" r="4.5" fill="{bar.colour}"/>')
        parts.append(f'<text x="{_LEFT + _WIDTH + 12}" y="{y + 4}">{escape(bar.note)}</text>')
    return "".join(parts) + "</svg>"


def posterior_chart(rows: Sequence[tuple[str, Sequence[tuple[BetaPosterior, str]]]], title: str) -> str:
    """Beta posteriors, one row per cell with one curve per policy."""
    row_height = 54
    height = 40 + row_height * len(rows)
    parts = [_open(_LEFT + _WIDTH + 150, height, title)]
    p = np.linspace(0.0, 1.0, 161)
    for tick in range(0, 101, 20):
        x = _LEFT + _WIDTH * tick / 100
        parts.append(f'<line x1="{x:.1f}" y1="14" x2="{x:.1f}" y2="{height - 20}" class="grid"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 6}" text-anchor="middle">{tick} %</text>')
    for i, (label, curves) in enumerate(rows):
        base = 14 + row_height * (i + 1) - 6
        peak = max((float(belief.density(p[1:-1]).max()) for belief, _ in curves), default=1.0)
        parts.append(f'<text x="{_LEFT - 10}" y="{base - 14}" text-anchor="end">{escape(label)}</text>')
        for belief, colour in curves:
            density = np.nan_to_num(belief.density(p), posinf=peak)
            points = " ".join(
                f"{_LEFT + _WIDTH * x:.1f},{base - (row_height - 14) * min(d / peak, 1.0):.1f}"
                for x, d in zip(p, density, strict=True)
            )
            points = f"{_LEFT},{base} {points} {_LEFT + _WIDTH},{base}"
            parts.append(f'<polygon points="{points}" fill="{colour}" fill-opacity="0.25" stroke="{colour}"/>')
    return "".join(parts) + "</svg>"


def _open(width: int, height: int, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        f"<title>{escape(title)}</title>"
    )
