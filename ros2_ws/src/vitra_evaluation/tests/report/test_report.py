from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from vitra_evaluation.blinding.blinded_policy import LATENCY_NAME
from vitra_evaluation.blinding.blinding_key import open_blinding_key
from vitra_evaluation.errors import SealError, SessionError
from vitra_evaluation.plan.file import parse_plan
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.report.data import collect
from vitra_evaluation.report.write import write_report
from vitra_evaluation.session.attempt import Outcome, TrialResult
from vitra_evaluation.session.folder import Session
from vitra_evaluation.session.runner import Runner
from vitra_evaluation.stats.intervals import wilson
from vitra_policy.errors import VitraError


def finished(plan: Plan, folder: Path, port) -> Session:
    """Policy "one" always succeeds, "two" never."""
    session = Session.create(folder, plan)
    names, current = open_blinding_key(folder).names, []
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
    aliases = {name: alias for alias, name in open_blinding_key(tmp_path).names.items()}
    rows = [
        {"alias": aliases[n], "answer_s": [0.1], "chunk": c} for n, c in (("one", "16 x 33 ms"), ("two", "50 x 20 ms"))
    ]
    (tmp_path / LATENCY_NAME).write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = (write_report(session).parent / "report.md").read_text()
    assert "Chunks differ in length (one: 16 x 33 ms; two: 50 x 20 ms)" in text
    session.close()


