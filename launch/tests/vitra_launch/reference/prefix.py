"""A stand-in install prefix with the launch files under test and every program that they name."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHIPPED = HERE.parents[2]


def make_prefix(folder: Path) -> Path:
    """Build it; programs do nothing."""
    prefix = folder / "prefix"
    programs = {("toy", "one"), ("toy", "two")}
    for file in SHIPPED.glob("*.launch.xml"):
        programs |= {(node.attrib["pkg"], node.attrib["exec"]) for node in ET.parse(file).getroot().iter("node")}
    for package, program in sorted(programs | {("vitra_bringup", "vitra-launch")}):
        marker = prefix / "share/ament_index/resource_index/packages" / package
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        path = prefix / "lib" / package / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/true\n")
        path.chmod(0o755)
    share = prefix / "share/vitra_bringup"
    shutil.copytree(SHIPPED / "config", share / "config")
    (share / "launch").mkdir()
    for file in SHIPPED.glob("*.launch.xml"):
        shutil.copy(file, share / "launch")
    (prefix / "share/toy").mkdir()
    for name in ("inner.launch.xml", "parameters.yaml"):
        shutil.copy(HERE / name, prefix / "share/toy")
    return prefix


def case_file(name: str, prefix: Path) -> Path:
    """The launch file of a case: a shipped one by its name, one of ours by its path below this folder."""
    own = HERE / name
    return own if own.is_file() else prefix / "share/vitra_bringup/launch" / name


def neutral(text: str, prefix: Path) -> str:
    """A text without this machine's paths."""
    return text.replace(str(prefix), "{prefix}").replace(str(HERE), "{here}")
