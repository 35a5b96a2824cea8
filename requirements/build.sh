#!/usr/bin/env bash
# Build the ROS packages with colcon into ros2_ws/install (Python packages are symlinked: edits are live).
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
cd "$root/ros2_ws"
exec 9>"$root/ros2_ws/.build.lock"
flock 9

base_paths=(src ../launch ../urdf)
if [ -d "$root/.venv/share/ament_index" ]; then
  # ROS 2 from PyPI wheels: the venv is the underlay.
  venv="$root/.venv"
  base_paths+=(wheels_only)
  include="$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')"
  numpy_include="$("$venv/bin/python" -c 'import numpy; print(numpy.get_include())')"
  # The wheels' CMake exports name the headers of the machine that built them.
  { grep -rlE '/opt/python/cp3' "$venv/share" --include='*.cmake' || true; } | xargs -r sed -i -E \
    -e "s#/opt/python/cp3[0-9]+-cp3[0-9]+/include/python3\.[0-9]+#$include#g" \
    -e "s#/opt/python/cp3[0-9]+-cp3[0-9]+/lib/python3\.[0-9]+/site-packages/numpy/(_core|core)/include#$numpy_include#g"
  unset PYTHONPATH
  export PATH="$venv/bin:$PATH" VIRTUAL_ENV="$venv" AMENT_PREFIX_PATH="$venv" CMAKE_PREFIX_PATH="$venv"
  LD_LIBRARY_PATH="$("$venv/bin/python" -c 'import os; print(os.environ["LD_LIBRARY_PATH"])')"
  export LD_LIBRARY_PATH
fi
export PYTHONWARNINGS="ignore"
colcon --log-level error build --continue-on-error --symlink-install --base-paths "${base_paths[@]}" \
  --event-handlers console_direct- console_cohesion- desktop_notification- \
  --cmake-args -DBUILD_TESTING=OFF -DCMAKE_CXX_FLAGS=-O1 -DCMAKE_C_FLAGS=-O1 -Wno-dev "$@"
