"""The tables of a report in words for people; HTML and Markdown are both written from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vitra_evaluation.report.rows import Figures
from vitra_evaluation.session.trial_setup import Setup


@dataclass(frozen=True, slots=True)
class Table:
    """One table with its heading."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    note: str = ""


def tables(figures: Figures) -> list[Table]:
    """Every table that has rows, in order."""
    policies = [p["name"] for p in figures["session"]["policies"]]
    found = [
        _cells(figures),
        _averages(figures),
        _comparisons(figures),
        _begun(figures),
        Table(
            "Which policies differ",
            ("policy", "success", "letters"),
            [(e["policy"], f"{e['k']}/{e['n']}", e["letters"]) for e in figures["letters"]],
            "Policies that share a letter do not differ at the level of "
            f"{figures['letters'][0]['alpha']:g} (the declared comparisons, Holm's adjustment).",
        ),
        Table(
            "Why trials failed",
            ("failure", *policies),
            [
                (code, *(figures["failures"][p].get(code, 0) for p in policies))
                for code in sorted({code for codes in figures["failures"].values() for code in codes})
            ],
        ),
        _measures(figures, policies),
        Table(
            "Answer times of the policies, as they were before pacing",
            ("policy", "median [ms]", "quartiles [ms]", "answers"),
            [
                (p, f"{a['median']:.1f}", f"{a['q1']:.1f} to {a['q3']:.1f}", a["n"])
                for p, a in figures["answers"].items()
            ],
            _pace(figures),
        ),
        Table(
            "Task progress",
            ("policy", "mean share of milestones", "reached"),
            [
                (
                    p,
                    _percent(v["mean"]),
                    ", ".join(f"{name} {count}" for name, count in v["reached"].items()) or "not kept",
                )
                for p, v in figures["progress"].items()
            ],
            "A success counts as all milestones.",
        ),
        Table(
            "Second judge",
            ("rater", "trials", "Cohen's kappa", "95 % interval", "equal labels"),
            [
                (
                    a["rater"],
                    a["items"],
                    f"{a['kappa']:.2f}",
                    f"{a['interval'][0]:.2f} to {a['interval'][1]:.2f}",
                    _percent(a["observed"]),
                )  # fmt: skip
                for a in figures["agreement"]
            ],
        ),
        Table(
            "Deviations",
            ("time (UTC)", "trial", "what", "detail"),
            [(e["at"][:19], e["attempt"] or "", e["kind"], e["detail"]) for e in figures["deviations"]],
            f"{figures['session']['attempts']} trials were begun, {figures['session']['done']} count.",
        ),
        Table(
            "Corrected labels",
            ("time (UTC)", "trial", "was", "is", "why", "who"),
            [
                (c["at"][:19], c["attempt"], c["before"], c["after"], c["reason"], c["person"])
                for c in figures["corrections"]
            ],  # fmt: skip
        ),
        _trials(figures),
        _provenance(figures),
    ]
    return [table for table in found if table.rows]


def _cells(figures: Figures) -> Table:
    rows = [
        (
            c["task"],
            c["condition"],
            c["policy"],
            f"{c['k']}/{c['n']}",
            _percent(c["rate"]),
            _range(c["wilson"]),
            _range(c["clopper_pearson"]),
            _range(c["beta_interval"]),
        )  # fmt: skip
        for c in figures["cells"]
        if c["n"]
    ]
    head = ("task", "condition", "policy", "k/n", "rate", "Wilson 95 %", "Clopper-Pearson 95 %", "Beta 95 %")
    return Table("Cells", head, rows, "Wilson is the usual interval; Clopper-Pearson guarantees its coverage.")


def _averages(figures: Figures) -> Table:
    rows = [
        (
            a["group"],
            a["policy"],
            a["cells"],
            _percent(a["macro"]),
            _range(a["macro_interval"]),
            f"{_percent(a['pooled'])} ({a['k']}/{a['n']})",
            _range(a["pooled_interval"]),
            _range(a["pooled_wilson"]),
        )  # fmt: skip
        for a in figures["averages"]
    ]
    head = ("cells", "policy", "number", "macro", "bootstrap 95 %", "pooled", "bootstrap 95 %", "pooled Wilson 95 %")
    note = (
        "Macro is the mean of the cells' rates (what papers often call the average); pooled is all successes over all "
        "trials. They differ when cells have different numbers of trials."
    )
    return Table("Averages", head, rows, note)


