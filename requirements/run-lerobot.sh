#!/usr/bin/env bash
# One episode of a policy of ours in the simulated robot, run by the real `lerobot-eval` (docs/neighbours/lerobot.md).
#   requirements/run-lerobot.sh CHECKPOINT OUT [more options of lerobot-eval]
# Needs the environment of open-lerobot.sh (.venv-lerobot, LEROBOT_ENV=) and puts into it what simulation and plugins take.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
checkpoint="$(realpath "${1:?give a checkpoint, for example one that vitra-policy new-mini wrote}")"
out="${2:?give a folder for the results}"
shift 2
env="${LEROBOT_ENV:-$root/.venv-lerobot}"
[ -x "$env/bin/lerobot-eval" ] || { echo "no lerobot in $env: run requirements/open-lerobot.sh first" >&2; exit 1; }
if ! "$env/bin/python" -c 'import lerobot_policy_vitra, lerobot_env_vitra, mujoco, pinocchio' 2>/dev/null; then
  "$env/bin/python" -m pip install -q --disable-pip-version-check pin mujoco scipy msgpack websockets pyyaml tokenizers \
    safetensors pillow gymnasium
  "$env/bin/python" -m pip install -q --disable-pip-version-check --no-deps "$root/vitra_policy" "$root/urdf" \
    "$root/neighbours/lerobot_policy_vitra" "$root/neighbours/lerobot_env_vitra"
fi
src="$root/ros2_ws/src"
PYTHONPATH="$root/vitra_policy:$root/urdf:$src/vitra_sim:$src/vitra_control:$src/vitra_retarget:$src/vitra_runtime" \
  MUJOCO_GL="${MUJOCO_GL:-osmesa}" HF_HUB_OFFLINE=1 "$env/bin/lerobot-eval" \
  --policy.type=vitra --policy.options="checkpoint=$checkpoint,steps=2,guidance=1,mode=parity,device=cpu" \
  --policy.push_to_hub=false --policy.device=cpu --env.type=vitra --eval.n_episodes=1 --eval.batch_size=1 \
  --eval.use_async_envs=false --output_dir="$out" "$@"
