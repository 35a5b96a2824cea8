"""Whether a computer is fit to drive the robot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vitra_doctor.finding import Check, Complaint, Level
from vitra_doctor.machine import Machine

_OLDEST_PYTHON, _NEWEST_PYTHON = (3, 10), (3, 12)
_ARM_SDK = "1.1.6"
_ROS_MAJOR = "7."
_LEAST_SEGMENT = 8 << 20
_LEAST_SHARED = 128 << 20
_MOST_DEAD = 256 << 20
_LEAST_DISK, _LITTLE_DISK = 2 << 30, 20 << 30
_LEAST_MEMORY = 1 << 30
_PRIORITY = 50
"""Of the highest node, the arms' drivers and the supervisor (launch files)."""
_MOST_LOAD = 1.5


@dataclass(frozen=True, slots=True)
class Post:
    """A machine and what it is to do: drive the real robot or a simulated one, in which ROS domain."""

    machine: Machine
    real: bool
    domain: int = 0


def _python(post: Post) -> Iterator[Complaint]:
    version = post.machine.python
    if not _OLDEST_PYTHON <= version[:2] <= _NEWEST_PYTHON:
        yield Level.ERROR, f"Python {'.'.join(map(str, version))}, allowed 3.10 to 3.12.", "make setup"


def _versions(post: Post) -> Iterator[Complaint]:
    packages = post.machine.packages
    ros = packages.get("ros-jazzy-rclpy") or packages.get("rclpy", "")
    if not ros.startswith(_ROS_MAJOR):
        mend = "source /opt/ros/jazzy/setup.bash, or make setup"
        yield Level.ERROR, f"rclpy {ros or 'is not installed'}, ROS 2 Jazzy has 7.", mend
    if post.real and packages.get("Robotic_Arm") != _ARM_SDK:
        found = packages.get("Robotic_Arm") or "not installed"
        mend = f"python -m pip install Robotic_Arm=={_ARM_SDK}"
        yield Level.ERROR, f"The arm's SDK is {found}, the driver was tried with {_ARM_SDK}.", mend
    for name in ("numpy", "pin"):
        if not packages.get(name):
            yield Level.ERROR, f"The package {name} is not installed.", "make setup"


def _hand_sdk(post: Post) -> Iterator[Complaint]:
    if not post.machine.xhand_sdk:
        mend = "python -m pip install the vendor's wheel xhand_controller (see ros2_ws/src/xhand_driver/README.md)"
        yield Level.ERROR, "The XHand SDK cannot be imported.", mend


def _middleware(post: Post) -> Iterator[Complaint]:
    if post.machine.middleware not in ("", "rmw_fastrtps_cpp"):
        what = f"RMW_IMPLEMENTATION is {post.machine.middleware}; the stack was measured on rmw_fastrtps_cpp."
        yield Level.WARNING, what, "unset RMW_IMPLEMENTATION"


def _dds_profile(post: Post) -> Iterator[Complaint]:
    machine = post.machine
    mend = ". requirements/env.sh (it sets FASTRTPS_DEFAULT_PROFILES_FILE to launch/config/fastdds.xml)"
    if not machine.dds_profile:
        yield Level.ERROR, "No Fast DDS profile: four of ten images get lost, and a restart stalls setpoints.", mend
    elif machine.dds_segment_bytes < _LEAST_SEGMENT:
        sizes = f"{machine.dds_segment_bytes >> 20} MB of shared memory, needed {_LEAST_SEGMENT >> 20}"
        what = f"The Fast DDS profile {machine.dds_profile} gives {sizes}."
        yield Level.ERROR, what, mend


def _shared_memory(post: Post) -> Iterator[Complaint]:
    free, dead = post.machine.shared_free_bytes, post.machine.dead_segment_bytes
    if free < _LEAST_SHARED:
        what = f"{free >> 20} MB of shared memory are free, needed {_LEAST_SHARED >> 20}."
        yield Level.ERROR, what, "rm /dev/shm/fastrtps_* with no graph running; in Docker start with --shm-size=1g"
    elif dead > _MOST_DEAD:
        what = f"Processes that are gone have left {dead >> 20} MB in /dev/shm."
        yield Level.WARNING, what, "rm /dev/shm/fastrtps_* with no graph running"


