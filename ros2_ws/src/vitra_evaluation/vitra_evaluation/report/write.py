"""Writes a session's report: HTML in one file, Markdown, CSV and JSON, all from the same figures."""

from __future__ import annotations

import base64
import csv
import io
import json
from html import escape
from pathlib import Path
from typing import Any

from vitra_evaluation.report.charts import COLOURS, Bar, interval_chart, posterior_chart
from vitra_evaluation.report.data import Figures, collect, unseal
from vitra_evaluation.report.tables import Table, tables
from vitra_evaluation.session.folder import Session
from vitra_evaluation.stats.intervals import BetaPosterior

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2em auto;padding:0 1em;color:#1b1b1b}
table{border-collapse:collapse;margin:.6em 0 1.4em;font-variant-numeric:tabular-nums;display:block;overflow-x:auto}
td,th{border-bottom:1px solid #ddd;padding:.25em .7em;text-align:right;white-space:nowrap}
td:first-child,th:first-child,td.t,th.t{text-align:left}
svg{width:100%;height:auto;font:12px system-ui,sans-serif}.grid{stroke:#e5e5e5}
.key{display:inline-block;width:.8em;height:.8em;margin:0 .4em 0 1em}p.note{color:#555}
.warn{background:#fff3cd;padding:.6em 1em;border-left:4px solid #e69f00}img{max-width:100%}
"""


def write_report(session: Session, force: bool = False, out: Path | None = None) -> Path:
    """Unseal if the session is over, and write report.html, .md, .csv and .json.

    Args:
        session: the session.
        force: open the seal although the session is not complete; this ends it.
        out: folder; default is `report` in the session's.

    Returns:
        the HTML file.

    Raises:
        SealError: the session is not complete.
    """
    unseal(session, force)
    figures = collect(session)
    folder = out or session.folder / "report"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    (folder / "trials.csv").write_text(_csv(figures["trials"]))
    (folder / "report.md").write_text(markdown(figures))
    path = folder / "report.html"
    path.write_text(html(figures, session))
    return path


def markdown(figures: Figures) -> str:
    """The report as Markdown."""
    parts = [f"# {_title(figures)}\n", *(f"> **{w}**\n" for w in _warnings(figures))]
    for table in tables(figures):
        parts.append(f"## {table.title}\n")
        if table.note:
            parts.append(table.note + "\n")
        parts.append("| " + " | ".join(table.head) + " |\n|" + "---|" * len(table.head))
        parts.append(
            "\n".join("| " + " | ".join(str(v).replace("|", "/") for v in row) + " |" for row in table.rows) + "\n"
        )
    return "\n".join(parts)


def html(figures: Figures, session: Session) -> str:
    """The report as one HTML file without outside references."""
    policies = [p["name"] for p in figures["session"]["policies"]]
    colour = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(policies)}
    key = "".join(f'<span class="key" style="background:{colour[p]}"></span>{escape(p)}' for p in policies)
    cells = [c for c in figures["cells"] if c["n"]]
    bars = [
        Bar(
            f"{c['task']} / {c['condition']} / {c['policy']}",
            c["rate"],
            *c["wilson"],
            colour[c["policy"]],
            f"{c['k']}/{c['n']}",
        )  # fmt: skip
        for c in cells
    ]
    labels = dict.fromkeys(f"{c['task']} / {c['condition']}" for c in cells)
    beliefs = [
        (
            label,
            [
                (BetaPosterior(*c["beta"]), colour[c["policy"]])
                for c in cells
                if f"{c['task']} / {c['condition']}" == label
            ],
        )  # fmt: skip
        for label in labels
    ]
    body = [
        f"<h1>{escape(_title(figures))}</h1>",
        *(f'<p class="warn">{escape(w)}</p>' for w in _warnings(figures)),
        f"<p>{key}</p>",
        "<h2>Success rates</h2>", interval_chart(bars, "Success rates with 95 % Wilson intervals"),
        "<h2>What is believed about each rate</h2>",
        '<p class="note">Beta posterior from a uniform prior.</p>',
        posterior_chart(beliefs, "Beta posteriors of the success rates"),
        *(_html_table(table) for table in tables(figures)),
        "<h2>Last picture of every trial</h2>", _pictures(figures, session),
    ]  # fmt: skip
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head += f"<title>{escape(_title(figures))}</title>"
    return (
        f"<!doctype html><html lang=en><head>{head}<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _title(figures: Figures) -> str:
    s = figures["session"]
    kind = "blind" if s["blind"] else "open"
    return f"Trial session “{s['name']}”: {s['done']} of {s['total']} trials, {kind}, {s['robot']}"


def _warnings(figures: Figures) -> list[str]:
    session = figures["session"]
    found = [f"Tampering: {problem}." for problem in figures["problems"]]
    if session["done"] < session["total"] and not any(
        c.get("sequential") == "different" for c in figures["comparisons"]
    ):
        found.append(f"The session was ended early, after {session['done']} of {session['total']} trials.")
    if session["blind"] and len({str(lengths) for lengths in figures["chunks"].values()}) > 1:
        lengths = "; ".join(f"{policy}: {', '.join(found)}" for policy, found in figures["chunks"].items())
        found.append(f"Chunks differ in length ({lengths}): whoever opened a bag could tell the policies apart.")
    if session["robot"] == "sim":
        found.append("Simulated robot: these rates say nothing about the real one.")
    return found


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.head)
    rows = "".join("<tr>" + "".join(f"<td>{escape(str(v))}</td>" for v in row) + "</tr>" for row in table.rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return f"<h2>{escape(table.title)}</h2>{note}<table><tr>{head}</tr>{rows}</table>"


def _pictures(figures: Figures, session: Session) -> str:
    parts = []
    for trial in figures["trials"]:
        path = session.trial_folder(trial["attempt"]) / "last.jpg"
        if path.is_file():
            data = base64.b64encode(path.read_bytes()).decode()
            caption = f"{trial['attempt']} {trial['policy']}: {trial['outcome']}"
            parts.append(
                f'<figure style="display:inline-block;width:200px;margin:4px"><img src="data:image/jpeg;base64,{data}" '
                f'alt=""><figcaption>{escape(caption)}</figcaption></figure>'
            )
    return "".join(parts) or '<p class="note">No pictures were kept.</p>'


def _csv(trials: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for trial in trials for name in trial))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    for trial in trials:
        writer.writerow(trial | {"milestones": json.dumps(trial["milestones"], sort_keys=True)})
    return buffer.getvalue()
