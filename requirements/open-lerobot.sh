#!/usr/bin/env bash
# Opens a converted LeRobot data set with the real `lerobot` and compares every frame, time and number with our readers.
#   requirements/open-lerobot.sh runs/teleop-demo/converted/lerobot
# lerobot needs Python 3.12 (PYTHON312=/path/to/python3.12) and gets an environment of its own, .venv-lerobot (LEROBOT_ENV=).
# Where PyTorch's own index can be reached, PIP_TORCH_ARGS='--extra-index-url https://download.pytorch.org/whl/cpu' saves
# the CUDA libraries (8 GB in all without it).
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
data="$(realpath -m "${1:?give the folder of a LeRobot data set, for example runs/teleop-demo/converted/lerobot}")"
[ -f "$data/meta/info.json" ] || { echo "$data: no LeRobot data set (no meta/info.json); vitra-data convert DATA OUT \
--format lerobot writes one" >&2; exit 1; }
env="${LEROBOT_ENV:-$root/.venv-lerobot}"
if ! "$env/bin/python" -c 'import lerobot, h5py' 2>/dev/null; then
  "${PYTHON312:-python3.12}" -m venv "$env"
  "$env/bin/python" -m pip install -q --disable-pip-version-check ${PIP_TORCH_ARGS:-} 'lerobot[dataset]==0.6.1' h5py==3.16.0
fi
HF_HUB_OFFLINE=1 PYTHONWARNINGS=ignore PYTHONPATH="$root/vitra_policy:$root/vitra_training" \
  "$env/bin/python" "$root/requirements/open_lerobot.py" "$data"
