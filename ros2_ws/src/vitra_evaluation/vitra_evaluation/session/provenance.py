"""Hashes of what a result depends on: source, calibration, checkpoints."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from vitra_description.calibration import calibration_path
from vitra_evaluation.plan.plan import Plan
from vitra_evaluation.session.files import file_sha256, tree_hashes

SOFTWARE = ("vitra-policy", "vitra_description", "torch", "numpy", "mujoco")
"""Packages whose versions belong into a report."""


def plan_hashes(plan: Plan) -> dict[str, str]:
    """Hashes noted when a session is created."""
    return {"source": source_version()} | input_hashes(plan)


def input_hashes(plan: Plan, made_in: Path | None = None) -> dict[str, str]:
    """Hash of the calibration, and of every file or folder that an option of a policy names, byte by byte.

    Args:
        plan: Of the session.
        made_in: Folder from which relative paths count; None, or where nothing is there: the current one.
    """
    calibration = seen_from(made_in, calibration_path(plan.calibration))
    found = {calibration_key(plan): path_sha256(calibration)}
    for policy in plan.policies:
        for key, value in policy.options:
            if value and (path := seen_from(made_in, Path(value))).exists():
                found[f"{policy.name}: {key}"] = path_sha256(path)
    return found


def calibration_key(plan: Plan) -> str:
    """Under which the hash of a plan's calibration is noted."""
    return f"calibration {plan.calibration}"


def misplaced_inputs(plan: Plan, made_in: Path) -> list[str]:
    """Inputs that a policy started here would not find, or would find another of, for their paths are relative.

    Args:
        plan: Of the session.
        made_in: Folder from which they count.
    """
    named = [(f"{policy.name}: {key}", value) for policy in plan.policies for key, value in policy.options if value]
    if plan.calibration.endswith((".yaml", ".yml")):
        named.append(("calibration", plan.calibration))
    return [
        f"'{name}' ({value})"
        for name, value in named
        if not Path(value).is_absolute()
        and (made_in / value).exists()
        and not (Path(value).exists() and Path(value).samefile(made_in / value))
    ]


def seen_from(made_in: Path | None, path: Path) -> Path:
    """An absolute path stays as it is; a session that was moved to another machine is looked at from here.

    Args:
        made_in: Folder from which a relative path counts; None, or where nothing is there: the current one.
        path: Of an input.
    """
    return made_in / path if made_in is not None and (made_in / path).exists() else path


def path_sha256(path: Path) -> str:
    """Hash of a file, or of all names and contents below a folder."""
    if path.is_file():
        return file_sha256(path)
    return hashlib.sha256(json.dumps(tree_hashes(path), sort_keys=True).encode()).hexdigest()


def software() -> dict[str, str]:
    """Versions that belong into a report."""
    found = {"python": platform.python_version()}
    for name in SOFTWARE:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
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
