"""What the computer is like: software, rights, clocks, memory, disk, ports, processes. Looked at once, then judged."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from vitra_runtime.parent_watch import END_WITH_PARENT

PACKAGES = ("rclpy", "ros-jazzy-rclpy", "numpy", "opencv-python-headless", "pin", "Robotic_Arm", "mujoco")
DDS_PROFILE_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"
NODE_PACKAGES = (
    "realman_driver", "xhand_driver", "vitra_camera", "vitra_inference", "vitra_retarget", "vitra_control",
    "vitra_recorder", "vitra_teleop", "vitra_console", "vitra_sim",
)  # fmt: skip
_SHARED = Path("/dev/shm")
_SEGMENT = "fastrtps_"
_UNSYNCHRONISED = 0x0040
_CLOCK_ERROR = 5


@dataclass(frozen=True, slots=True)
class StackProcess:
    """A process of the stack's nodes.

    Attributes:
        pid: Its number.
        name: Package of its node.
        launcher: Process that started it.
        domain: ROS domain in its environment.
        orphaned: Its launcher is gone though it was told to end with it.
    """

    pid: int
    name: str
    launcher: int
    domain: int
    orphaned: bool


@dataclass(frozen=True, slots=True)
class Port:
    """Who holds an UDP port: process id (0: nobody may know) and command."""

    number: int
    pid: int
    command: str


@dataclass(frozen=True, slots=True)
class Machine:
    """The computer at one moment.

    Attributes:
        python: Version, three numbers.
        packages: Version by distribution; empty text: not installed.
        xhand_sdk: Whether the module of the hands' SDK can be imported.
        middleware: RMW_IMPLEMENTATION; empty: the default.
        dds_profile: Path of the Fast DDS profile in the environment; empty: none.
        dds_segment_bytes: Shared memory segment that the profile asks for; 0: no such profile.
        shared_free_bytes: Free shared memory.
        dead_segment_bytes: Of Fast DDS, left by processes that are gone.
        realtime_priority: Highest real-time priority that this account may take; 0: none.
        governors: Distinct CPU frequency governors; empty where the machine has none.
        cores: Number of CPUs.
        load: Running processes, mean of the last minute.
        memory_free_bytes: Memory that is available.
        disk_free_bytes: Where episodes are written.
        clock_synchronised: Whether the system clock follows another; None: not known.
        ports: UDP ports of the arms' state push that somebody holds.
        processes: Nodes of the stack on this machine.
    """

    python: tuple[int, int, int]
    packages: dict[str, str]
    xhand_sdk: bool = True
    middleware: str = ""
    dds_profile: str = ""
    dds_segment_bytes: int = 0
    shared_free_bytes: int = 0
    dead_segment_bytes: int = 0
    realtime_priority: int = 0
    governors: frozenset[str] = frozenset()
    cores: int = 1
    load: float = 0.0
    memory_free_bytes: int = 0
    disk_free_bytes: int = 0
    clock_synchronised: bool | None = None
    ports: tuple[Port, ...] = ()
    processes: tuple[StackProcess, ...] = field(default=())


def look(*, folder: Path, xhand_sdk: str, udp_ports: Iterable[int]) -> Machine:
    """Look at this machine (about 0.3 s).

    Args:
        folder: Where episodes are written.
        xhand_sdk: Python module of the hands' SDK.
        udp_ports: Ports that the arms push their state to.
    """
    profile = os.environ.get(DDS_PROFILE_VARIABLE, "")
    return Machine(
        python=sys.version_info[:3],
        packages={name: _version(name) for name in PACKAGES},
        xhand_sdk=_exists(xhand_sdk),
        middleware=os.environ.get("RMW_IMPLEMENTATION", ""),
        dds_profile=profile,
        dds_segment_bytes=segment_bytes(profile),
        shared_free_bytes=shutil.disk_usage(_SHARED).free if _SHARED.is_dir() else 0,
        dead_segment_bytes=_dead_segments(),
        realtime_priority=_realtime_priority(),
        governors=frozenset(_governors()),
        cores=os.cpu_count() or 1,
        load=os.getloadavg()[0],
        memory_free_bytes=psutil.virtual_memory().available,
        disk_free_bytes=shutil.disk_usage(_existing(folder)).free,
        clock_synchronised=_clock_synchronised(),
        ports=tuple(_ports(set(udp_ports))),
        processes=tuple(_processes()),
    )


def segment_bytes(profile: str) -> int:
    """Size of the shared memory segment that a Fast DDS profile asks for; 0 where it asks for none."""
    import xml.etree.ElementTree as ET

    try:
        root = ET.parse(profile).getroot()
    except (OSError, ET.ParseError):
        return 0
    sizes = [int(e.text) for e in root.iter() if e.tag.endswith("segment_size") and e.text and e.text.strip().isdigit()]
    return max(sizes, default=0)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _governors() -> Iterator[str]:
    for path in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"):
        yield path.read_text().strip()


def _realtime_priority() -> int:
    """Tried in a thread of its own, whose scheduling ends with it: the rights come from several places."""
    granted = 0

    def take() -> None:
        nonlocal granted
        for priority in (60, 10):
            try:
                os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))
            except OSError:
                continue
            granted = priority
            return

    thread = threading.Thread(target=take, name="rights")
    thread.start()
    thread.join()
    return granted


class _Timex(ctypes.Structure):
    _fields_ = [("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long),
                ("maxerror", ctypes.c_long), ("esterror", ctypes.c_long), ("status", ctypes.c_int),
                ("rest", ctypes.c_byte * 256)]  # fmt: skip


def _clock_synchronised() -> bool | None:
    timex = _Timex()
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _CLOCK_ERROR and not timex.status & _UNSYNCHRONISED


def _dead_segments() -> int:
    """Bytes of Fast DDS segments that no process has mapped."""
    if not _SHARED.is_dir():
        return 0
    mapped: set[str] = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            mapped.update(line.rsplit("/", 1)[-1].strip() for line in maps.open() if _SEGMENT in line)
        except OSError:
            continue
    total = 0
    for path in _SHARED.glob(f"{_SEGMENT}*"):
        if path.name not in mapped:
            try:
                total += path.stat().st_blocks * 512
            except OSError:
                continue
    return total


def _ports(numbers: set[int]) -> Iterator[Port]:
    try:
        connections = psutil.net_connections("udp")
    except (psutil.Error, OSError):
        return
    for connection in connections:
        if connection.laddr and connection.laddr.port in numbers:
            pid = connection.pid or 0
            yield Port(connection.laddr.port, pid, _command(pid))


def _command(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline()) if pid else ""
    except psutil.Error:
        return ""


def _processes() -> Iterator[StackProcess]:
    for process in psutil.process_iter():
        try:
            name = node_package(process.cmdline())
            if not name:
                continue
            environment = process.environ()
            launcher = process.ppid()
        except psutil.Error:
            continue
        domain = environment.get("ROS_DOMAIN_ID") or "0"
        told = environment.get(END_WITH_PARENT) == "1"
        yield StackProcess(process.pid, name, launcher, int(domain) if domain.isdigit() else 0, told and launcher == 1)


def node_package(command: list[str]) -> str:
    """Package of the node that a command runs, from `.../lib/PACKAGE/EXECUTABLE`; empty for everything else."""
    for word in command[:2]:
        parts = Path(word).parts
        if len(parts) >= 3 and parts[-3] == "lib" and parts[-2] in NODE_PACKAGES:
            return parts[-2]
    return ""
