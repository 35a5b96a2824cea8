"""Compares a LeRobot data set, as the real `lerobot` opens it, with what our own readers say; see open-lerobot.sh."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

from vitra_policy.action_space import SIDES
from vitra_training.datasets.sources import TeleData
from vitra_training.datasets.video import VideoReader

CAMERA = "observation.images.head_camera"
LEAST_PSNR_DB = 28.0
"""Between two separately encoded videos of the same image."""


def check(condition: bool, where: str, what: str) -> None:
    """End with a message unless something holds."""
    if not condition:
        sys.exit(f"open_lerobot: {where}: {what}")


def image_of(item: dict) -> np.ndarray:
    """RGB (H, W, 3) of what `lerobot` decoded: channels first, 0..1."""
    return np.rint(item[CAMERA].numpy() * 255).astype(np.uint8).transpose(1, 2, 0)


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    """Likeness of two images."""
    return float(10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-3)))


def compare_frames(data: LeRobotDataset, root: Path) -> int:
    """Every frame: pixels of our decoder bit for bit, time of its place in the file; returns how many."""
    info = json.loads((root / "meta/info.json").read_text())
    check(len(data) == info["total_frames"], str(root), f"{len(data)} frames, {info['total_frames']} written")
    for number in range(data.num_episodes):
        episode = data.meta.episodes[number]
        file = root / info["video_path"].format(
            video_key=CAMERA,
            chunk_index=episode[f"videos/{CAMERA}/chunk_index"],
            file_index=episode[f"videos/{CAMERA}/file_index"],
        )
        first = round(episode[f"videos/{CAMERA}/from_timestamp"] * data.fps)
        with VideoReader(file) as video:
            check(video.fps == data.fps, str(file), f"{video.fps} Hz, declared {data.fps}")
            for frame in range(episode["length"]):
                item = data[episode["dataset_from_index"] + frame]
                where = f"episode {number}, frame {frame}"
                check(
                    (int(item["episode_index"]), int(item["frame_index"])) == (number, frame), where, "numbers differ"
                )
                check(item["timestamp"].item() == np.float32(frame / data.fps), where, f"time {item['timestamp']}")
                check(np.array_equal(image_of(item), video.rgb(first + frame)), where, "pixels differ from ours")
    return len(data)


def compare_teledata(data: LeRobotDataset, folder: Path) -> float:
    """Every episode against its TeleData twin: numbers, words, and that images are of the same frames.

    Returns:
        The least likeness of an image with its twin [dB].
    """
    twins = TeleData(folder, sorted(folder.glob("*.h5")))
    check(len(twins) == data.num_episodes, str(folder), f"{len(twins)} episodes, lerobot has {data.num_episodes}")
    least_db = np.inf
    for number in range(len(twins)):
        twin, episode = twins.load(number), data.meta.episodes[number]
        robot, where = twin.episode, f"episode {number}, {twins.ids[number]}"
        check(len(robot) == episode["length"], where, f"{len(robot)} frames, lerobot has {episode['length']}")
        check(abs(robot.fps - data.fps) < 1.0, where, f"{robot.fps} Hz, lerobot says {data.fps}")
        sides = [robot.sides[side] for side in SIDES]
        state = np.concatenate([values for s in sides for values in (s.arm_joint, s.hand_joint)], axis=1)
        action = np.concatenate([values for s in sides for values in (s.arm_joint_target, s.hand_joint_target)], axis=1)
        with VideoReader(twin.video.path) as video:
            images = [video.rgb(frame) for frame in range(len(robot))]
        for frame in range(len(robot)):
            item = data[episode["dataset_from_index"] + frame]
            at = f"{where}, frame {frame}"
            for name, ours in (("observation.state", state), ("action", action)):
                check(np.array_equal(item[name].numpy(), ours[frame].astype(np.float32)), at, f"{name} differs")
            check(item["task"] == robot.instruction, at, f"'{item['task']}', TeleData says '{robot.instruction}'")
            likeness_db = psnr_db(image_of(item), images[frame])
            check(likeness_db > LEAST_PSNR_DB, at, f"another image than TeleData's ({likeness_db:.1f} dB)")
            least_db = min(least_db, likeness_db)
    return least_db


def main() -> None:
    """Compare and say what was found."""
    root = Path(sys.argv[1]).resolve()
    # The torchvision path of lerobot decodes with PyAV; its other one, torchcodec, wants FFmpeg's libraries installed.
    data = LeRobotDataset("local/check", root=root, video_backend="pyav")
    frames = compare_frames(data, root)
    sys.stdout.write(f"lerobot opened {root}: {data.num_episodes} episodes, {frames} frames at {data.fps} Hz\n")
    sys.stdout.write("pixels and times of all frames equal those of our reader\n")
    twin = root.parent / "teledata"
    if twin.is_dir():
        least_db = compare_teledata(data, twin)
        sys.stdout.write(f"state, action, words equal TeleData's; images at least {least_db:.1f} dB alike\n")


if __name__ == "__main__":
    main()
