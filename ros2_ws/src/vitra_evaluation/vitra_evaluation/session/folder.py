"""A session's folder: plan, locked schedule, seal, journal, and one folder per attempt.

runs/eval/demo/
plan.yaml  schedule.json  sealed.json (mode 600)  session.sqlite
trials/0007/  bag/  video.mp4  first.jpg  last.jpg
references/<layout>__<object>.jpg   report/
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from vitra_evaluation.blinding import blinding_key as seal
from vitra_evaluation.errors import DamagedError, NoJournalError, NoSessionError, SessionError, SessionHeldError
from vitra_evaluation.plan.file import parse_plan
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.plan.schedule import Schedule, Slot, plan_hash
from vitra_evaluation.session.attempt import Attempt
from vitra_evaluation.session.files import room_for, write_durably
from vitra_evaluation.session.provenance import software
from vitra_evaluation.session.store import Store
from vitra_evaluation.session.trial_setup import Setup

ACTIVE_NAME = "active.json"
"""Which alias runs next; written by the runner, read by the policy process."""

SCHEDULE_NAME, PLAN_NAME, JOURNAL_NAME = "schedule.json", "plan.yaml", "session.sqlite"
LOCK_NAME = ".running"


class Session:
    """An opened session; create one with `create` or `load`, and close it.

    What changes a session needs it held: one program at a time, whether it runs trials, voids, rates or unseals.

    Attributes:
        folder: where it lives.
        plan: what is tried.
        schedule: in which order.
        store: what happened.
    """

    def __init__(self, folder: Path, plan: Plan, schedule: Schedule) -> None:
        self.folder, self.plan, self.schedule = folder, plan, schedule
        self._lock_file: IO[str] | None = None
        self.store = Store(folder / JOURNAL_NAME, lambda: self._lock_file is not None)

    @staticmethod
    def create(
        folder: Path,
        plan: Plan,
        hashes: dict[str, str] | None = None,
        secret: str | None = None,
        setup: Setup | None = None,
    ) -> Session:
        """Draw, seal and lock a new session; held. It appears whole or not at all.

        Args:
            folder: A new or empty one.
            plan: What is tried.
            hashes: Of the files the policies are made of.
            secret: Seed of the draw; None: drawn.
            setup: Where the trials will run; None: not noted.

        Raises:
            SessionError: there is something in the folder already; nothing is ever overwritten.
        """
        if (folder / SCHEDULE_NAME).exists() or (folder / seal.SEAL_NAME).exists():
            raise SessionError(f"{folder} holds a session already. Go on with it (vitra-eval resume), or name another.")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SessionError(f"{folder} is not empty; name another folder for the session.")
        with room_for(folder), _in_the_making(folder) as made:
            (made / "trials").mkdir()
            schedule, drawn = seal.draw(plan, secret)
            seal.write_blinding_key(made, drawn)
            write_durably(made / PLAN_NAME, plan.text)
            write_durably(made / SCHEDULE_NAME, schedule.to_json())
            store = Store(made / JOURNAL_NAME)
            facts = {"schedule_sha256": schedule.sha256, "plan_sha256": plan_hash(plan), "made_in": str(Path.cwd())}
            noted = {"setup": setup.to_fact()} if setup is not None else {}
            store.lock(facts | noted | {"trials": len(schedule.slots), "hashes": software() | (hashes or {})})
            store.close()
        session = Session(folder, plan, schedule)
        session.hold()
        return session

    @staticmethod
    def load(folder: Path) -> Session:
        """Open a session and check that plan, schedule, seal and journal are those that were locked.

        Raises:
            NoSessionError: no session there.
            NoJournalError: its journal is missing; none is made in its place.
            SessionError: it was edited.
        """
        demand_session(folder)
        if not (folder / JOURNAL_NAME).is_file():
            raise NoJournalError(folder, JOURNAL_NAME, PLAN_NAME)
        plan, schedule = read_plan_and_schedule(folder)
        session = Session(folder, plan, schedule)
        if problems := session.problems():
            session.close()
            raise SessionError(
                f"The session in {folder} was changed after it was locked: {'; '.join(problems)}. "
                f"See all of it: vitra-eval verify {folder}"
            )
        return session

    def problems(self) -> list[str]:
        """What shows tampering with plan, schedule, seal or journal; the trials' files are `verify`'s."""
        locked = str(self.store.locked.get("schedule_sha256", ""))
        return [*seal.key_problems(self.folder, self.plan, self.schedule, locked), *self.store.problems()]

    def hold(self) -> None:
        """Make sure that only this program changes the session, until it is closed.

        Raises:
            SessionHeldError: another one does.
        """
        if self._lock_file is not None:
            return
        file = (self.folder / LOCK_NAME).open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise SessionHeldError(
                f"Another vitra-eval has the session in {self.folder} in hand (it runs trials?). Wait for its end, or "
                "give the order on its console."
            ) from error
        self._lock_file = file
        seal.close_blinding_key(self.folder)

    def close(self) -> None:
        """Close the journal, release the folder."""
        self.store.close()
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None

    def next_slot(self) -> Slot | None:
        """The first slot without a trial that counts; None when the session is complete."""
        counted = self.store.counted()
        return next((slot for slot in self.schedule.slots if slot.index not in counted), None)

    @property
    def is_complete(self) -> bool:
        """Whether every slot has a trial that counts."""
        return self.next_slot() is None

    @property
    def is_unsealed(self) -> bool:
        """Whether the names have been opened."""
        return self.store.unsealed is not None

    def interrupted(self) -> list[Attempt]:
        """Attempts that were begun but never got a result: cut off, or running now."""
        return [a for a in self.store.attempts() if a.result is None and a.void_reason is None]

    def trial_folder(self, attempt: int) -> Path:
        """Folder of an attempt's recordings; its name tells nothing but the number."""
        return self.folder / "trials" / f"{attempt:04d}"

    def reference(self, slot: Slot) -> Path:
        """Image of the start state that later trials of the same setting are set up after."""
        given = self.plan.layout(slot.layout).image
        return Path(given) if given else self.folder / "references" / f"{slot.layout}__{slot.thing}.jpg"

    @property
    def hashes(self) -> dict[str, Any]:
        """Versions and hashes noted when the session was created."""
        return dict(self.store.locked.get("hashes", {}))

    @property
    def made_in(self) -> Path | None:
        """Folder from which relative paths of the plan count; None in sessions of versions that did not note it."""
        noted = self.store.locked.get("made_in")
        return Path(noted) if isinstance(noted, str) else None

    @property
    def setup(self) -> Setup | None:
        """Where the trials run; None in sessions of versions that did not note it."""
        return Setup.from_fact(self.store.locked.get("setup"))


