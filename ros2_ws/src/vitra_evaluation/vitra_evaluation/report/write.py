"""Writes a session's report: HTML in one file, Markdown, CSV and JSON, all from the same figures."""

from __future__ import annotations

import base64
import csv
import io
import json
from html import escape
from pathlib import Path
from typing import Any

from vitra_evaluation.report.charts import COLOURS, STYLE, Bar, interval_chart, posterior_chart
from vitra_evaluation.report.data import collect, unseal
from vitra_evaluation.report.rows import Figures
from vitra_evaluation.report.tables import Table, tables
from vitra_evaluation.session.files import room_for, write_atomically
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.strange_files import REPORT_FOLDER, REPORT_NAMES
from vitra_evaluation.session.verification import REPORT_CHANGED, REPORTED, report_hashes, report_problems
from vitra_evaluation.stats.intervals import BetaPosterior

_FORMULA = tuple("=+-@|%")

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2em auto;padding:0 1em;color:#1b1b1b}
table{border-collapse:collapse;margin:.6em 0 1.4em;font-variant-numeric:tabular-nums;width:100%}
td,th{border-bottom:1px solid #ddd;padding:.25em .5em;text-align:right;overflow-wrap:anywhere;vertical-align:top}
td:first-child,th:first-child,td.t,th.t{text-align:left}.says{font-size:1.15rem}
@media(max-width:640px){tr:first-child{display:none}tr{display:block;margin:.8em 0;border:1px solid #ddd;
border-radius:6px}td{display:grid;grid-template-columns:2fr 3fr;gap:.6em;text-align:left}td::before{content:
attr(data-label);color:#555}td:empty{display:none}}
.key{display:inline-block;width:.8em;height:.8em;margin:0 .4em 0 1em}p.note{color:#555}
.shot{display:inline-block;width:200px;max-width:45%;margin:4px}
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
        SessionHeldError: it is running.
    """
    unseal(session, force)
    if out is None:  # what is about to be written over is kept in the record
        for problem in report_problems(session):
            session.store.event(REPORT_CHANGED, problem)
    figures = collect(session)
    folder = out or session.folder / REPORT_FOLDER
    contents = (
        json.dumps(figures, indent=1, sort_keys=True) + "\n",
        _csv(figures["trials"]),
        markdown(figures),
        html(figures, session),
    )
    texts = dict(zip(REPORT_NAMES, contents, strict=True))
    with room_for(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_atomically(folder / name, text)
    if out is None:
        _note_report(session, report_hashes(folder, texts))
    return folder / "report.html"


def _note_report(session: Session, hashes: dict[str, str]) -> None:
    """What the report was goes on record, once."""
    noted = [event["files"] for event in session.store.events() if event["kind"] == REPORTED]
    if not noted or noted[-1] != hashes:
        session.store.event(REPORTED, ", ".join(sorted(hashes)), files=hashes)


def markdown(figures: Figures) -> str:
    """The report as Markdown."""
    parts = [f"# {_title(figures)}\n", *(f"> **{w}**\n" for w in _warnings(figures))]
    parts += [f"- {c['verdict']}" for c in figures["comparisons"]] + [""]
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
            c["wilson"][0],
            c["wilson"][1],
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
        *(f'<p class="says">{escape(c["verdict"])}</p>' for c in figures["comparisons"]),
        f"<p>{key}</p>",
        "<h2>Success rates</h2>", interval_chart(bars, "Success rates with 95 % Wilson intervals"),
        "<h2>What is believed about each rate</h2>",
        '<p class="note">Beta posterior from a uniform prior.</p>',
        posterior_chart(beliefs, "Beta posteriors of the success rates"),
        *(_html_table(table) for table in tables(figures)),
        "<h2>Last image of every trial</h2>", _images(figures, session),
    ]  # fmt: skip
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head += f"<title>{escape(_title(figures))}</title><style>{_STYLE}{STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(body)}</body></html>\n"


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
    late = {policy: n for policy, n in figures["late"].items() if n}
    if session["blind"] and late:
        missed = ", ".join(f"{policy} {n} times" for policy, n in late.items())
        found.append(f"The answer schedule was missed ({missed}): whoever watched the clock may know the policy by it.")
    if session["blind"] and session["latency"] == "own" and len(session["policies"]) > 1:
        found.append("Policies answered at their own pace (latency: own): their speed tells them apart.")
    found += _doubts(figures)
    if session["robot"] == "sim":
        found.append("Simulated robot: these rates say nothing about the real one.")
    return found


def _doubts(figures: Figures) -> list[str]:
    """What weakens the figures although nothing was done wrong."""
    found = []
    starts = figures["starts"]
    if starts["different"] < starts["blocks"]:
        found.append(
            f"{starts['blocks']} blocks share {starts['different']} start states: blocks with the same one are not "
            "independent, so intervals are too narrow; see the p by start state."
        )
    if any("anytime_interval" in c for c in figures["comparisons"]):
        found.append(
            "Stopping early was declared: a difference that ended the session looks larger than it is. The interval "
            "beside it holds at any time of stopping."
        )
    lost = {p: b["void_person"] + b["void_machine"] + b["no_bag"] for p, b in figures["begun"].items()}
    if lost and max(lost.values()) - min(lost.values()) > max(2, 0.1 * figures["session"]["done"] / len(lost)):
        said = ", ".join(f"{policy} {n}" for policy, n in lost.items())
        found.append(f"Trials that were made again are not shared out evenly ({said}): ask why.")
    return found


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.head)
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{escape(name)}">{escape(str(v))}</td>' for name, v in zip(table.head, row, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return f"<h2>{escape(table.title)}</h2>{note}<table><tr>{head}</tr>{rows}</table>"


def _images(figures: Figures, session: Session) -> str:
    parts = []
    for trial in figures["trials"]:
        path = session.trial_folder(trial["attempt"]) / "last.jpg"
        if path.is_file():
            data = base64.b64encode(path.read_bytes()).decode()
            caption = f"{trial['attempt']} {trial['policy']}: {trial['outcome']}"
            parts.append(
                f'<figure class="shot"><img src="data:image/jpeg;base64,{data}" '
                f'alt=""><figcaption>{escape(caption)}</figcaption></figure>'
            )
    return "".join(parts) or '<p class="note">No images were kept.</p>'


def _csv(trials: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for trial in trials for name in trial))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    for trial in trials:
        row = trial | {"milestones": json.dumps(trial["milestones"], sort_keys=True)}
        writer.writerow({name: _plain(value) for name, value in row.items()})
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula, behind an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.lstrip()[:1] in _FORMULA and value.strip() else value
