#!/usr/bin/env bash
# Opens a converted LeRobot data set with the real `lerobot` in an environment of its own (Python 3.12).
#   requirements/open-lerobot.sh runs/teleop-demo/converted/lerobot
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
data="$(realpath "${1:?give the folder of a LeRobot data set}")"
env="$root/.venv-lerobot"
if ! "$env/bin/python" -c 'import lerobot' 2>/dev/null; then
  "${PYTHON312:-python3.12}" -m venv "$env"
  "$env/bin/pip" install -q --disable-pip-version-check ${PIP_TORCH_ARGS:-} 'lerobot>=0.4,<0.6'
fi
"$env/bin/python" - "$data" <<'P'
import json, sys
from pathlib import Path
import pyarrow.parquet as pq
from lerobot.datasets.lerobot_dataset import LeRobotDataset

root = Path(sys.argv[1])
data = LeRobotDataset("local/check", root=root)
info = json.loads((root / "meta/info.json").read_text())
rows = [row for file in sorted(root.glob("data/*/*.parquet")) for row in pq.read_table(file, columns=["timestamp", "episode_index"]).to_pylist()]
assert len(data) == info["total_frames"] == len(rows), (len(data), info["total_frames"], len(rows))
for number in sorted({0, len(data) // 2, len(data) - 1}):
    item = data[number]
    assert abs(float(item["timestamp"]) - rows[number]["timestamp"]) < 1e-4
    assert int(item["episode_index"]) == rows[number]["episode_index"]
    assert item["observation.images.head_camera"].ndim == 3
print(f"lerobot opened {root}: {data.num_episodes} episodes, {len(data)} frames at {data.fps} Hz")
P
