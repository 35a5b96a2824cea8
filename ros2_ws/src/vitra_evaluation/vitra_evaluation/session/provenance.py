"""Hashes of what a result depends on: source, calibration, checkpoints."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from pathlib import Path

from vitra_description.calibration import calibration_path
from vitra_evaluation.plan.plan import Plan

_CHUNK = 1 << 22


def plan_hashes(plan: Plan) -> dict[str, str]:
    """Hashes noted when a session is created; a checkpoint is hashed byte by byte."""
    found = {"source": source_version(), f"calibration {plan.calibration}": _hash([calibration_path(plan.calibration)])}
    for policy in plan.policies:
        for key, value in policy.options:
            path = Path(value)
            if path.is_dir():
                found[f"{policy.name}: {key}"] = _hash(sorted(p for p in path.rglob("*") if p.is_file()))
            elif path.is_file():
                found[f"{policy.name}: {key}"] = _hash([path])
    return found


def source_version() -> str:
    """Commit of the checkout this module runs from, with "+changes" when it was edited; "unknown" outside git."""
    folder = Path(__file__).resolve().parents[1]
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
    ).stdout.strip()


def _hash(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(_CHUNK):
                digest.update(block)
    return digest.hexdigest()
