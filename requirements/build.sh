#!/usr/bin/env bash
# Build the ROS packages with colcon into ros2_ws/install (Python packages are symlinked: edits are live).
# Skips colcon when no interface, package description or data file changed; `requirements/build.sh --force` builds anyway.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
cd "$root/ros2_ws"
mkdir -p "$root/.setup"
exec 9>"$root/.setup/build.lock"
flock 9

force=0
if [ "${1:-}" = --force ]; then force=1; shift; fi
described() {
  find src wheels_only ../launch ../urdf -type f \( -name package.xml -o -name setup.py -o -name setup.cfg -o -name CMakeLists.txt \
    -o -name '*.msg' -o -name '*.srv' -o -name '*.action' \) -print0 | sort -z | xargs -0 sha256sum
  find src ../launch ../urdf -type f \( -name '*.xml' -o -name '*.yaml' -o -name '*.urdf' -o -name '*.xacro' \) | sort
}
wanted="$(described | sha256sum | cut -c1-16)"
if [ "$force" = 0 ] && [ $# = 0 ] && [ "$(cat "$root/.setup/build" 2>/dev/null || true)" = "$wanted" ] && [ -f install/setup.bash ]; then
  exit 0
fi
rm -f "$root/.setup/build"

base_paths=(src ../launch ../urdf)
python="$root/.venv/bin/python" # its colcon, and the Python that the packages are built with
[ -x "$python" ] || { echo "[build] no .venv: run make setup" >&2; exit 1; }
if [ -d "$root/.venv/share/ament_index" ]; then
  # ROS 2 from PyPI wheels: the venv is the underlay.
  venv="$root/.venv"
  base_paths+=(wheels_only/tf2_msgs wheels_only/control_msgs)
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
export PYTHONWARNINGS=ignore
printf '\033[1m[build]\033[0m ROS packages (colcon)\n' >&2
"$python" -m colcon --log-level error build --symlink-install --base-paths "${base_paths[@]}" \
  --event-handlers console_direct- desktop_notification- \
  --cmake-args -DBUILD_TESTING=OFF -DCMAKE_CXX_FLAGS=-O1 -DCMAKE_C_FLAGS=-O1 -Wno-dev "$@"
[ $# = 0 ] && echo "$wanted" >"$root/.setup/build"
exit 0
