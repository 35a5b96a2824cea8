# Source me: puts the virtual environment and the built ROS packages on the path. Safe to source twice.
_root="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)"
if [ -x "$_root/.venv/bin/python" ]; then
  export VIRTUAL_ENV="$_root/.venv"
  case ":$PATH:" in *":$VIRTUAL_ENV/bin:"*) ;; *) export PATH="$VIRTUAL_ENV/bin:$PATH" ;; esac
fi
if [ -f "$_root/ros2_ws/install/setup.bash" ]; then
  export COLCON_CURRENT_PREFIX="$_root/ros2_ws/install"
  _nounset=0; case $- in *u*) _nounset=1; set +u ;; esac
  . "$_root/ros2_ws/install/local_setup.bash"
  [ "$_nounset" = 1 ] && set -u
  unset COLCON_CURRENT_PREFIX _nounset
fi
for _package in vitra_bringup vitra_evaluation vitra_doctor vitra_calibration; do
  _lib="$_root/ros2_ws/install/$_package/lib/$_package"
  case ":$PATH:" in *":$_lib:"*) ;; *) export PATH="$_lib:$PATH" ;; esac
done
# ROS writes its logs below HOME, and its nodes do not start where they cannot.
if [ -z "${ROS_LOG_DIR:-}" ] && [ -z "${ROS_HOME:-}" ] && [ ! -w "${HOME:-/nonexistent}" ]; then export ROS_LOG_DIR="$_root/runs/ros_log"; fi
export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"
export FASTRTPS_DEFAULT_PROFILES_FILE="${FASTRTPS_DEFAULT_PROFILES_FILE:-$_root/launch/config/fastdds.xml}"
export MUJOCO_GL="${MUJOCO_GL:-osmesa}"
unset _root _lib _package
