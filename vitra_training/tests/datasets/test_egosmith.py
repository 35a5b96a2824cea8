"""EgoSmith's WebDataset out and in again: the rules of its loader hold, hands come back, damage is named."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vitra_policy.action_space import SIDES
from vitra_policy.hand.skeleton import default_skeleton
from vitra_training.baselines.fingertip_fit import fit_fingertips
from vitra_training.datasets.convert import Format, convert
from vitra_training.datasets.episode import HumanEpisode
from vitra_training.datasets.errors import BrokenFileError, ConversionError, DatasetError, UnknownFormatError
from vitra_training.datasets.formats.egosmith import EgoSmithWriter
from vitra_training.datasets.formats.egosmith_reader import BrokenSampleError, EgoSmithShards
from vitra_training.datasets.formats.egosmith_rules import order_problems, sample_problems
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.validate import validate_episode
from vitra_training.datasets.video import VideoReader

TIPS = [4, 8, 12, 16, 20]


@pytest.fixture(scope="module")
def shards(human: EpisodeSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("egosmith") / "made-up"
    report = convert(human, root, Format.EGOSMITH)
    assert report.converted == len(human)
    return root


def samples(root: Path) -> list[tuple[str, dict[str, bytes]]]:
    found: dict[str, dict[str, bytes]] = {}
    for path in sorted(root.glob("*.tar")):
        with tarfile.open(path) as shard:
            for member in shard:
                key, _, suffix = member.name.partition(".")
                found.setdefault(key, {})[suffix] = shard.extractfile(member).read()  # type: ignore[union-attr]
    return list(found.items())


def write(path: Path, content: list[tuple[str, dict[str, bytes]]]) -> Path:
    path.mkdir()
    with tarfile.open(path / "shard-000000.tar", "w") as shard:
        for key, members in content:
            for suffix, data in members.items():
                info = tarfile.TarInfo(f"{key}.{suffix}")
                info.size = len(data)
                shard.addfile(info, io.BytesIO(data))
    return path


def test_every_exported_sample_keeps_the_rules_of_egosteers_loader(shards: Path) -> None:
    keys = []
    for key, members in samples(shards):
        row = np.load(io.BytesIO(members["lowdim.npy"]), allow_pickle=False)
        image = cv2.imdecode(np.frombuffer(members["image.jpg"], np.uint8), cv2.IMREAD_COLOR)
        assert sample_problems(row, json.loads(members["meta.json"]), image) == [], key
        name, _, rest = key.partition("_ep")
        keys.append((name, int(rest[:6]), int(rest[-6:])))
    assert order_problems(keys) == []


def test_what_was_written_is_read_again(human: EpisodeSource, shards: Path) -> None:
    source = open_source(shards)
    assert isinstance(source, EgoSmithShards)
    assert len(source) == len(human)
    for number in range(2):
        before, recording = human.load(number).episode, source.load(number)
        after = recording.episode
        assert isinstance(before, HumanEpisode)
        assert isinstance(after, HumanEpisode)
        assert len(after) == len(before)
        np.testing.assert_allclose(after.extrinsics, before.extrinsics, atol=1e-5)
        for side in SIDES:
            kept = np.asarray(before.hands[side].kept_frames) > 0
            assert np.array_equal(np.asarray(after.hands[side].kept_frames) > 0, kept)
            if not kept.any():
                continue
            mine, theirs = after.hands[side], before.hands[side]
            np.testing.assert_allclose(mine.transl_worldspace[kept], theirs.transl_worldspace[kept], atol=1e-5)
            np.testing.assert_allclose(
                mine.global_orient_worldspace[kept], theirs.global_orient_worldspace[kept], atol=1e-5
            )
            away = (
                np.asarray(mine.joints_worldspace)[kept][:, TIPS] - np.asarray(theirs.joints_worldspace)[kept][:, TIPS]
            )
            assert np.median(np.linalg.norm(away, axis=-1)) < 0.004
        with VideoReader(recording.video.path) as video:
            assert len(video) == len(after)
        assert validate_episode(source, number).ok
        source.release(number)
        assert not recording.video.path.exists()


def test_fingertips_of_a_bending_hand_are_met_closely() -> None:
    skeleton = default_skeleton()
    draw = np.random.default_rng(0)
    angles = np.zeros((200, 5, 3, 3))
    angles[:, :, 0, 1] = draw.uniform(-0.2, 0.2, (200, 5))
    angles[:, :, 0, 2] = draw.uniform(0, 1.2, (200, 5))
    angles[:, :, 1, 2] = angles[:, :, 2, 2] = draw.uniform(0, 1.2, (200, 5))
    for side in SIDES:
        tips = skeleton.keypoints(angles.reshape(200, 45), side)[:, TIPS]
        from vitra_policy.transforms import euler_xyz_from_matrix

        found = euler_xyz_from_matrix(fit_fingertips(tips, side, skeleton)).reshape(200, 45)
        error = np.linalg.norm(skeleton.keypoints(found, side)[:, TIPS] - tips, axis=-1)
        assert np.median(error) < 1e-4
        assert np.quantile(error, 0.95) < 2e-3


def sample() -> tuple[np.ndarray, dict[str, Any], np.ndarray]:
    row = np.zeros(116, dtype=np.float32)
    for start in (6, 12, 54, 60):
        row[start : start + 6] = (1, 0, 0, 0, 1, 0)
    row[96:112] = np.eye(4).ravel()
    row[112:] = (200, 200, 80, 60)
    image = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return row, {"instruction": ["Open it."], "instruction_num": 1, "episode_index": 0}, image


def set_row(index: Any, value: float) -> Callable[..., None]:
    def change(row: np.ndarray, meta: dict[str, Any], image: np.ndarray) -> None:
        row[index] = value

    return change


def set_meta(**values: Any) -> Callable[..., None]:
    return lambda row, meta, image: meta.update(values)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_row(0, np.nan), "not finite"),
        (set_row(slice(6, 9), 3.0), "away from rotations"),
        (set_row(111, 2.0), "last row"),
        (set_row(slice(96, 99), 0.0), "no rotation and translation"),
        (set_row(112, -1.0), "focal lengths"),
        (set_row(48, 3.0), "in one frame"),
        (set_meta(instruction="unknown"), "placeholder"),
        (set_meta(instruction=[]), "placeholder"),
        (set_meta(instruction_num=0), "instruction_num"),
        (set_meta(cameras=["chest"]), "first camera"),
        (set_meta(cameras=3), "first camera"),
        (set_meta(instruction=5), "placeholder"),
        (set_meta(presence="both"), "presence is 'both'"),
        (set_meta(presence=None), "presence is None"),
        (set_meta(presence=99), "presence is 99"),
        (lambda row, meta, image: meta.pop("episode_index"), "lacks episode_index"),
        (lambda row, meta, image: image.fill(1), "dark, bright or flat"),
    ],
)
def test_each_broken_rule_is_found(change: Callable[..., None], says: str) -> None:
    row, meta, image = sample()
    assert sample_problems(row, meta, image) == []
    change(row, meta, image)
    assert says in " ".join(sample_problems(row, meta, image))


def test_a_broken_sample_names_itself_and_its_episode_is_left_out(shards: Path, tmp_path: Path) -> None:
    content = [(key, dict(members)) for key, members in samples(shards)][:120]
    bad = next(n for n, (key, _) in enumerate(content) if "_ep000001_f000003" in key)
    stream = io.BytesIO()
    np.save(stream, np.full(116, np.nan, dtype=np.float32), allow_pickle=False)
    content[bad][1]["lowdim.npy"] = stream.getvalue()
    source = EgoSmithShards(write(tmp_path / "bad", content))
    with pytest.raises(BrokenSampleError, match=r"_ep000001_f000003: lowdim has numbers that are not finite"):
        source.load(1)
    assert 1 not in source.frame_index()[:, 0]
    assert list(source.broken) == [source.ids[1]]


def test_episodes_in_pieces_missing_members_and_damaged_shards_are_refused(shards: Path, tmp_path: Path) -> None:
    content = samples(shards)[:60]
    with pytest.raises(BrokenFileError, match="frame 7 follows 5"):
        EgoSmithShards(write(tmp_path / "gap", content[:6] + content[7:]))
    without = [(key, {k: v for k, v in m.items() if k != "meta.json"}) for key, m in content]
    with pytest.raises(DatasetError, match=r"'meta.json' is missing"):
        EgoSmithShards(write(tmp_path / "meta", without)).load(0)
    torn = write(tmp_path / "torn", content) / "shard-000000.tar"
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2 + 100])
    with pytest.raises(DatasetError):
        EgoSmithShards(torn.parent).load(0)


def _npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=1)
    return stream.getvalue()


def _other_size() -> bytes:
    return bytes(cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (90, 99, 3), np.uint8))[1])


def _flat_image(height: int) -> bytes:
    return bytes(cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (height, 64, 3), np.uint8))[1])


def _said(**more: Any) -> bytes:
    return json.dumps({"instruction": ["Wave."], "instruction_num": 1, "episode_index": 0} | more).encode()


def _huge() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros(4, np.float32))
    return stream.getvalue().replace(b"(4,), ", b"(999999999999,), ")


@pytest.mark.parametrize(
    ("member", "data"),
    [
        ("image.jpg", b""),
        ("image.jpg", b"no image"),
        ("image.jpg", _other_size()),
        ("lowdim.npy", b""),
        ("lowdim.npy", _npz()),
        ("lowdim.npy", _huge()),
        ("meta.json", b"[" * 100_000),
        ("meta.json", b"[1]"),
        ("meta.json", _said(instruction=["\ud800"])),
        ("meta.json", _said(camera_extrinsic_convention="c2w")),
        ("meta.json", _said(lowdim_schema="another")),
        ("image.jpg", _flat_image(1)),
        ("lowdim.npy", b"PK\x03\x04"),
    ],
)  # fmt: skip
def test_a_damaged_member_names_its_sample(shards: Path, tmp_path: Path, member: str, data: bytes) -> None:
    content = [(key, dict(members)) for key, members in samples(shards)][:8]
    content[3][1][member] = data
    with pytest.raises(DatasetError, match="_f000003: "):
        EgoSmithShards(write(tmp_path / "bad", content)).load(0)


def test_a_file_that_is_no_shard_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.tar").write_bytes(b"")
    with pytest.raises(BrokenFileError, match=r"^[^\n]*empty.tar: not a readable EgoSmith shard[^\n]*$"):
        EgoSmithShards(tmp_path)


def test_a_compressed_shard_a_key_that_is_no_text_and_a_pipe_are_refused(shards: Path, tmp_path: Path) -> None:
    content = samples(shards)[:4]
    packed = write(tmp_path / "packed", content) / "shard-000000.tar"
    packed.write_bytes(gzip.compress(packed.read_bytes()))
    with pytest.raises(BrokenFileError, match="not a readable EgoSmith shard"):
        EgoSmithShards(packed.parent)
    coloured = write(tmp_path / "coloured", [(f"\x1b[31m\n{key}", members) for key, members in content])
    with pytest.raises(BrokenFileError, match=r"the key '\\x1b\[31m\\n.*' is no text"):
        EgoSmithShards(coloured)
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "x.tar")
    with pytest.raises(UnknownFormatError):
        EgoSmithShards(tmp_path / "pipe")
    long = write(tmp_path / "long", [(f"x_ep{'9' * 5000}_f000000", content[0][1])])
    with pytest.raises(UnknownFormatError):
        EgoSmithShards(long)


@pytest.mark.parametrize("folder", ["./", "/somewhere/", "../../"])
def test_a_folder_in_front_of_a_key_is_no_part_of_it(shards: Path, tmp_path: Path, folder: str) -> None:
    """As `tar -c .` writes them; and no name leads out of the folder that an episode is written to."""
    moved = EgoSmithShards(write(tmp_path / "moved", [(folder + key, members) for key, members in samples(shards)]))
    assert moved.ids == EgoSmithShards(shards).ids


def test_other_peoples_keys_are_understood(shards: Path, tmp_path: Path) -> None:
    renamed = [
        (f"episode_{int(key[-14:-8]):06d}_frame_{int(key[-6:]):06d}", members) for key, members in samples(shards)
    ]
    assert len(EgoSmithShards(write(tmp_path / "other", renamed))) == len(EgoSmithShards(shards))


def test_an_episode_whose_video_breaks_off_leaves_nothing_in_the_shard(human: EpisodeSource, tmp_path: Path) -> None:
    broken = human.load(0)
    frames = np.array([*broken.video.frames[:5], 10**6])
    broken = dataclasses.replace(broken, video=dataclasses.replace(broken.video, frames=frames))
    with EgoSmithWriter(tmp_path / "out", "out") as writer:
        writer.add(human.load(0))
        with pytest.raises(DatasetError):
            writer.add(broken)
        writer.add(human.load(1))
    source = EgoSmithShards(tmp_path / "out")
    assert [len(source.load(n).episode) for n in range(len(source))] == [len(human.load(n).episode) for n in (0, 1)]


def test_shards_are_not_written_over(shards: Path) -> None:
    before = {path: path.read_bytes() for path in shards.iterdir()}
    with pytest.raises(ConversionError, match="is not empty; choose a new folder"):
        convert(EgoSmithShards(shards), shards, Format.EGOSMITH)
    assert {path: path.read_bytes() for path in shards.iterdir()} == before


def test_a_folders_name_that_keys_cannot_hold_is_written_otherwise(human: EpisodeSource, tmp_path: Path) -> None:
    convert(human, tmp_path / "My set_v1.2", Format.EGOSMITH)
    assert EgoSmithShards(tmp_path / "My set_v1.2").ids[0] == "My-set-v1-2_ep000000"