def _comparisons(figures: Figures) -> Table:
    rows = [
        (
            f"{c['first']} - {c['second']}",
            "yes" if c["declared"] else "no",
            f"{100 * c['difference']:+.1f} pp",
            _range(c["anytime_interval"] if "anytime_interval" in c else c["difference_interval"]),
            f"{c['both']}/{c['only_first']}/{c['only_second']}/{c['neither']}",
            f"{c['pairs']} in {c['starts']}",
            _p(c["p_paired"]),
            _p(c["p_adjusted"]) if c["p_adjusted"] is not None else "",
            _p(c["p_by_start"]),
            _p(c["p_boschloo"]),
            _p(c["p_anytime"]),
            c.get("sequential", "not declared"),
        )  # fmt: skip
        for c in figures["comparisons"]
    ]
    head = ("policies", "declared", "difference", "95 %", "both/first/second/neither", "pairs in start states",
            "p paired exact", "p adjusted", "p by start state", "p Boschloo", "p any time", "sequential")  # fmt: skip
    note = (
        "Pairs are trials with the same start state. Only a declared comparison can show something, by its adjusted p: "
        "the paired test (exact McNemar), or the any-time test where stopping early was declared; Holm's adjustment "
        "over all declared ones. The p by start state takes blocks with the same start state together."
    )
    return Table("Comparisons", head, rows, note)


def _begun(figures: Figures) -> Table:
    rows = [
        (p, b["begun"], b["counted"], b["no_start"], b["void_person"], b["void_machine"], b["no_bag"])
        for p, b in figures["begun"].items()
    ]
    head = ("policy", "begun", "counted", "could not start", "void, by a person", "void, by the program", "no bag")
    setup = Setup.from_fact(figures["session"]["setup"])
    ran = setup.words if setup is not None else "Where trials ran was not noted by the version that began the session."
    note = f"{ran} A policy that could not be started has failed and counts. What was void was made again."
    return Table("What became of every trial", head, rows, note)


def _trials(figures: Figures) -> Table:
    rows = [
        (t["attempt"], t["policy"], t["task"], t["object"], t["layout"], t["outcome"], t["failure_code"], t["note"],
         f"{t['duration_s']:.1f}", t["judge"], t["corrected"])
        for t in figures["trials"]
    ]  # fmt: skip
    head = (
        "trial",
        "policy",
        "task",
        "object",
        "layout",
        "outcome",
        "failure",
        "note",
        "seconds",
        "judge",
        "corrected",
    )
    return Table("Every trial", head, rows)


def _pace(figures: Figures) -> str:
    if figures["session"]["latency"] != "equal":
        return "Answers went out at the policies' own pace."
    late = ", ".join(f"{policy} {n}" for policy, n in figures["late"].items())
    period = f" of {figures['answer_s']:g} s" if figures["answer_s"] else ""
    return f"Answers went out by one fixed schedule{period}; it was missed so many times: {late}."


def _measures(figures: Figures, policies: list[str]) -> Table:
    names = sorted({name for values in figures["measures"].values() for name in values})
    rows = []
    for name in names:
        found = [figures["measures"][p].get(name) for p in policies]
        rows.append((name, *(f"{m['median']:g} ({m['q1']:g} to {m['q3']:g})" if m else "" for m in found)))
    note = "Median and quartiles over trials. SPARC: 0 is smoothest, about -1.4 a single reach."
    return Table("Time, smoothness, latency", ("figure", *policies), rows, note)


def _provenance(figures: Figures) -> Table:
    session = figures["session"]
    rows: list[tuple[Any, ...]] = [
        ("anchor at the start", session["anchor"]),
        ("plan", session["plan_sha256"]),
        ("schedule (with the seal's commitment)", session["schedule_sha256"]),
        ("calibration", session["calibration"]),
        ("first in its block", ", ".join(f"{p}: {n}" for p, n in figures["order"].items())),
        *((f"policy {p['name']}", f"{p['policy']} {p['options'] or ''}".strip()) for p in session["policies"]),
        *((name, value) for name, value in sorted(session["hashes"].items())),
    ]
    return Table("Provenance", ("what", "value"), rows)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _range(bounds: list[float]) -> str:
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"