def _realtime(post: Post) -> Iterator[Complaint]:
    if post.machine.realtime_priority < _PRIORITY:
        mend = (
            "echo '@realtime - rtprio 60' | sudo tee /etc/security/limits.d/vitra.conf && sudo groupadd -f realtime && "
            "sudo usermod -aG realtime $USER, then log in again"
        )
        what = (
            f"Real-time priority {post.machine.realtime_priority} is allowed, wanted {_PRIORITY}: setpoints come late."
        )
        yield Level.ERROR if post.real else Level.WARNING, what, mend


def _governor(post: Post) -> Iterator[Complaint]:
    slow = sorted(post.machine.governors - {"performance"})
    if slow:
        what = f"The CPU's frequency governor is {', '.join(slow)}: it sleeps when setpoints are due."
        yield Level.WARNING, what, "sudo cpupower frequency-set -g performance"


def _load(post: Post) -> Iterator[Complaint]:
    machine = post.machine
    if machine.load > _MOST_LOAD * machine.cores:
        what = f"{machine.load:.1f} processes run on {machine.cores} CPUs."
        yield Level.WARNING, what, "top, and end what does not belong to the robot"


def _memory(post: Post) -> Iterator[Complaint]:
    free = post.machine.memory_free_bytes
    if free < _LEAST_MEMORY:
        what = f"{free >> 20} MB of memory are available, needed {_LEAST_MEMORY >> 20}."
        yield Level.ERROR, what, "top (press M), and end what takes it"


def _disk(post: Post) -> Iterator[Complaint]:
    free = post.machine.disk_free_bytes
    what, mend = f"{free / 2**30:.1f} GB of disk are free where episodes go.", "df -h . ; move runs/ elsewhere"
    if free < _LEAST_DISK:
        yield Level.ERROR, what, mend
    elif free < _LITTLE_DISK:
        yield Level.WARNING, f"{what} An hour of episodes takes about {_LITTLE_DISK >> 30}.", mend


def _clock(post: Post) -> Iterator[Complaint]:
    if post.machine.clock_synchronised is False:
        what = "The system clock follows no other; with a second machine, or a tracker, stamps will not agree."
        yield Level.WARNING, what, "sudo apt-get install chrony && chronyc tracking"


def _ports(post: Post) -> Iterator[Complaint]:
    for port in post.machine.ports:
        if "realman_driver" not in port.command:
            who = f"process {port.pid} ({port.command[:60]})" if port.pid else "a process of another account"
            what = f"UDP port {port.number}, where an arm's state comes in, is held by {who}."
            yield Level.ERROR, what, f"kill {port.pid or 'it'}, or give the driver another udp_port"


def _stale_processes(post: Post) -> Iterator[Complaint]:
    here = [process for process in post.machine.processes if process.domain == post.domain]
    for process in here:
        if process.orphaned:
            yield Level.ERROR, f"{process.name} (process {process.pid}) outlived its launch.", f"kill {process.pid}"
    launchers = sorted({process.launcher for process in here if not process.orphaned})
    # The SDK's child has its driver as parent, not a launcher.
    launchers = [pid for pid in launchers if pid not in {process.pid for process in here}]
    if len(launchers) > 1:
        counts = ", ".join(f"{pid} ({sum(p.launcher == pid for p in here)} nodes)" for pid in launchers)
        what = f"Nodes of {len(launchers)} launches run in ROS domain {post.domain}: processes {counts}."
        yield Level.ERROR, what, f"kill -INT {launchers[0]}, or another of them"


MACHINE_CHECKS: dict[str, Check[Post]] = {
    "python": _python,
    "versions": _versions,
    "hand_sdk": _hand_sdk,
    "middleware": _middleware,
    "dds_profile": _dds_profile,
    "shared_memory": _shared_memory,
    "realtime_rights": _realtime,
    "cpu_governor": _governor,
    "load": _load,
    "memory": _memory,
    "disk": _disk,
    "clock": _clock,
    "ports": _ports,
    "stale_processes": _stale_processes,
}