def demand_session(folder: Path) -> None:
    """Refuse a path that is no session's folder, however damaged.

    Raises:
        NoSessionError: none of a session's files is in it.
    """
    wanted = (SCHEDULE_NAME, JOURNAL_NAME)
    if not any((folder / name).is_file() for name in wanted):
        raise NoSessionError(folder, wanted, sorted(path.parent for path in folder.glob(f"*/{SCHEDULE_NAME}")))


def read_plan_and_schedule(folder: Path) -> tuple[Plan, Schedule]:
    """The two files of a session's folder.

    Raises:
        DamagedError: one is missing, cut off or no longer readable.
    """
    path = folder / SCHEDULE_NAME
    try:
        schedule = Schedule.from_json(path.read_text())
        path = folder / PLAN_NAME
        return parse_plan(path.read_text(), None, path), schedule
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise DamagedError(
            f"{path} cannot be read ({type(error).__name__}: {error}). It is written once and never changed: restore "
            "it from a copy of the session."
        ) from error


@contextlib.contextmanager
def _in_the_making(folder: Path) -> Iterator[Path]:
    """A folder beside the wanted one, renamed to it at the end; what a kill left behind is cleared away."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = folder.with_name(f".{folder.name}.creating")
    with (folder.with_name(f".{folder.name}.creating.lock")).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SessionHeldError(f"Another vitra-eval is creating a session in {folder}.") from error
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        try:
            yield made
            made.rename(folder)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        finally:
            Path(lock.name).unlink(missing_ok=True)
        descriptor = os.open(folder.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
