from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from vitra_evaluation.blinding.blinded_policy import LATENCY_NAME
from vitra_evaluation.blinding.blinding_key import open_seal
from vitra_evaluation.errors import SealError, SessionError
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.report.data import collect
from vitra_evaluation.report.write import write_report
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.runner import Runner
from vitra_evaluation.session.store import Outcome
from vitra_evaluation.stats.intervals import wilson


def finished(plan: Plan, folder: Path, port) -> Session:
    """Policy "one" always succeeds, "two" never."""
    session = Session.create(folder, plan)
    names, current = open_seal(folder).names, []
    start = port.start
    port.start = lambda slot, *a: (current.append(names[slot.alias]), start(slot, *a))[1]
    port.outcome = lambda number: current[-1] == "one"
    Runner(session, port).run()
    return session


def test_the_report_counts_the_right_policy(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = finished(small_plan, tmp_path, fake_port)
    path = write_report(session)
    figures = json.loads((path.parent / "report.json").read_text())
    rates = {c["policy"]: (c["k"], c["n"]) for c in figures["cells"]}
    assert rates == {"one": (3, 3), "two": (0, 3)}
    assert figures["cells"][0]["wilson"] == pytest.approx([wilson(3, 3).low, 1.0], abs=1e-6)
    comparison = figures["comparisons"][0]
    assert (comparison["only_first"], comparison["only_second"], comparison["p_paired"]) == (3, 0, 0.25)
    assert figures["failures"] == {"one": {}, "two": {"object_lost": 3}}
    assert figures["problems"] == []
    session.close()


def test_rerunning_the_report_gives_identical_files(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = finished(small_plan, tmp_path, fake_port)
    folder = write_report(session).parent
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    session.close()
    session = Session.load(tmp_path)
    write_report(session)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert set(before) == {"report.html", "report.md", "report.json", "trials.csv"}
    session.close()


def test_running_rates_stay_hidden_until_the_end(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = Session.create(tmp_path, small_plan)
    fake_port.outcome = lambda number: number < 3 or (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        Runner(session, fake_port).run()
    with pytest.raises(SealError, match="2 of 6 trials are done; rates stay hidden"):
        write_report(session)
    with pytest.raises(SealError, match="still sealed"):
        collect(session)
    assert not (tmp_path / "report").exists()
    session.close()


def test_unsealing_early_is_possible_ends_the_session_and_is_on_record(
    small_plan: Plan, tmp_path: Path, fake_port
) -> None:
    session = Session.create(tmp_path, small_plan)
    text = (write_report(session, force=True).parent / "report.md").read_text()
    assert "ended early, after 0 of 6 trials" in text
    assert "before the end" in text
    with pytest.raises(SessionError, match="has been unsealed"):
        Runner(session, fake_port).run()
    session.close()


def test_voided_trials_and_second_judges_are_reported(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = finished(small_plan, tmp_path, fake_port)
    session.store.void(1, "bumped the table", "ann")
    for attempt in session.store.attempts()[1:]:
        session.store.rate(attempt.id, "bob", Outcome(attempt.result.outcome))
    Runner(session, fake_port).run()
    figures = json.loads((write_report(session).parent / "report.json").read_text())
    assert figures["session"]["attempts"] == 7
    assert figures["session"]["done"] == 6
    assert [d["detail"] for d in figures["deviations"] if d["kind"] == "void"] == ["bumped the table"]
    assert figures["agreement"][0]["kappa"] == 1.0
    session.close()


def test_letters_are_shared_by_policies_that_do_not_differ(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = finished(small_plan, tmp_path, fake_port)
    path = write_report(session)
    figures = json.loads((path.parent / "report.json").read_text())
    # Three pairs, all won by "one": p = 0.25, which is no difference yet.
    assert [(e["policy"], e["letters"]) for e in figures["letters"]] == [("one", "a"), ("two", "a")]
    assert "Which policies differ" in (path.parent / "report.md").read_text()
    session.close()


def test_chunks_of_different_length_are_a_warning(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = finished(small_plan, tmp_path, fake_port)
    aliases = {name: alias for alias, name in open_seal(tmp_path).names.items()}
    rows = [
        {"alias": aliases[n], "answer_s": [0.1], "chunk": c} for n, c in (("one", "16 x 33 ms"), ("two", "50 x 20 ms"))
    ]
    (tmp_path / LATENCY_NAME).write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = (write_report(session).parent / "report.md").read_text()
    assert "Chunks differ in length (one: 16 x 33 ms; two: 50 x 20 ms)" in text
    session.close()


class _References(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [v or "" for k, v in attrs if k in ("src", "href")]


def test_the_html_is_one_file_without_outside_references(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = finished(small_plan, tmp_path, fake_port)
    text = write_report(session).read_text()
    parser = _References()
    parser.feed(text)
    assert {"svg", "table", "img"} <= parser.tags
    assert "script" not in parser.tags
    assert all(reference.startswith("data:") for reference in parser.found)
    session.close()


def test_macro_and_pooled_are_named_as_such(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = finished(small_plan, tmp_path, fake_port)
    text = (write_report(session).parent / "report.md").read_text()
    assert "| macro | bootstrap 95 % | pooled |" in text
    rows = list(csv.DictReader((tmp_path / "report/trials.csv").open()))
    assert len(rows) == 6
    assert {row["policy"] for row in rows} == {"one", "two"}
    session.close()
