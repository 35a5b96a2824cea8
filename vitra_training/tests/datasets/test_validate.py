from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitra_training.datasets.convert import Format, convert
from vitra_training.datasets.episode import HumanEpisode, TextWindow
from vitra_training.datasets.errors import BrokenPromiseError
from vitra_training.datasets.formats import vitra_1m
from vitra_training.datasets.preview import write_preview
from vitra_training.datasets.samples.motion import checked_motion
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.validate import Level, validate_episode
from vitra_training.datasets.video import VideoReader


def test_generated_episodes_keep_every_promise(human: EpisodeSource, store: EpisodeSource) -> None:
    for source in (human, store):
        for number in range(len(source)):
            report = validate_episode(source, number)
            assert report.findings == ()
            assert "world and camera agree" in report.checks
            assert report.usable_frames > 10


def hand(episode: HumanEpisode, **changes: Any) -> HumanEpisode:
    side = episode.anno_type
    changed = {name: change(getattr(episode.hands[side], name).copy()) for name, change in changes.items()}
    return replace(episode, hands={**episode.hands, side: replace(episode.hands[side], **changed)})


def put_nan(values: np.ndarray) -> np.ndarray:
    values[3] = np.nan
    return values


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda e: hand(e, global_orient_worldspace=lambda v: v * 1.01), "rotations"),
        (lambda e: hand(e, hand_pose=lambda v: v[..., ::-1]), "rotations"),
        (lambda e: hand(e, transl_worldspace=put_nan), "finite"),
        (lambda e: hand(e, joints_camspace=lambda v: v + 0.001), "world and camera agree"),
        (lambda e: hand(e, transl_worldspace=lambda v: v + 0.001), "wrist joint"),
        (lambda e: hand(e, kept_frames=lambda v: v * 0), "valid hand"),
        (lambda e: replace(e, text={"left": (), "right": ()}), "captions"),
        (lambda e: replace(e, text={**e.text, "left": (TextWindow("x", 0, 9999),)}), "captions"),
        (lambda e: replace(e, extrinsics=e.extrinsics @ np.diag([1, 1, -1, 1.0])), "rotations"),
        (lambda e: replace(e, video_decode_frame=e.video_decode_frame + 100_000), "video frames"),
        (lambda e: replace(e, intrinsics=np.full((3, 3), np.nan)), "WrongShapeError"),
    ],
)
def test_each_broken_promise_is_found(
    human: EpisodeSource, human_dir: Path, tmp_path: Path, change: Any, check: str
) -> None:
    episode = next(e for n in range(len(human)) if _only_one_hand(e := human.load(n).episode))  # type: ignore[arg-type]
    path = vitra_1m.write_episode(change(episode), tmp_path)
    report = validate_episode(open_source(path, video_root=human_dir), 0)
    found = {finding.check for finding in report.findings if finding.level is Level.ERROR}
    assert check in found
    assert not report.ok


def _only_one_hand(episode: HumanEpisode) -> bool:
    other = "left" if episode.anno_type == "right" else "right"
    return not episode.hands[other].kept_frames.any()  # type: ignore[index]


def test_a_jump_is_a_warning_only(human: EpisodeSource, human_dir: Path, tmp_path: Path) -> None:
    episode = human.load(0).episode
    assert isinstance(episode, HumanEpisode)
    side = episode.anno_type
    shift = np.zeros((len(episode), 1))
    shift[5:] = 0.5
    h = episode.hands[side]
    camera_shift = np.einsum("tij,j->ti", episode.extrinsics[:, :3, :3], [1.0, 0, 0]) * shift
    moved = replace(
        h,
        transl_worldspace=h.transl_worldspace + shift * [1.0, 0, 0],
        joints_worldspace=h.joints_worldspace + shift[:, None] * [1.0, 0, 0],
        joints_camspace=h.joints_camspace + camera_shift[:, None],
    )
    path = vitra_1m.write_episode(replace(episode, hands={**episode.hands, side: moved}), tmp_path)
    report = validate_episode(open_source(path, video_root=human_dir), 0)
    assert report.ok
    assert "wrist path" in {finding.check for finding in report.findings}


def test_the_preview_draws_on_every_frame(human: EpisodeSource, robot: EpisodeSource, tmp_path: Path) -> None:
    for name, source in (("human", human), ("robot", robot)):
        recording = source.load(0)
        path = write_preview(recording, tmp_path / f"{name}.mp4")
        with VideoReader(path) as drawn, VideoReader(recording.video.path) as original:
            assert len(drawn) == len(recording.episode)
            import cv2

            plain = cv2.resize(original.rgb(int(recording.video.frames[3])), (drawn.width, drawn.height))
            changed = np.abs(drawn.rgb(3).astype(int) - plain.astype(int)).max(axis=2) > 60
            assert 0.002 < changed.mean() < 0.5


@pytest.mark.parametrize("kind", ["human", "robot"])
def test_damaged_bytes_end_in_a_named_error_and_nothing_else(
    human_dir: Path, robot_dir: Path, tmp_path: Path, kind: str
) -> None:
    original = next((human_dir / "annotations").glob("*.npy")) if kind == "human" else robot_dir / "demo1.h5"
    whole, path = original.read_bytes(), tmp_path / original.name
    if kind == "robot":
        (tmp_path / "demo1.mp4").write_bytes((robot_dir / "demo1.mp4").read_bytes())
    rng = np.random.default_rng(0)
    broken = 0
    for attempt in range(80):
        content = bytearray(whole[: rng.integers(len(whole))] if attempt % 3 == 0 else whole)
        for place in rng.integers(0, max(min(len(content), 4000), 1), 20):
            if content:
                content[place] = rng.integers(256)
        path.write_bytes(bytes(content))
        source = open_source(path, video_root=human_dir if kind == "human" else None)
        broken += not validate_episode(source, 0).ok
        source.frame_index()
    assert broken > 40


def test_episodes_that_share_a_video_are_not_judged_by_its_length(robot: EpisodeSource, tmp_path: Path) -> None:
    assert not convert(robot, tmp_path / "store", Format.CANONICAL).failed
    store = open_source(tmp_path / "store")
    assert all(validate_episode(store, number).ok for number in range(len(store)))
    recording = store.load(0)
    with VideoReader(recording.video.path) as video:
        assert len(video) > len(recording.episode)
        checked_motion(recording, video)
        with pytest.raises(BrokenPromiseError, match="length and rate"):
            checked_motion(replace(recording, video=replace(recording.video, shared=False)), video)
