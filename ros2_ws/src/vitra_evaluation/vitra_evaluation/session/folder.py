"""A session's folder: plan, locked schedule, seal, database, and one folder per attempt.

runs/eval/demo/
plan.yaml  schedule.json  sealed.json (mode 600)  session.sqlite
trials/0007/  bag/  video.mp4  first.jpg  last.jpg
references/<layout>__<object>.jpg   report/
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from vitra_evaluation.blinding import blinding_key as seal
from vitra_evaluation.errors import SessionError
from vitra_evaluation.plan.file import parse_plan
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.plan.schedule import Schedule, Slot
from vitra_evaluation.session.store import Attempt, Store

ACTIVE_NAME = "active.json"
"""Which alias runs next; written by the runner, read by the policy process."""

_HASHES = "hashes"


class Session:
    """An opened session; create one with `create` or `load`, and close it.

    Attributes:
        folder: where it lives.
        plan: what is tried.
        schedule: in which order.
        store: what happened.
    """

    def __init__(self, folder: Path, plan: Plan, schedule: Schedule, store: Store) -> None:
        self.folder, self.plan, self.schedule, self.store = folder, plan, schedule, store
        self._lock_file: IO[str] | None = None

    @staticmethod
    def create(folder: Path, plan: Plan, hashes: dict[str, str] | None = None, secret: str | None = None) -> Session:
        """Draw, seal and lock a new session.

        Raises:
            SessionError: there is one in the folder already; nothing is ever overwritten.
        """
        if (folder / "schedule.json").exists() or (folder / seal.SEAL_NAME).exists():
            raise SessionError(f"{folder} holds a session already. Go on with it (vitra-eval resume), or name another.")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "trials").mkdir(exist_ok=True)
        schedule, drawn = seal.draw(plan, secret)
        seal.write_seal(folder, drawn)
        _write(folder / "plan.yaml", plan.text)
        store = Store(folder / "session.sqlite")
        store.lock_fact("schedule_sha256", schedule.sha256)
        store.lock_fact(_HASHES, json.dumps(software() | (hashes or {}), sort_keys=True))
        _write(folder / "schedule.json", schedule.to_json())
        store.event("created", f"{len(schedule.slots)} trials, schedule {schedule.sha256[:12]}")
        return Session(folder, plan, schedule, store)

    @staticmethod
    def load(folder: Path) -> Session:
        """Open a session and check that plan and schedule are those that were locked.

        Raises:
            SessionError: no session there, or one that was edited.
        """
        if not (folder / "schedule.json").is_file():
            raise SessionError(f"There is no session in {folder}. Begin one with vitra-eval run.")
        schedule = Schedule.from_json((folder / "schedule.json").read_text())
        text = (folder / "plan.yaml").read_text()
        plan = parse_plan(text, None, folder / "plan.yaml")
        store = Store(folder / "session.sqlite")
        session = Session(folder, plan, schedule, store)
        if problems := session.problems():
            store.close()
            raise SessionError(f"The session in {folder} was changed after it was locked: {'; '.join(problems)}.")
        return session

    def problems(self) -> list[str]:
        """What shows tampering."""
        return seal.seal_problems(self.folder, self.plan, self.schedule, self.store.fact("schedule_sha256") or "")

    def hold(self) -> None:
        """Make sure that only one program runs trials in this session.

        Raises:
            SessionError: another one does.
        """
        file = (self.folder / ".running").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise SessionError(f"Another vitra-eval is running the session in {self.folder}.") from error
        self._lock_file = file

    def close(self) -> None:
        """Close the database, release the folder."""
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
        return self.store.fact("unsealed") is not None

    def interrupted(self) -> list[Attempt]:
        """Attempts that were begun but never got a result: cut off, or running now."""
        return [a for a in self.store.attempts() if a.result is None and a.void_reason is None]

    def trial_folder(self, attempt: int) -> Path:
        """Folder of an attempt's recordings; its name tells nothing but the number."""
        return self.folder / "trials" / f"{attempt:04d}"

    def reference(self, slot: Slot) -> Path:
        """Picture of the start state that later trials of the same setting are set up after."""
        given = self.plan.layout(slot.layout).picture
        return Path(given) if given else self.folder / "references" / f"{slot.layout}__{slot.thing}.jpg"

    @property
    def hashes(self) -> dict[str, Any]:
        """Versions and hashes noted when the session was created."""
        return dict(json.loads(self.store.fact(_HASHES) or "{}"))


def software() -> dict[str, str]:
    """Versions that belong into a report."""
    found = {"python": platform.python_version()}
    for name in ("vitra-policy", "vitra_description", "torch", "numpy", "mujoco"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _write(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
