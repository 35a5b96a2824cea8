"""Episodes out of labels, in three formats that training and others read."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import invert_pose, make_pose, matrix_from_rotvec, transform_points
from vitra_training.datasets.sources import open_source
from vitra_training.datasets.validate import validate_episode
from vitra_training.datasets.video import VideoWriter
from vitra_training.labeling.artifacts import save
from vitra_training.labeling.assemble.write import Assembled, assemble
from vitra_training.labeling.captions.stage import CaptionedAction, Captions
from vitra_training.labeling.ingest.stage import IngestedVideo
from vitra_training.labeling.quality.executability import Executability
from vitra_training.labeling.quality.stage import Judgement, Judgements
from vitra_training.labeling.segmentation.stage import Action
from vitra_training.labeling.world.stage import WorldHands

FRAMES, WIDTH, HEIGHT = 60, 160, 120
K = np.array([[120.0, 0, WIDTH / 2], [0, 120, HEIGHT / 2], [0, 0, 1]])


@pytest.fixture(scope="module")
def world() -> WorldHands:
    """Two hands before a moving camera."""
    time = np.linspace(0, 1, FRAMES)
    head = make_pose(
        np.stack([0.1 * time, 0 * time, 0 * time], axis=1), matrix_from_rotvec(0.1 * time[:, None] * [0, 1.0, 0])
    )
    hands, points = [], []
    for side, x in (("left", -0.08), ("right", 0.08)):
        place = np.stack([x + 0.1 * time, 0.02 * time, np.full(FRAMES, 0.45)], axis=1)
        hands.append(make_pose(place, np.tile(matrix_from_rotvec([0.3, 0.2, 0.1]), (FRAMES, 1, 1))))
        points.append(default_skeleton().posed_keypoints(hands[-1], np.zeros((FRAMES, 45)), side))
    there = np.ones((2, FRAMES), dtype=bool)
    return WorldHands(
        fps=30.0, intrinsics=K, focal_source="given", camera_from_world=invert_pose(head),
        camera_known=np.ones(FRAMES, dtype=bool), world_of=np.zeros(FRAMES, dtype=np.int64), camera_source="klt+colmap",
        scale_source="hand size", scale_sigma_share=0.2, world_from_wrist=np.stack(hands),
        fingers_rad=np.zeros((2, FRAMES, 45)), keypoints_m=np.stack(points), valid=there, seen=there,
        confidence=np.full((2, FRAMES), 0.8), sigma_m=np.full((2, FRAMES), 0.01), side_certainty=np.array([0.9, 0.95]),
        tracker="made up 1", missing_clips=(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def written(world: WorldHands, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Assembled]:
    root = tmp_path_factory.mktemp("assembled")
    with VideoWriter(root / "v.mp4", WIDTH, HEIGHT, 30.0) as video:
        for frame in range(FRAMES):
            video.add(np.full((HEIGHT, WIDTH, 3), 3 * frame, dtype=np.uint8))
    ingested = IngestedVideo(root / "v.mp4", False, WIDTH, HEIGHT, 30.0, np.arange(FRAMES), np.ones(FRAMES, dtype=bool),
                             np.array([[0, FRAMES]]), ())  # fmt: skip
    actions = (
        CaptionedAction(Action("right", 0, 30), "Pick up the cup.", ("Grab the cup.",), "made-up model", ""),
        CaptionedAction(Action("right", 30, 60), "N/A", (), "made-up model", ""),
        CaptionedAction(Action("left", 10, 40), "Open the box.", (), "made-up model", ""),
        CaptionedAction(Action("left", 40, 60), "", (), "made-up model", "the server was gone"),
    )
    robot = Executability(0.75, 0.8, 0.9, 1.0, 0.1)
    judged = Judgements(
        (Judgement((), robot), Judgement((), robot), Judgement(("wrist jumps",), robot), Judgement((), robot))
    )
    folders = {}
    for stage, result in (
        ("ingest", ingested),
        ("world", world),
        ("captions", Captions(actions, 0, 0, 0)),
        ("quality", judged),
    ):
        folders[stage] = root / stage
        save(result, folders[stage])
    result = assemble(root / "episodes", "plain", {"v": folders}, previews=1)
    return root / "episodes", result


def test_good_episodes_are_kept_and_every_other_keeps_its_reason(written: tuple[Path, Assembled]) -> None:
    root, result = written
    assert (result.accepted, result.rejected) == (1, 3)
    rejected = json.loads((root / "rejected.json").read_text())
    assert sorted(reason for reasons in rejected.values() for reason in reasons) == [
        "no caption: no meaningful action", "no caption: the server was gone", "wrist jumps",
    ]  # fmt: skip
    assert len(list((root / "previews").glob("*.mp4"))) == 1


@pytest.mark.parametrize("where", [".", "store"])
def test_training_reads_them_unchanged(where: str, written: tuple[Path, Assembled], world: WorldHands) -> None:
    source = open_source(written[0] / where)
    assert len(source) == 1
    report = validate_episode(source, 0)
    assert [finding for finding in report.findings if finding.level == "error"] == []
    episode = source.load(0).episode
    hand = episode.hands["right"]  # type: ignore[union-attr]
    np.testing.assert_allclose(hand.transl_worldspace, world.world_from_wrist[1, :30, :3, 3], atol=1e-6)
    in_camera = transform_points(episode.extrinsics, np.asarray(hand.joints_worldspace))  # type: ignore[union-attr]
    np.testing.assert_allclose(hand.joints_camspace, in_camera, atol=1e-5)
    texts = {side: [(w.caption, w.start, w.end) for w in episode.text[side]] for side in ("left", "right")}  # type: ignore[union-attr]
    assert texts["right"] == [("Pick up the cup.", 0, 30)]
    assert texts["left"] == [("Open the box.", 10, 30)]  # two thirds of it lie inside


def test_each_episode_says_where_its_numbers_come_from(written: tuple[Path, Assembled]) -> None:
    labels = json.loads(next((written[0] / "labels").glob("*000000.json")).read_text())
    assert labels["hand"]["source"] == "made up 1"
    assert len(labels["hand"]["confidence"]) == 30
    assert labels["camera"]["source"] == "klt+colmap"
    assert labels["scale"] == {"source": "hand size", "sigma_share": 0.2}
    assert labels["caption"]["source"] == "made-up model"
    assert labels["robot"]["executable"] == 0.75
    assert labels["source_frames"] == list(range(30))


def test_egosmiths_shards_hold_one_sample_per_frame(written: tuple[Path, Assembled], world: WorldHands) -> None:
    with tarfile.open(written[0] / "egosmith" / "shard-000000.tar") as shard:
        files = {member.name: shard.extractfile(member).read() for member in shard}  # type: ignore[union-attr]
    keys = sorted({name.split(".")[0] for name in files})
    assert keys == [f"plain_ep000000_f{frame:06d}" for frame in range(30)]
    rows = np.stack([np.load(io.BytesIO(files[f"{key}.lowdim.npy"]), allow_pickle=False) for key in keys])
    assert rows.shape == (30, 116)
    assert rows.dtype == np.float32
    wrist = world.world_from_wrist[:, :30]
    np.testing.assert_allclose(rows[:, :6], wrist[:, :, :3, 3].transpose(1, 0, 2).reshape(30, 6), atol=1e-6)
    np.testing.assert_allclose(rows[:, 6:9], wrist[0, :, :3, 0], atol=1e-6)
    np.testing.assert_allclose(rows[:, 15:18], wrist[1, :, :3, 1], atol=1e-6)
    np.testing.assert_allclose(rows[:, 18:21], world.keypoints_m[0, :30, 4], atol=1e-6)  # the left thumb's tip
    np.testing.assert_allclose(rows[:-1, 48:96], rows[1:, :48])
    np.testing.assert_allclose(rows[:, 96:112].reshape(30, 4, 4), world.camera_from_world[:30], atol=1e-6)
    np.testing.assert_allclose(rows[0, 112:], [120, 120, 80, 60])
    meta = json.loads(files[f"{keys[20]}.meta.json"])
    assert meta["presence"] == 3
    assert sorted(meta["instruction"]) == ["Open the box.", "Pick up the cup."]
    assert meta["camera_extrinsic_convention"] == "w2c"
    assert meta["label_source"] == "made up 1"
