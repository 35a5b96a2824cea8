#!/usr/bin/env bash
# Everything a bare machine needs, once: Debian libraries (when root), .venv, the ROS packages. Safe to interrupt, to run
# again and to run twice at once; does nothing when nothing changed.
#   requirements/setup.sh            what the robot, the simulation and training need
#   requirements/setup.sh --tests    and what tests and lint need (pytest, mypy, ruff, playwright, ...)
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
cd "$root"
tests=0
[ "${1:-}" = --tests ] && tests=1
say() { printf '\033[1m[setup]\033[0m %s\n' "$*" >&2; }
die() { printf '[setup] %s\n' "$*" >&2; exit 1; }

[ "$(uname -s)-$(uname -m)" = "Linux-x86_64" ] ||
  die "This machine is $(uname -s) $(uname -m). The ROS 2, MuJoCo and arm SDK wheels exist for Linux x86_64 only."

# Build files of ROS' message generators do not quote their paths.
case "$root" in *[[:space:]]*) die "The folder '$root' has a space in its name, in which ROS 2 message packages do not build. Move the project to a folder without spaces." ;; esac

mkdir -p .setup
exec 8>.setup/setup.lock
flock -n 8 || { say "another make setup is at work here; waiting for it"; flock 8; }

python="${PYTHON:-}"
if [ -z "$python" ] && [ -x .venv/bin/python ]; then
  python=.venv/bin/python # as before
elif [ -z "$python" ]; then
  for candidate in python3 python3.11 python3.12; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
      python="$candidate"; break
    fi
  done
fi
[ -n "$python" ] || die "No Python 3.11 or 3.12 found (python3 is $(python3 --version 2>&1 || echo absent)). Install one, or name it: make setup PYTHON=/path/to/python3.11"
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null ||
  die "PYTHON=$python is $("$python" --version 2>&1 || echo "not there"), but ROS 2 Jazzy's packages exist for Python 3.11 and 3.12."
version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
home_of() { "$1" -c 'import os, sys; print(os.path.realpath(sys.base_prefix), "%d.%d.%d" % sys.version_info[:3])'; }
if [ -e .venv ] && [ "$(home_of .venv/bin/python 2>/dev/null || true)" != "$(home_of "$python")" ]; then
  say ".venv was made by another Python ($(home_of .venv/bin/python 2>/dev/null || echo none)); making it again with $(home_of "$python")"
  python="$("$python" -c 'import os, sys; print(os.path.join(sys.base_prefix, "bin", "python%d.%d" % sys.version_info[:2]))')"
  rm -rf .venv ros2_ws/build ros2_ws/install .setup/requirements .setup/build
fi

# Where ROS 2 Jazzy is sourced (a robot PC), it is used instead of the wheels.
ros=wheels
if [ "${ROS_DISTRO:-}" = jazzy ] && "$python" -c 'import rclpy' 2>/dev/null && [ ! -d .venv/share/ament_index ]; then
  ros=system
elif [ -n "${ROS_DISTRO:-}" ] && [ "${ROS_DISTRO}" != jazzy ]; then
  die "ROS 2 '${ROS_DISTRO}' is sourced, but this stack is built on Jazzy. Source /opt/ros/jazzy/setup.bash, or open a shell without ROS to use the wheels."
fi

# Debian libraries: software rendering, USB for the camera SDK, and what colcon compiles with.
missing=()
libraries="$(PATH="$PATH:/usr/sbin:/sbin" ldconfig -p)"
need() { [[ "$libraries" == *"$1"* ]] || missing+=("$2"); }
need libOSMesa.so libosmesa6
need libusb-1.0.so.0 libusb-1.0-0
need libgomp.so.1 libgomp1
command -v cmake >/dev/null || missing+=(cmake)
command -v g++ >/dev/null || missing+=(g++)
command -v make >/dev/null || missing+=(make)
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing Debian packages: ${missing[*]}"
    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
      die "apt-get could not install: ${missing[*]}. Install them by hand and run make setup again."
  else
    say "missing Debian packages: sudo apt-get install ${missing[*]}"
  fi
fi

# PyPI's torch brings gigabytes of CUDA libraries; without a GPU the CPU build is taken, or nothing.
torch=2.13.0
install_torch() {
  local has_torch
  has_torch="$(.venv/bin/python -c 'import importlib.metadata as m; print(m.version("torch").split("+")[0])' 2>/dev/null || true)"
  [ "$has_torch" = "$torch" ] && return
  if [ -e /proc/driver/nvidia/version ] || [ "${TORCH:-}" = cuda ]; then
    pip install "torch==$torch"
  elif ! .venv/bin/python -m pip --disable-pip-version-check install "torch==$torch+cpu" \
    --extra-index-url https://download.pytorch.org/whl/cpu >>.setup/pip.log 2>&1; then
    die "No GPU here, and the CPU build torch==$torch+cpu for Python $version was not found (is download.pytorch.org reachable?). 'make setup TORCH=cuda' takes the build with CUDA, 5 GB more."
  fi
}
lock="requirements/lock-$version.txt"
files=(requirements/ros.txt requirements/stack.txt)
had_tests=0
[ -f .setup/tests ] && had_tests=1
[ "$tests$had_tests" = 00 ] || { tests=1; files+=(requirements/dev.txt); }
[ "$ros" = wheels ] && files+=(requirements/view.txt) # needs numpy 2; ROS 2 from apt has numpy 1.26
[ -f "$lock" ] && files+=("$lock")
wanted="$version $ros $(cat "${files[@]}" vitra_policy/pyproject.toml vitra_training/pyproject.toml urdf/setup.py | sha256sum | cut -c1-16)"
if [ "$(cat .setup/requirements 2>/dev/null || true)" != "$wanted" ] || [ ! -x .venv/bin/python ]; then
  rm -f .setup/requirements
  if [ ! -x .venv/bin/pip ]; then
    say "creating .venv with Python $version (ROS 2: $ros)"
    rm -rf .venv
    if [ "$ros" = system ]; then "$python" -m venv --system-site-packages .venv; else "$python" -m venv .venv; fi
  fi
  constraint=()
  [ -f "$lock" ] && [ "$ros" = wheels ] && constraint=(-c "$lock")
  pip() { .venv/bin/python -m pip --disable-pip-version-check "$@" >>.setup/pip.log 2>&1 || { tail -n 20 .setup/pip.log >&2; die "pip failed; the whole log is .setup/pip.log"; }; }
  say "installing Python packages (log: .setup/pip.log; 5 minutes and 4 GB the first time)"
  install_torch
  [ "$ros" = wheels ] && pip install -r requirements/ros.txt -r requirements/view.txt "${constraint[@]}"
  [ "$ros" = system ] && pip install colcon-common-extensions==0.3.0 'setuptools<80' "${constraint[@]}"
  pip install -r requirements/stack.txt "${constraint[@]}"
  if [ "$tests" = 1 ]; then
    pip install -r requirements/dev.txt "${constraint[@]}"
    touch .setup/tests
  fi
  pip install --no-build-isolation --no-deps -e vitra_policy -e vitra_training -e urdf
  [ "$ros" = system ] && touch .venv/COLCON_IGNORE
  echo "$wanted" >.setup/requirements
fi
"$root/requirements/build.sh"
