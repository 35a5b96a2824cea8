#!/usr/bin/env bash
# The hand networks of the labeling pipeline's CPU default: two TFLite files out of the wheel of MediaPipe 0.10.21
# (Apache-2.0), the last that carries them. Nothing of MediaPipe is installed: OpenVINO runs the networks.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
target="${VITRA_HAND_MODELS:-$root/.models/mediapipe-0.10.21}"
sums="1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54  palm_detection_full.tflite
11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3  hand_landmark_full.tflite"
if [ -d "$target" ] && (cd "$target" && sha256sum --quiet --check <<<"$sums") 2>/dev/null; then exit 0; fi
python="$root/.venv/bin/python"
[ -x "$python" ] || python="${PYTHON:-python3}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# The networks are the same in the wheel of every Python version.
"$python" -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 \
  --platform manylinux_2_28_x86_64 --dest "$work" 'mediapipe==0.10.21'
mkdir -p "$target"
"$python" - "$work" "$target" <<'PYTHON'
import pathlib, sys, zipfile
wheel = next(pathlib.Path(sys.argv[1]).glob("mediapipe-*.whl"))
with zipfile.ZipFile(wheel) as archive:
    for name in ("palm_detection/palm_detection_full.tflite", "hand_landmark/hand_landmark_full.tflite"):
        (pathlib.Path(sys.argv[2]) / name.split("/")[1]).write_bytes(archive.read(f"mediapipe/modules/{name}"))
PYTHON
(cd "$target" && sha256sum --quiet --check <<<"$sums")
echo "hand networks: $target" >&2
