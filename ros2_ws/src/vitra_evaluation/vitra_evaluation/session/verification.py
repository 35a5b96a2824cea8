"""`vitra-eval verify`: is a session still what was recorded? Files, record, seal, and what people wrote down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitra_evaluation.blinding.blinding_key import key_note
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.session.files import file_sha256, tree_hashes
from vitra_evaluation.session.folder import JOURNAL_NAME, Session, demand_session, read_plan_and_schedule
from vitra_evaluation.session.journal import Journal, anchor_problem
from vitra_evaluation.session.provenance import SOFTWARE, input_hashes
from vitra_evaluation.session.strange_files import REPORT_FOLDER, answer_time_problems, strange_files, turn_problems
from vitra_policy.errors import VitraError

REPORTED, REPORT_CHANGED = "reported", "report changed"
"""Events: a report is written; what was found of the one before it."""
_NOT_INPUTS = {"source", "python", *SOFTWARE}


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    Attributes:
        problems: What is not as it was recorded.
        notes: What is worth knowing, and no tampering.
        checked: How many files were compared with their hashes.
        anchors: How many anchors fit.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    checked: int = 0
    anchors: int = 0


def verify(folder: Path, anchors: Sequence[str] = ()) -> Verification:
    """Check a whole session; damage of every kind is a finding, not an error.

    Args:
        folder: of the session.
        anchors: what people noted while it ran.

    Raises:
        NoSessionError: it is no session's folder.
    """
    demand_session(folder)
    if not (folder / JOURNAL_NAME).is_file():
        return Verification([f"{JOURNAL_NAME} is missing: without the journal nothing can be checked"])
    try:
        journal = Journal(folder / JOURNAL_NAME)
        wrong = [problem for anchor in anchors if (problem := anchor_problem(journal.entries(), anchor))]
        journal.close()
        plan, schedule = read_plan_and_schedule(folder)
        session = Session(folder, plan, schedule)
    except VitraError as error:
        return Verification([str(error)])
    except Exception as error:  # whoever tampers chooses what is raised
        return Verification([_cannot_be_followed(error)])
    try:
        found = verify_session(session)
    except Exception as error:  # as above
        return Verification([*wrong, *_known_problems(session), _cannot_be_followed(error)])
    finally:
        session.close()
    return Verification([*wrong, *found.problems], found.notes, found.checked, len(anchors) - len(wrong))


def verify_session(session: Session) -> Verification:
    """As `verify`, for an opened session."""
    problems, notes = session.problems(), []
    if note := key_note(session.folder):
        notes.append(note)
    checked = 0
    for attempt in session.store.attempts():
        if attempt.ended is None and attempt.void_reason is None:
            notes.append(f"trial {attempt.id} has no result yet")
            continue
        folder = session.trial_folder(attempt.id)
        found = tree_hashes(folder)
        problems += differences(f"trials/{attempt.id:04d}", attempt.files, found)
        checked += len(attempt.files)
    problems += _strange_folders(session)
    problems += input_problems(session.plan, session.hashes, session.made_in)
    problems += turn_problems(session)
    problems += answer_time_problems(session)
    written: dict[str, str] = {}
    for event in session.store.events():
        written |= event.get("files", {})
    for name, sha256 in written.items():
        problems += _file_problem(session.folder, name, sha256)
        checked += 1
    for name, prefix in (session.store.unsealed or {}).get("files", {}).items():
        problems += _prefix_problem(session.folder, name, prefix)
        checked += 1
    strange, remarks = strange_files(session, frozenset(written))
    notes += found_earlier(session).values()
    return Verification([*problems, *strange], [*notes, *remarks], checked)


def differences(where: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Files that are missing, changed or too many.

    Args:
        where: Folder, for the messages.
        wanted: Hash of each file, as kept.
        found: Hash of each file there is.
    """
    problems = [f"{where}/{name} is missing" for name in wanted if name not in found]
    problems += [f"{where}/{n} was changed" for n, sha256 in wanted.items() if found.get(n, sha256) != sha256]
    return problems + [f"{where}/{name} was not there when the trial was recorded" for name in found.keys() - wanted]


def input_problems(plan: Plan, hashes: Mapping[str, Any], made_in: Path | None = None) -> list[str]:
    """Checkpoints and calibrations that are not those of the start.

    Args:
        plan: Of the session.
        hashes: Noted at the start.
        made_in: Folder from which relative paths count; None: nobody noted it.
    """
    try:
        now = input_hashes(plan, made_in)
    except (VitraError, OSError) as error:
        return [f"the inputs of the session cannot be read: {error}"]
    wanted = {name: sha256 for name, sha256 in hashes.items() if name not in _NOT_INPUTS}
    if not wanted:
        return []
    paths = {f"{policy.name}: {key}": Path(value) for policy in plan.policies for key, value in policy.options}
    lost = [name for name in wanted if name not in now]
    problems = [f"'{name}' is not there any more{_from_where(paths.get(name), made_in)}" for name in lost]
    return problems + [f"'{name}' is another than at the start" for name in wanted if now.get(name, "") != wanted[name]
                       and name in now]  # fmt: skip


def _from_where(path: Path | None, made_in: Path | None) -> str:
    if path is None or path.is_absolute():
        return ""
    if made_in is None:
        return f" ({path} from here; run this again in the folder where the session was begun)"
    return f" ({path} in {made_in})"


def report_problems(session: Session) -> list[str]:
    """What is not as it was written in the report on record, which the next report writes anew."""
    written: dict[str, str] = {}
    for event in session.store.events():
        if event["kind"] == REPORTED:
            written |= event["files"]
    return [problem for name, sha256 in written.items() for problem in _file_problem(session.folder, name, sha256)]


def found_earlier(session: Session) -> dict[str, str]:
    """What was found of earlier reports before they were written anew, each with when."""
    return {
        event["detail"]: f"{event['detail']} (found {event['at']}, before the report was written anew)"
        for event in session.store.events()
        if event["kind"] == REPORT_CHANGED
    }


def report_hashes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Hashes of a report's files, by their path from the session's folder."""
    return {f"{REPORT_FOLDER}/{name}": file_sha256(folder / name) for name in names}


def _cannot_be_followed(error: Exception) -> str:
    said = str(error) if isinstance(error, VitraError) else f"{type(error).__name__}: {error}"
    return f"the record cannot be followed: {said}"


def _known_problems(session: Session) -> list[str]:
    try:
        return session.problems()
    except Exception as error:  # as in `verify`
        return [_cannot_be_followed(error)]


def _strange_folders(session: Session) -> list[str]:
    known = {session.trial_folder(attempt.id).name for attempt in session.store.attempts()}
    trials = session.folder / "trials"
    there = {path.name for path in trials.iterdir()} if trials.is_dir() else set()
    return [f"trials/{name} belongs to no trial of the record" for name in sorted(there - known)]


def _file_problem(folder: Path, name: str, sha256: str) -> list[str]:
    path = folder / name
    if not path.is_file():
        return [f"{name} is missing"]
    return [] if file_sha256(path) == sha256 else [f"{name} was changed"]


def _prefix_problem(folder: Path, name: str, prefix: Mapping[str, Any] | None) -> list[str]:
    path = folder / name
    if prefix is None:
        return []
    if not path.is_file():
        return [f"{name} is missing"]
    same = file_sha256(path, int(prefix["bytes"])) == prefix["sha256"]
    return [] if same else [f"{name} was changed"]
