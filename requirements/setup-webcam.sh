#!/usr/bin/env bash
# The environment of the webcam tracker: MediaPipe 0.10.21 (the last with its models inside) needs numpy 1.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
python="$root/.venv/bin/python"
[ -x "$python" ] || python="${PYTHON:-python3.11}"
if ! "$root/.venv-webcam/bin/python" -c 'import mediapipe, cv2' 2>/dev/null; then
  "$python" -m venv "$root/.venv-webcam"
  "$root/.venv-webcam/bin/pip" install -q --disable-pip-version-check 'mediapipe==0.10.21' 'numpy<2' pyrealsense2
fi
echo "webcam tracker: $root/.venv-webcam/bin/python ros2_ws/src/vitra_teleop/vitra_teleop/webcam_tracker.py --source 0"
