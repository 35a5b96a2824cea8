#!/usr/bin/env bash
# A policy of ours in the simulated robot, run by a command of the real `lerobot` (docs/neighbours/lerobot.md).
#   requirements/run-lerobot.sh lerobot-rollout CHECKPOINT [more options of the command]
#   requirements/run-lerobot.sh lerobot-eval CHECKPOINT [more options of the command]
# Needs the environment of open-lerobot.sh (.venv-lerobot, LEROBOT_ENV=) and puts into it what simulation and plugins take.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
command="${1:?lerobot-rollout or lerobot-eval}"
checkpoint="$(realpath -m "${2:?give a checkpoint, for example one that vitra-policy new-mini wrote}")"
[ -e "$checkpoint" ] || { echo "$checkpoint: no such checkpoint; 'vitra-policy new-mini' writes one to try" >&2; exit 1; }
shift 2
env="${LEROBOT_ENV:-$root/.venv-lerobot}"
[ -x "$env/bin/lerobot-eval" ] || { echo "no lerobot in $env: run requirements/open-lerobot.sh first" >&2; exit 1; }
policy=(--policy.type=vitra "--policy.options=checkpoint=$checkpoint,mode=parity" --policy.push_to_hub=false
  --policy.device=cpu)
[ ! -f "$checkpoint/policy_preprocessor.json" ] || policy=("--policy.path=$checkpoint")  # of lerobot_policy_vitra.package
case "$command" in
  lerobot-rollout) options=(--robot.type=vitra_sim --fps=30 --play_sounds=false) ;;
  lerobot-eval) options=(--env.type=vitra --eval.n_episodes=1 --eval.batch_size=1 --eval.use_async_envs=false
    "--output_dir=$root/runs/lerobot/eval") ;;
  *) echo "$command: lerobot-rollout or lerobot-eval" >&2; exit 2 ;;
esac
packages=("$root/neighbours/lerobot_policy_vitra" "$root/neighbours/lerobot_env_vitra" "$root/neighbours/lerobot_robot_vitra")
if ! "$env/bin/python" -c 'import importlib.metadata as m; [m.version(f"lerobot_{p}_vitra") for p in ("policy", "env", "robot")]
import mujoco, pinocchio, xacro, deepdiff, vitra_policy' 2>/dev/null; then
  "$env/bin/python" -m pip install -q --disable-pip-version-check 'lerobot[hardware]==0.6.1' pin==4.1.0 mujoco==4.0.0 scipy msgpack \
    websockets pyyaml tokenizers safetensors pillow gymnasium xacro
  "$env/bin/python" -m pip install -q --disable-pip-version-check --no-deps "$root/vitra_policy" "$root/urdf" "${packages[@]}"
fi
src="$root/ros2_ws/src" path="$root/vitra_policy:$root/urdf"
for package in "${packages[@]}" "$src/vitra_sim" "$src/vitra_control" "$src/vitra_retarget" "$src/vitra_runtime"; do
  path="$path:$package"
done
PYTHONPATH="$path" MUJOCO_GL="${MUJOCO_GL:-osmesa}" HF_HUB_OFFLINE=1 \
  "$env/bin/$command" "${policy[@]}" "${options[@]}" "$@"
