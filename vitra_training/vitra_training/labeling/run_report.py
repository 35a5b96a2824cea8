"""The report of a labeling run: one HTML file with yields, times, what was put aside and why, images of results."""

from __future__ import annotations

import base64
import html
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vitra_training.labeling.assemble.write import Assembled
from vitra_training.labeling.engines.schedule import RunResult

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:68em;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.3em .7em;text-align:right}
td:first-child,th:first-child,td.t{text-align:left}figure{display:inline-block;margin:.4em}
figcaption{font-size:.85em;color:#555}img{max-width:20em;border:1px solid #ccc}.bad{color:#a00}
"""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the report says besides the results."""

    videos: int
    video_s: float
    """Length of what was labelled."""
    wall_s: float
    workers: int
    engine: str


def write_report(path: Path, run: RunResult, assembled: Assembled, facts: RunFacts) -> Path:
    """Write the report as HTML and, beside it, the numbers as JSON.

    Args:
        path: The HTML file.
        run: What the stages did.
        assembled: What came out.
        facts: Machine, versions, options.
    """
    busy = sum(tally.seconds for tally in run.tallies.values())
    numbers = {
        "videos": facts.videos, "video_s": facts.video_s, "wall_s": facts.wall_s, "engine": facts.engine,
        "workers": facts.workers, "times_real_time": facts.video_s / facts.wall_s if facts.wall_s else 0.0,
        "stages": {name: {"done": t.done, "skipped": t.skipped, "quarantined": t.quarantined, "seconds": t.seconds}
                   for name, t in run.tallies.items()},
        "quarantined": [{"item": str(q.item), "stage": q.stage, "reason": q.reason, "detail": q.detail}
                        for q in run.quarantined],
        "episodes": assembled.accepted, "rejected": assembled.rejected, "reasons": dict(assembled.reasons),
        "videos_without_episodes": assembled.empty_videos,
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(numbers, indent=1) + "\n")
    stages = [
        (name, t.done, t.skipped, t.quarantined, f"{t.seconds:.1f}", f"{t.seconds / max(busy, 1e-9):.0%}")
        for name, t in run.tallies.items()
    ]
    aside = [(str(q.item), q.stage, q.reason, q.detail) for q in run.quarantined]
    executable = np.array(assembled.executable or [0.0])
    body = [
        f"<h1>Labeling run</h1><p>{facts.videos} videos, {facts.video_s:.1f} s of video in {facts.wall_s:.1f} s on "
        f"{facts.workers} workers ({facts.engine}): {numbers['times_real_time']:.2f} times real time. "
        f"<b>{assembled.accepted} episodes</b> ({assembled.frames} frames) accepted, "
        f"{assembled.rejected} left out.</p>",
        "<h2>Stages</h2>", _table(("stage", "done", "from before", "put aside", "busy s", "share"), stages),
        "<h2>Put aside</h2>",
        _table(("item", "stage", "reason", "detail"), aside) if aside else "<p>Nothing.</p>",
        "<h2>Episodes left out</h2>",
        _table(("reason", "episodes"), assembled.reasons.most_common()) if assembled.reasons else "<p>None.</p>",
        "<h2>What a robot could follow</h2>",
        f"<p>Share of steps an RM75 with XHand could follow at the person's pace: median "
        f"{np.median(executable):.0%} of an episode; {np.mean(executable >= 0.9):.0%} of the accepted episodes are "
        f"followable in at least 90 % of their steps.</p>",
        "<h2>Images</h2><p>The most and the least certain episodes.</p>",
        *(_figure(preview) for preview in assembled.previews),
        "<h2>Speed of the wrists, with cuts</h2>", *_plots(run),
    ]  # fmt: skip
    page = f"<!doctype html><html lang=en><meta charset=utf-8><title>Labeling run</title><style>{_STYLE}</style>"
    path.write_text(page + "\n".join(body) + "</html>\n")
    return path


def _table(head: tuple[str, ...], rows: object) -> str:
    cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    lines = ["".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in rows]  # type: ignore[attr-defined]
    return f"<table><tr>{cells}</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _figure(preview: Path) -> str:
    capture = cv2.VideoCapture(str(preview))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.set(cv2.CAP_PROP_POS_FRAMES, count // 2)
    done, image = capture.read()
    capture.release()
    if not done:
        return ""
    return _image(cv2.imencode(".jpg", image)[1].tobytes(), "jpeg", preview.stem)


def _plots(run: RunResult, most: int = 6) -> list[str]:
    found: list[str] = []
    for video, stages in run.outputs.items():
        for folder in stages.get("segments", {}).values():
            plot = folder / "speed.png"
            if plot.is_file() and len(found) < most:
                found.append(_image(plot.read_bytes(), "png", video))
    return found


def _image(data: bytes, kind: str, caption: str) -> str:
    encoded = base64.b64encode(data).decode()
    below = f"<figcaption>{html.escape(caption)}</figcaption>"
    return f'<figure><img src="data:image/{kind};base64,{encoded}">{below}</figure>'
