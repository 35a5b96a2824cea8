"""The seal: who is behind each alias, in a file of its own that only the policy process reads before the report."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from vitra_evaluation.errors import SealError
from vitra_evaluation.plan.plan import Latency, Plan, PolicySpec
from vitra_evaluation.plan.schedule import Schedule, draw_schedule

SEAL_NAME = "sealed.json"


@dataclass(frozen=True, slots=True)
class BlindingKey:
    """Content of the sealed file.

    Attributes:
        secret: Random; the draw of aliases hangs on it.
        policies: What to create, by name.
        names: Policy name behind each alias.
        latency: Whether answers come by one schedule.
        answer_s: The plan's answer time, or None.
    """

    secret: str
    policies: tuple[PolicySpec, ...]
    names: dict[str, str]
    latency: Latency
    answer_s: float | None = None

    def to_json(self) -> str:
        """Canonical text."""
        policies = [{"name": p.name, "policy": p.policy, "options": p.options} for p in self.policies]
        body = asdict(self) | {"policies": policies}
        return json.dumps(body, sort_keys=True, indent=1) + "\n"


def commitment(secret: str) -> str:
    """Hash that goes into the open schedule: the secret cannot be exchanged later, nor guessed from it."""
    return hashlib.sha256(f"vitra-seal:{secret}".encode()).hexdigest()


def draw(plan: Plan, secret: str | None = None) -> tuple[Schedule, BlindingKey]:
    """Draw schedule and seal; the secret is random unless given (tests)."""
    secret = secret or secrets.token_hex(32)
    schedule, names = draw_schedule(plan, secret, commitment(secret))
    return schedule, BlindingKey(secret, plan.policies, names, plan.latency, plan.answer_s)


def write_blinding_key(folder: Path, seal: BlindingKey) -> Path:
    """Write the sealed file, readable by its owner only.

    Raises:
        SealError: there is one already.
    """
    path = folder / SEAL_NAME
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise SealError(f"{path} is there already; a session is sealed once.") from error
    with os.fdopen(descriptor, "w") as file:
        file.write(seal.to_json())
        file.flush()
        os.fsync(file.fileno())
    return path


def open_blinding_key(folder: Path) -> BlindingKey:
    """Read the sealed file. For the policy process and the report only.

    Raises:
        SealError: missing or damaged.
    """
    path = folder / SEAL_NAME
    try:
        body = json.loads(path.read_text())
        policies = tuple(
            PolicySpec(p["name"], p["policy"], tuple((k, v) for k, v in p["options"])) for p in body["policies"]
        )
        return BlindingKey(body["secret"], policies, dict(body["names"]), Latency(body["latency"]), body["answer_s"])
    except PermissionError as error:
        raise SealError(f"The seal {path} belongs to somebody else; make it yours: sudo chown $USER {path}") from error
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise SealError(f"The seal {path} cannot be read: {type(error).__name__}: {error}.") from error


def key_problems(folder: Path, plan: Plan, schedule: Schedule, locked_sha256: str) -> list[str]:
    """Everything that shows tampering with plan, schedule or seal; empty when all is as it was locked.

    Args:
        folder: Of the session.
        plan: As it is read now.
        schedule: As it is read now.
        locked_sha256: Hash of the lock, from the journal.
    """
    problems = []
    if schedule.sha256 != locked_sha256:
        problems.append("schedule.json differs from the schedule that was locked at the start")
    try:
        seal = open_blinding_key(folder)
    except SealError as error:
        return [*problems, str(error)]
    again, names = draw_schedule(plan, seal.secret, commitment(seal.secret))
    if commitment(seal.secret) != schedule.seal_sha256:
        problems.append(f"{SEAL_NAME} holds another secret than the one committed to in the schedule")
    elif again != schedule:
        problems.append("drawing plan and secret again gives another schedule: the plan or the schedule was edited")
    if (
        names != seal.names
        or seal.policies != plan.policies
        or (seal.latency, seal.answer_s) != (plan.latency, plan.answer_s)
    ):
        problems.append(f"the names in {SEAL_NAME} are not those that were drawn")
    return problems


def key_note(folder: Path) -> str:
    """Whether others can read the seal, as after a copy; empty when they cannot."""
    path = folder / SEAL_NAME
    mode = path.stat().st_mode & 0o777 if path.is_file() else 0
    return f"{SEAL_NAME} can be read by others (mode {mode:o}, should be 600)" if mode & 0o077 else ""


def close_blinding_key(folder: Path) -> None:
    """Make the seal its owner's again, where a copy has opened it to others."""
    if key_note(folder):
        with contextlib.suppress(OSError):  # a file system without modes
            (folder / SEAL_NAME).chmod(0o600)
