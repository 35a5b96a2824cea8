"""A robot PC has ROS from apt and a Python of the system that knows nothing of this project.

A stand-in takes the place of /opt/ros/jazzy: the same packages at a prefix that a setup file puts on the paths. The
project is copied, built there by the system's Python, and every node of the launch files is started.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(900)  # builds fifteen packages: under a minute where nothing else runs

INTERFACES = ("vitra_msgs", "tf2_msgs", "control_msgs")  # built once, by C++: not again here
PROGRAMS = sorted(
    {
        (node.attrib["pkg"], node.attrib["exec"])
        for file in (Path(__file__).parents[1] / "launch").glob("*.launch.xml")
        for node in ET.parse(file).getroot().iter("node")
    }
)


def system_ros(prefix: Path, root: Path) -> str:
    """Make the prefix; returns its setup file."""
    packages = sysconfig.get_path("purelib")
    interfaces = [root / "ros2_ws/install" / name for name in INTERFACES]
    interfaces = [path for path in interfaces if path.is_dir()]
    python = [packages, *(str(path / Path(packages).relative_to(sys.prefix)) for path in interfaces)]
    libraries = [os.environ.get("LD_LIBRARY_PATH", ""), *(str(path / "lib") for path in interfaces)]
    prefixes = ":".join([sys.prefix, *map(str, interfaces)])
    prefix.mkdir(parents=True)
    (prefix / "setup.bash").write_text(
        f"export ROS_DISTRO=jazzy ROS_VERSION=2 AMENT_PREFIX_PATH={prefixes} CMAKE_PREFIX_PATH={prefixes}\n"
        f"export PYTHONPATH={':'.join(python)} LD_LIBRARY_PATH={':'.join(libraries)} _ROS_WHEELS_BOOTSTRAP_COMPLETE=1\n"
    )
    return str(prefix / "setup.bash")


@pytest.fixture(scope="module")
def pc(tmp_path_factory: pytest.TempPathFactory, repo_root: Path):
    """Runs a bash line on the PC, in the project's folder."""
    home = tmp_path_factory.mktemp("robot_pc")
    project = home / "vitra"
    unwanted = shutil.ignore_patterns("build", "install", "log", "__pycache__", "*.egg-info", "bringup", "description")
    for folder in ("ros2_ws", "launch", "urdf", "requirements"):
        shutil.copytree(repo_root / folder, project / folder, ignore=unwanted)
    for link, target in (("bringup", "../launch"), ("description", "../urdf")):
        (project / "ros2_ws" / link).symlink_to(target)
    setup = system_ros(home / "opt/ros/jazzy", repo_root)
    python = Path(sys.base_prefix) / "bin/python3"
    subprocess.run([python, "-m", "venv", "--system-site-packages", "--without-pip", project / ".venv"], check=True)
    (site,) = (project / ".venv/lib").glob("python*/site-packages")
    # What `make setup` installs with pip; the project's own packages last.
    packages = sysconfig.get_path("purelib")
    (site / "installed.pth").write_text(f"{project / 'urdf'}\nimport site; site.addsitedir({packages!r})\n")
    environment = {"HOME": str(home), "PATH": f"{python.parent}:/usr/bin:/bin", "LANG": "C.UTF-8"}

    def run(line: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["bash", "-c", f". {setup}; {line}"], cwd=project, env=environment, capture_output=True, text=True
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def built(pc):
    """The same, after `requirements/build.sh`."""
    pc(f"requirements/build.sh --packages-skip {' '.join(INTERFACES)}")
    return pc


def test_the_system_s_python_does_not_know_the_project(pc) -> None:
    assert "vitra_policy" in pc("python3 -c 'import rclpy; import vitra_policy'", check=False).stderr


@pytest.mark.parametrize("folder", [".", "ros2_ws"])
def test_plain_colcon_finds_every_package_once_and_no_stand_in(pc, repo_root: Path, folder: str) -> None:
    found = pc(f"cd {folder} && python3 -m colcon list --names-only").stdout.split()
    sources = [*(repo_root / "ros2_ws/src").glob("*/package.xml"), *repo_root.glob("[lu]*/package.xml")]
    assert sorted(found) == sorted(ET.parse(path).getroot().findtext("name") for path in sources)


def test_plain_colcon_builds_programs_that_take_the_python_on_the_path(pc) -> None:
    pc("python3 -m colcon build --packages-select vitra_runtime vitra_camera --install-base plain --build-base plain_b")
    program = pc("head -1 plain/vitra_camera/lib/vitra_camera/head_camera").stdout
    assert program == "#!/usr/bin/env python3\n"


def test_the_stand_ins_for_message_packages_do_not_cover_the_system_s(built) -> None:
    assert not {"tf2_msgs", "control_msgs"} & set(built("ls ros2_ws/install").stdout.split())


def test_every_node_starts(built) -> None:
    """Each is given a parameter that it must refuse: then its Python, its imports and ROS work."""
    missing = {}
    for package, program in PROGRAMS:
        command = f"ros2_ws/install/{package}/lib/{package}/{program} --ros-args -p no_such_parameter:=1"
        done = built(f". requirements/env.sh; {command}", check=False)
        if done.returncode != 2 or "no_such_parameter" not in done.stdout + done.stderr:
            missing[program] = done.stdout[-500:] + done.stderr[-1500:]
    assert missing == {}