def test_starts_that_failed_are_in_the_denominator(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    """A policy that starts three times in six and then always succeeds has not succeeded always."""
    session = Session.create(tmp_path, small_plan)
    names, start = open_blinding_key(tmp_path).names, fake_port.start
    tries: list[str] = []

    def sometimes(slot, *a: object) -> None:
        if names[slot.alias] == "two":
            tries.append(slot.alias)
            if len(tries) % 2:
                raise VitraError("out of memory")
        start(slot, *a)

    fake_port.start = sometimes
    Runner(session, fake_port).run()
    figures = json.loads((write_report(session).parent / "report.json").read_text())
    assert {c["policy"]: (c["k"], c["n"]) for c in figures["cells"]} == {"one": (3, 3), "two": (1, 3)}
    assert figures["begun"]["two"] == {
        "begun": 3, "counted": 3, "no_start": 2, "void_person": 0, "void_machine": 0, "no_bag": 0,
    }  # fmt: skip
    assert figures["failures"]["two"] == {"no_start": 2}
    session.close()


def test_notes_and_corrections_are_in_the_page_and_formulas_are_not_in_the_table(
    small_plan: Plan, tmp_path: Path, fake_port
) -> None:
    session = Session.create(tmp_path, small_plan)
    evil = '=HYPERLINK("http://evil.example";"open me")'
    for slot in session.schedule.slots:
        attempt = session.store.begin(slot.index)
        note = evil if slot.index == 0 else "\t@SUM(A1)" if slot.index == 1 else "slipped at the rim"
        result = TrialResult(Outcome.FAIL, "time limit", 1.0, "-ann", "dropped", note, has_bag=True)
        session.store.finish(attempt, result)
    session.store.correct(6, Outcome.SUCCESS, "", "+ it was in the box", "ann")
    page = write_report(session).read_text()
    assert "slipped at the rim" in page
    assert "it was in the box" in page
    rows = list(csv.DictReader((tmp_path / "report/trials.csv").open()))
    assert rows[0]["note"] == f"'{evil}"
    assert rows[1]["note"].startswith("'")
    assert rows[0]["judge"] == "'-ann"
    for row in rows:
        assert not any(value.lstrip()[:1] in tuple("=+-@") and not _number(value) for value in row.values() if value)
    session.close()


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_what_was_not_measured_is_not_zero(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = finished(small_plan, tmp_path, fake_port)
    row = json.loads((write_report(session).parent / "report.json").read_text())["trials"][0]
    for name in ("camera_hz", "images_dropped", "chunks", "stops", "answer_ms_p50", "starved"):
        assert row[name] is None, name
    assert row["joint_path_rad"] > 0
    session.close()


def recorded(plan: Plan, folder: Path, pairs: int | None = None) -> Session:
    """As `finished`, written straight into the record, without bags: many trials in no time."""
    session = Session.create(folder, plan)
    names = open_blinding_key(folder).names
    for slot in session.schedule.slots[: None if pairs is None else pairs * len(plan.policies)]:
        outcome = Outcome.SUCCESS if names[slot.alias] == "one" else Outcome.FAIL
        result = TrialResult(outcome, "", 1.0, "ann", "" if outcome is Outcome.SUCCESS else "dropped", has_bag=True)
        session.store.finish(session.store.begin(slot.index), result)
    return session


def with_comparisons(text: str, more: str, trials: int) -> Plan:
    return parse_plan(text.replace("trials: 3", f"trials: {trials}") + more, None)


def test_only_a_declared_comparison_says_better(small_plan: Plan, tmp_path: Path) -> None:
    three = "  three: {policy: perturbed_expert, options: {noise_m: '0.09'}}\nobjects:"
    text = small_plan.text.replace("objects:", three, 1)
    plan = with_comparisons(text, "comparisons: {pairs: [[two, one]], alpha: 0.05}\n", 12)
    session = recorded(plan, tmp_path)
    path = write_report(session)
    figures = json.loads((path.parent / "report.json").read_text())
    said = {(c["first"], c["second"]): (c["declared"], c["is_shown"], c["verdict"]) for c in figures["comparisons"]}
    assert said["two", "one"][:2] == (True, True)
    assert said["two", "one"][2].startswith("one is better than two")
    assert said["one", "three"][:2] == (False, False)
    assert "was not declared before the session" in said["one", "three"][2]
    assert "is better" not in said["two", "three"][2]
    letters = {e["policy"]: e["letters"] for e in figures["letters"]}
    assert not set(letters["one"]) & set(letters["two"])
    assert "one is better than two" in path.read_text()
    session.close()


def test_too_few_trials_say_what_they_could_have_shown(small_plan: Plan, tmp_path: Path, fake_port) -> None:
    session = finished(small_plan, tmp_path, fake_port)
    verdict = json.loads((write_report(session).parent / "report.json").read_text())["comparisons"][0]["verdict"]
    assert verdict.startswith(
        "A difference between one and two is suggested and not shown (100 points, 95 % interval +21"
    )
    assert "The interval leaves out 0, but p is above 0.05: the test decides" in verdict
    assert "So few trials, or results so near to none or all, cannot show any difference" in verdict
    session.close()


def test_a_session_that_stopped_early_says_that_it_overstates(small_plan: Plan, tmp_path: Path) -> None:
    session = recorded(with_comparisons(small_plan.text, "sequential: {alpha: 0.05}\n", 40), tmp_path, pairs=9)
    path = write_report(session)
    figures = json.loads((path.parent / "report.json").read_text())
    low, high = figures["comparisons"][0]["anytime_interval"]
    assert 0 < low < figures["comparisons"][0]["difference"] <= high <= 1.0
    assert low < figures["comparisons"][0]["difference_interval"][0]
    assert "looks larger than it is" in (path.parent / "report.md").read_text()
    session.close()


def test_blocks_that_share_a_start_state_are_a_warning(small_plan: Plan, tmp_path: Path) -> None:
    text = small_plan.text.replace("robot: sim", "robot: real").replace("{seed: 1}", "{point_m: [0.4, -0.1, 0.8]}")
    text = text.replace("{seed: 2}", "{point_m: [0.4, -0.2, 0.8]}").replace(", sim_task: place_cube_in_box", "")
    session = recorded(parse_plan(text, None), tmp_path)
    path = write_report(session)
    figures = json.loads((path.parent / "report.json").read_text())
    assert figures["starts"] == {"blocks": 3, "different": 2}
    assert figures["comparisons"][0]["p_by_start"] == 0.5  # two start states that agree
    assert "3 blocks share 2 start states" in (path.parent / "report.md").read_text()
    session.close()


def test_missed_answers_and_lopsided_voids_are_warnings(small_plan: Plan, tmp_path: Path) -> None:
    session = Session.create(tmp_path, small_plan)
    names = open_blinding_key(tmp_path).names
    for slot in session.schedule.slots:
        if names[slot.alias] == "two":
            for _ in range(3):
                session.store.void(session.store.begin(slot.index), "it looked bad", "ann")
        good = TrialResult(Outcome.SUCCESS, "", 1.0, "ann", has_bag=True)
        session.store.finish(session.store.begin(slot.index), good)
    rows = [{"alias": a, "answer_s": [0.1], "late": int(n == "two"), "chunk": ""} for a, n in names.items()]
    (tmp_path / LATENCY_NAME).write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = (write_report(session).parent / "report.md").read_text()
    assert "The answer schedule was missed (two 3 times)" in text
    assert "made again are not shared out evenly (one 0, two 9)" in text
    session.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_the_report_can_be_read_at_every_width(
    browser, small_plan: Plan, tmp_path: Path, fake_port, width: int
) -> None:
    text = small_plan.text.replace("  place:", "  a_task_with_quite_a_long_name_to_read:")
    text = text.replace("task: place,", "task: a_task_with_quite_a_long_name_to_read,")
    session = recorded(parse_plan(text, None), tmp_path)
    path = write_report(session)
    context = browser.new_context(viewport={"width": width, "height": 740})
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for what in (".row .label", ".row span", "td"):
        sizes = page.evaluate(
            "(what) => [...document.querySelectorAll(what)].filter((e) => e.textContent && e.offsetWidth).map((e) =>"
            " [parseFloat(getComputedStyle(e).fontSize), e.scrollWidth - e.clientWidth])",
            what,
        )
        assert sizes
        assert min(size for size, _ in sizes) >= 14
        assert max(cut for _, cut in sizes) <= 1
    page.screenshot(path=tmp_path / f"report_{width}.png", full_page=True)
    context.close()
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
