"""Every package.xml says what its package needs, who looks after it, and under which licence."""

from __future__ import annotations

import ast
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    path.parent: ET.parse(path).getroot()
    for path in [*(ROOT / "ros2_ws/src").glob("*/package.xml"), ROOT / "launch/package.xml", ROOT / "urdf/package.xml"]
}
NAMES = {root.findtext("name"): folder for folder, root in PACKAGES.items()}
KEYS = {
    "numpy": "python3-numpy", "scipy": "python3-scipy", "yaml": "python3-yaml", "cv2": "python3-opencv",
    "PIL": "python3-pil", "aiohttp": "python3-aiohttp", "psutil": "python3-psutil", "msgpack": "python3-msgpack",
    "websockets": "python3-websockets", "rich": "python3-rich", "matplotlib": "python3-matplotlib",
    "pinocchio": "pinocchio", "xacro": "xacro", "rclpy": "rclpy", "ament_index_python": "ament_index_python",
    "tqdm": "python3-tqdm", "vitra_safety": "vitra_description", "vitra_launch": "vitra_bringup",
}  # fmt: skip
"""rosdep key, or package, of a module whose name differs, or that is not from this project."""
ROS = {
    "sensor_msgs", "std_msgs", "geometry_msgs", "std_srvs", "rcl_interfaces", "builtin_interfaces", "diagnostic_msgs",
    "visualization_msgs", "lifecycle_msgs", "action_msgs", "tf2_msgs", "trajectory_msgs", "control_msgs",
}  # fmt: skip
BY_PIP = {
    "vitra_policy", "vitra_training", "mujoco", "ruckig", "tyro", "rosbags", "torch", "pyrealsense2", "Robotic_Arm",
    "av", "h5py", "pyarrow", "dex_retargeting", "mediapipe", "xhand_controller", "rerun", "huggingface_hub",
    "coal", "segno", "quadprog", "pink", "pyspacemouse", "avp_stream", "onnxruntime", "google", "safetensors",
}  # fmt: skip
"""No rosdep key: `make setup` installs them (requirements/stack.txt), or their page says how."""


def modules(folder: Path) -> Iterator[str]:
    """Top-level modules that the code below a folder imports, tests left out."""
    for path in sorted(folder.rglob("*.py")):
        if {"tests", "build", "benchmarks"} & set(path.relative_to(folder).parts) or path.name == "setup.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                yield node.module.split(".")[0]


def depends(root: ET.Element) -> set[str]:
    return {str(e.text) for kind in ("depend", "exec_depend", "build_depend") for e in root.findall(kind)}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_import_is_declared(name: str) -> None:
    folder = NAMES[name]
    used = set(modules(folder)) - sys.stdlib_module_names - {p.parent.name for p in folder.glob("*/__init__.py")}
    used -= BY_PIP | {name}
    keys = {KEYS.get(module, module) for module in used} - {name}
    unknown = keys - set(NAMES) - ROS - set(KEYS.values())
    assert unknown == set(), "give each a rosdep key here, or a line in requirements/stack.txt"
    assert keys - depends(PACKAGES[folder]) == set()


@pytest.mark.parametrize("name", sorted(NAMES))
def test_nothing_of_this_project_is_declared_that_does_not_exist(name: str) -> None:
    ours = {d for d in depends(PACKAGES[NAMES[name]]) if d.startswith(("vitra_", "realman_", "xhand_"))}
    assert ours <= set(NAMES)


def test_what_pip_installs_is_in_the_requirements() -> None:
    text = (ROOT / "requirements/stack.txt").read_text().lower().replace("-", "_")
    optional = {
        "vitra_policy", "vitra_training", "mediapipe", "xhand_controller", "pyspacemouse", "avp_stream", "rerun",
        "coal", "quadprog", "pink", "google",
    }  # fmt: skip
    used = {module for folder in PACKAGES for module in modules(folder)}
    assert {m for m in BY_PIP & used - optional if not re.search(rf"^{m.lower()}\b", text, re.M)} == set()


def test_the_bringup_depends_on_what_its_launch_files_start() -> None:
    started = {
        node.attrib["pkg"]
        for file in (ROOT / "launch").glob("*.launch.xml")
        for node in ET.parse(file).getroot().iter("node")
    }
    assert started - depends(PACKAGES[ROOT / "launch"]) == set()


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_person_and_a_licence_stand_in_every_package(name: str) -> None:
    root = PACKAGES[NAMES[name]]
    assert root.findtext("license") == "MIT"
    maintainer = root.find("maintainer")
    assert maintainer is not None
    assert maintainer.text == "VITRA stack maintainers"
    assert maintainer.attrib["email"] == "maintainers@vitra-stack.example.org"
    setup = NAMES[name] / "setup.py"
    if setup.exists():
        assert 'license="MIT"' in setup.read_text()
        assert 'maintainer="VITRA stack maintainers"' in setup.read_text()


@pytest.mark.parametrize("folder", [*PACKAGES, ROOT / "vitra_policy", ROOT / "vitra_training"], ids=lambda f: f.name)
def test_a_page_about_itself_stands_in_every_package(folder: Path) -> None:
    if folder.name == "tf2_msgs":
        return
    lines = (folder / "README.md").read_text().splitlines()
    assert lines[0].startswith("# ")
    assert len(lines) > 4


def test_all_packages_have_one_version() -> None:
    found = {
        name: root.findtext("version") for name, root in ((folder.name, root) for folder, root in PACKAGES.items())
    }
    for folder in PACKAGES:
        if (folder / "setup.py").exists():
            found[f"{folder.name}/setup.py"] = re.findall(r'version="([^"]+)"', (folder / "setup.py").read_text())[0]
    for name in ("vitra_policy", "vitra_training"):
        found[name] = re.findall(r'^version = "([^"]+)"', (ROOT / name / "pyproject.toml").read_text(), re.M)[0]
    assert len(set(found.values())) == 1, found


def test_every_command_says_its_own_name_and_not_where_it_lies() -> None:
    unnamed = []
    for path in sorted(ROOT.rglob("*.py")):
        folders = path.relative_to(ROOT).parent.parts
        if {"tests", "benchmarks", "build", "install"}.intersection(folders) or any(f.startswith(".") for f in folders):
            continue
        calls = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
        parsers = [call for call in calls if re.fullmatch(r"tyro\.(\w+\.)?\w*cli\w*", ast.unparse(call.func))]
        unnamed += [f"{path.relative_to(ROOT)}:{call.lineno}" for call in parsers
                    if "prog" not in {keyword.arg for keyword in call.keywords}]  # fmt: skip
    assert unnamed == []
