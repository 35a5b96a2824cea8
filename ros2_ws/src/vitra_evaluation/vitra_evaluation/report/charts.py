"""Charts of a report as HTML rows with inline SVG: no plotting library, no scripts, and text that stays readable.

Labels are text of the page, so they wrap on a phone instead of shrinking; only the bars are stretched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from vitra_evaluation.stats.intervals import BetaPosterior

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
STYLE = """
.chart{margin:.6em 0 1.4em}.row{display:grid;grid-template-columns:minmax(0,2fr) minmax(0,3fr) 4.5em;gap:.2em .8em;
align-items:center;margin:.15em 0}.row svg{width:100%;height:20px;background:linear-gradient(90deg,#e5e5e5 1px,
transparent 1px) 0 0/20% 100%;border-right:1px solid #e5e5e5}.row.tall svg{height:46px}.row .label{text-align:right;
overflow-wrap:anywhere}.ticks{display:flex;justify-content:space-between;color:#555}
@media(max-width:640px){.row{grid-template-columns:minmax(0,1fr) 4.5em}.row .label{grid-column:1/-1;text-align:left}
.row .empty{display:none}}
"""
_WIDTH, _HEIGHT, _TALL = 400, 20, 46


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
    rows = [_row(bar.label, _interval(bar), bar.note) for bar in bars]
    return _chart(rows, title)


def posterior_chart(rows: Sequence[tuple[str, Sequence[tuple[BetaPosterior, str]]]], title: str) -> str:
    """Beta posteriors, one row per cell with one curve per policy."""
    p = np.linspace(0.0, 1.0, 161)
    found = []
    for label, curves in rows:
        peak = max((float(belief.density(p[1:-1]).max()) for belief, _ in curves), default=1.0)
        shapes = []
        for belief, colour in curves:
            density = np.nan_to_num(belief.density(p), posinf=peak)
            points = " ".join(
                f"{_WIDTH * x:.1f},{_TALL - (_TALL - 6) * min(d / peak, 1.0):.1f}"
                for x, d in zip(p, density, strict=True)
            )
            points = f"0,{_TALL} {points} {_WIDTH},{_TALL}"
            shapes.append(
                f'<polygon points="{points}" fill="{colour}" fill-opacity="0.25" stroke="{colour}" '
                'vector-effect="non-scaling-stroke"/>'
            )
        found.append(_row(label, _svg("".join(shapes), _TALL, label), "", "row tall"))
    return _chart(found, title)


def _interval(bar: Bar) -> str:
    low, middle, high = (_WIDTH * v for v in (bar.low, bar.value, bar.high))
    y = _HEIGHT / 2
    line = f'y1="{y}" y2="{y}" stroke="{bar.colour}" vector-effect="non-scaling-stroke"'
    # A round line of no length stays a dot, however wide the image is stretched.
    shapes = f'<line x1="{low:.1f}" x2="{high:.1f}" {line} stroke-width="3"/>'
    shapes += f'<line x1="{middle:.1f}" x2="{middle:.1f}" {line} stroke-width="10" stroke-linecap="round"/>'
    return _svg(shapes, _HEIGHT, f"{100 * bar.value:.0f} %, {100 * bar.low:.0f} to {100 * bar.high:.0f} %")


def _svg(shapes: str, height: int, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'preserveAspectRatio="none">'
        f"<title>{escape(title)}</title>{shapes}</svg>"
    )


def _row(label: str, image: str, note: str, kind: str = "row") -> str:
    return f'<div class="{kind}"><span class="label">{escape(label)}</span>{image}<span>{escape(note)}</span></div>'


def _chart(rows: Sequence[str], title: str) -> str:
    ticks = "".join(f"<span>{tick}</span>" for tick in ("0", "20", "40", "60", "80", "100 %"))
    axis = f'<div class="row"><span class="empty"></span><span class="ticks">{ticks}</span><span></span></div>'
    return f'<div class="chart" role="group" aria-label="{escape(title)}">{"".join(rows)}{axis}</div>'
