"""Files in a session's folder that nobody recorded, and those that steer its policies."""

from __future__ import annotations

import json
import re

from vitra_evaluation.blinding.answer_schedule import SCHEDULE_NAME as ANSWERS_NAME
from vitra_evaluation.blinding.answer_schedule import known_period_s
from vitra_evaluation.blinding.blinded_policy import LATENCY_NAME, LOG_NAME
from vitra_evaluation.blinding.blinding_key import SEAL_NAME
from vitra_evaluation.session.folder import ACTIVE_NAME, JOURNAL_NAME, LOCK_NAME, PLAN_NAME, SCHEDULE_NAME, Session
from vitra_evaluation.session.session_state import Kind
from vitra_policy.policies.policy import PolicyError

REPORT_FOLDER = "report"
REPORT_NAMES = ("report.json", "trials.csv", "report.md", "report.html")
_OURS = re.compile(
    "|".join(map(re.escape, (PLAN_NAME, SCHEDULE_NAME, SEAL_NAME, LOCK_NAME, LATENCY_NAME, LOG_NAME)))
    + rf"|{re.escape(JOURNAL_NAME)}(-wal|-shm|-journal)?|({re.escape(ACTIVE_NAME)}|{re.escape(ANSWERS_NAME)})(\.new)?"
    r"|launch_\d+\.log|trials|references|report|incoming"
)
"""`incoming` is where evaluate.launch.xml lets the recorder write; whole bags move from there into `trials`."""


def strange_files(session: Session, recorded: frozenset[str]) -> tuple[list[str], list[str]]:
    """What lies in the folder beside what the session wrote: problems where it can pass for a report, else notes.

    A person's own notes and photographs beside a session are no tampering, so only names and places of reports are.

    Args:
        session: The session.
        recorded: Files whose hash is on record, by their path from the folder.

    Returns:
        problems, notes.
    """
    problems, notes = [], []
    for path in sorted(session.folder.iterdir()):
        if _OURS.fullmatch(path.name):
            continue
        if path.name.lower().startswith("report"):
            problems.append(f"{path.name} is no report of the record: the record's are in {REPORT_FOLDER}/")
        else:
            notes.append(f"{path.name} is not in the record: nothing vouches for it")
    report = session.folder / REPORT_FOLDER
    for path in sorted(report.rglob("*")) if report.is_dir() else []:
        name = path.relative_to(session.folder).as_posix()
        if name in recorded:
            continue
        if path.relative_to(report).as_posix() in {n for one in REPORT_NAMES for n in (one, f"{one}.new")}:
            notes.append(f"{name} is of a report that was cut off; vitra-eval report {session.folder} writes it anew")
        else:
            problems.append(f"{name} is no file of the report on record")
    return problems, notes


def turn_problems(session: Session) -> list[str]:
    """The file that tells the policies whose turn it is names a trial as the record has it."""
    path = session.folder / ACTIVE_NAME
    if not path.exists():
        return []
    try:
        turn = json.loads(path.read_text())
        alias, number = turn["alias"], turn["attempt"]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        return [f"{ACTIVE_NAME} cannot be read ({type(error).__name__})"]
    aliases = {slot.index: slot.alias for slot in session.schedule.slots}
    begun = {attempt.id: aliases.get(attempt.slot) for attempt in session.store.attempts()}
    if begun.get(number) != alias:
        return [f"{ACTIVE_NAME} says that trial {number} was of {alias}, the record does not"]
    return []


def answer_time_problems(session: Session) -> list[str]:
    """The file that fixes the answer time says what each trial noted of it when it began."""
    began = [entry.body.get("answer_s") for entry in session.store.entries if entry.kind == Kind.BEGAN]
    noted = {seconds for seconds in began if seconds is not None}
    try:
        known = known_period_s(session.folder)
    except (PolicyError, OSError, RecursionError) as error:
        return [f"{ANSWERS_NAME} cannot be read ({type(error).__name__})"]
    if noted - {known}:
        said = " and ".join(f"{seconds:g} s" for seconds in sorted(noted))
        now = "it is missing" if known is None else f"it says {known:g} s"
        return [f"{ANSWERS_NAME}: {now}, the trials ran with {said}"]
    return []
