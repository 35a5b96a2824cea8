"""What the paper compares with, each read, cut or learnt from made-up data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest
import torch

from vitra_policy.action_space import SIDES, Side
from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import (
    euler_xyz_from_matrix,
    make_pose,
    matrix_from_euler_xyz,
    matrix_from_rotvec,
    rotation_angle,
)
from vitra_training.baselines.annotations import Recut
from vitra_training.baselines.egodex import EgoDex, write_egodex
from vitra_training.baselines.gripper import GripperData, hand_from_gripper, write_gripper_data
from vitra_training.baselines.keypoint_fit import fit_hand
from vitra_training.baselines.latent_actions import LatentActionModel, LatentOptions, fit, load, save
from vitra_training.datasets.episode import HumanEpisode
from vitra_training.datasets.errors import BrokenFileError, EmptyDatasetError, MissingCaptionError, MissingKeyError
from vitra_training.datasets.sources import open_source
from vitra_training.datasets.statistics import StatisticsOptions, compute_statistics
from vitra_training.synthetic.generate import SyntheticOptions
from vitra_training.training.config import Synthetic
from vitra_training.training.data import open_training_data
from vitra_training.training.latent_data import with_latents
from vitra_training.training.presets import PRESETS
from vitra_training.training.run import train
from vitra_training.training.synthesize import ANNOTATIONS, synthesize

SMALL = SyntheticOptions(episodes=2, width_px=96, height_px=72)
SKELETON = default_skeleton()


@pytest.mark.parametrize("side", SIDES)
def test_key_points_give_back_wrist_and_bending_fingers(side: Side) -> None:
    rng = np.random.default_rng(0)
    wrist = make_pose(rng.normal(0, 0.3, (20, 3)), matrix_from_rotvec(rng.normal(0, 1, (20, 3))))
    fingers = np.zeros((20, 15, 3))
    fingers[:, :12, 2] = rng.uniform(0, 1.2, (20, 12))
    fingers[:, (0, 3, 6, 9), 1] = rng.uniform(-0.2, 0.2, (20, 4))
    points = SKELETON.posed_keypoints(wrist, fingers.reshape(20, 45), side)
    found, rotations = fit_hand(1.1 * points, side, SKELETON)  # a larger hand
    assert np.degrees(rotation_angle(np.swapaxes(found[:, :3, :3], 1, 2) @ wrist[:, :3, :3])).max() < 0.1
    again = SKELETON.posed_keypoints(wrist, euler_xyz_from_matrix(rotations).reshape(20, 45), side)
    assert np.linalg.norm(again - points, axis=-1).max() < 1e-3
    errors = rotation_angle(np.swapaxes(rotations, -1, -2) @ matrix_from_euler_xyz(fingers))
    assert np.degrees(errors).max() < 0.1


def test_egodex_episodes_are_read_with_poses_of_their_key_points(tmp_path: Path) -> None:
    assert write_egodex(tmp_path / "ego", SMALL) == 2
    source = EgoDex(tmp_path / "ego")
    original = open_source(tmp_path / "ego/source")
    read, made = source.load(0).episode, original.load(0).episode
    assert isinstance(read, HumanEpisode)
    assert isinstance(made, HumanEpisode)
    side = made.anno_type
    kept = np.asarray(made.hands[side].kept_frames) > 0
    np.testing.assert_array_equal(np.asarray(read.hands[side].kept_frames) > 0, kept)
    turned = rotation_angle(
        np.swapaxes(read.hands[side].global_orient_worldspace, 1, 2) @ made.hands[side].global_orient_worldspace
    )
    assert np.degrees(turned[kept]).max() < 1
    assert read.text[side][0].caption == made.text[side][0].caption
    _, count = compute_statistics(source, "egodex", StatisticsOptions(frames_per_episode=2))
    assert count.episodes == 2


def test_an_egodex_file_without_its_camera_is_named(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "0.hdf5", "w") as file:
        file["camera/intrinsic"] = np.eye(3)
    with pytest.raises(MissingKeyError, match="transforms/camera"):
        EgoDex(tmp_path).load(0)


def test_a_gripper_becomes_a_hand_that_opens_and_closes(tmp_path: Path) -> None:
    assert write_gripper_data(tmp_path / "oxe", SMALL) == 2
    source = GripperData(tmp_path / "oxe")
    statistics, count = compute_statistics(source, "oxe", StatisticsOptions(frames_per_episode=2))
    assert count.episodes == 2
    assert statistics.present  # flips give both
    state = np.zeros((2, 7))
    state[:, -1] = [1, 0]
    _, rotations = hand_from_gripper(state)
    tips = SKELETON.keypoints(euler_xyz_from_matrix(rotations).reshape(2, 45))[:, (8, 12, 16, 20)]
    wrist_to_tip = np.linalg.norm(tips, axis=-1)
    assert (wrist_to_tip[1] < 0.8 * wrist_to_tip[0]).all()


def test_gripper_data_of_lerobot_v3_find_their_episode_in_a_shared_video(human_data: Path, tmp_path: Path) -> None:
    from vitra_training.datasets.convert import Format, convert

    convert(open_source(human_data), tmp_path / "v3", Format.LEROBOT)
    source = GripperData(tmp_path / "v3")
    first, second = (source.load(number) for number in (0, 1))
    assert first.video.path == second.video.path
    assert second.video.frames[0] == len(first.episode)


def test_labels_cut_episodes_anew(human_data: Path, tmp_path: Path) -> None:
    source = open_source(human_data)
    episode = source.load(0).episode
    assert isinstance(episode, HumanEpisode)
    first = int(episode.video_decode_frame[0])
    labels = {episode.video_name: [{"start": first + 5, "end": first + 15, "right": "Do the whole task."}]}
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(labels))
    cut = Recut(source, path)
    recording = cut.load(0)
    assert len(cut) == 1
    assert isinstance(recording.episode, HumanEpisode)
    assert len(recording.episode) == len(recording.video.frames) == 10
    assert recording.episode.text["right"][0].caption == "Do the whole task."
    assert recording.episode.text["left"] == ()
    assert cut.frame_index()[:, 1].max() <= 8
    path.write_text("[1]")
    with pytest.raises(BrokenFileError, match="annotations"):
        Recut(source, path)
    path.write_text("{}")
    with pytest.raises(EmptyDatasetError):
        Recut(source, path)


def test_latents_tell_changes_apart_and_come_back_from_disk(tmp_path: Path) -> None:
    torch.manual_seed(0)
    now = torch.rand(64, 3, 32, 32)
    brighter = torch.arange(64) % 2 == 0
    later = (now + torch.where(brighter, 0.4, -0.4)[:, None, None, None]).clamp(0, 1)
    model = LatentActionModel()
    losses = fit(model, now, later, LatentOptions(steps=60, batch=16), seed=0)
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    save(model, tmp_path / "latent.safetensors")
    codes = load(tmp_path / "latent.safetensors").encode(now, later).detach()
    assert torch.equal(codes, model.encode(now, later).detach())
    assert set((codes * 2).round().unique().tolist()) <= {-2, -1, 0, 1, 2}
    assert (codes[brighter].mean(0) - codes[~brighter].mean(0)).abs().max() > 0.3
    (tmp_path / "latent.safetensors").write_bytes(b"no")
    with pytest.raises(BrokenFileError):
        load(tmp_path / "latent.safetensors")


def test_latent_pretraining_replaces_every_action(tiny: ModuleType, human_data: Path, runs: Path) -> None:
    settings = tiny.settings(human_data, runs, "latent", steps=2)
    data = replace(settings.data, latents=runs / "latent.safetensors", augment=False)
    save(LatentActionModel(), runs / "latent.safetensors")
    opened = open_training_data(data, 0, 16, runs / "statistics", lambda line: None)
    latent = with_latents(opened, replace(settings, data=data), torch.device("cpu"))
    numbers = latent.train[0].numbers
    assert numbers.action_mask.sum() == 6
    assert np.abs(numbers.actions[numbers.action_mask]).max() <= 1
    assert not numbers.state_mask.any()
    assert train(replace(settings, data=data)) == 0


def test_invented_labels_are_coarser_than_the_episodes(tmp_path: Path) -> None:
    synthesize(Synthetic.HUMAN, tmp_path / "data", 2)
    cut = Recut(open_source(tmp_path / "data"), tmp_path / "data" / ANNOTATIONS)
    assert len(cut) == 2
    assert len(cut.load(0).episode) < len(open_source(tmp_path / "data").load(0).episode)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("mini-") and name != "mini-finetune"])
def test_every_mini_preset_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vitra_training.cli_train import main

    monkeypatch.chdir(tmp_path)
    few = ["--data.synthetic-episodes", "4", "--data.workers", "0", "--run.batch-size", "2", "--run.steps", "2"]
    assert main(["pretrain", "--config", name, *few, "--run.evaluate-samples", "2", "--run.device", "cpu"]) == 0


@pytest.mark.parametrize(
    ("attributes", "caption"),
    [
        ({"llm_type": "reversible", "which_llm_description": "1"}, "Open the box."),
        ({"llm_type": "reversible", "which_llm_description": "2"}, "Close the box."),
        ({"which_llm_description": 2}, "Close the box."),
        ({"llm_type": "single", "which_llm_description": "2"}, "Open the box."),
        ({"llm_type": "reversible"}, None),
    ],
)
def test_a_reversible_egodex_task_has_the_caption_of_what_was_done(
    attributes: dict[str, object], caption: str | None, tmp_path: Path
) -> None:
    write_egodex(tmp_path / "ego", SMALL)
    path = next((tmp_path / "ego/synthetic").glob("*.hdf5"))
    with h5py.File(path, "a") as file:
        file.attrs["llm_description"], file.attrs["llm_description2"] = "Open the box.", "Close the box."
        for name, value in attributes.items():
            file.attrs[name] = value
    source = EgoDex(tmp_path / "ego")
    number = source.paths.index(path)
    if caption is None:
        with pytest.raises(MissingCaptionError, match="which_llm_description"):
            source.load(number)
        return
    episode = source.load(number).episode
    assert isinstance(episode, HumanEpisode)
    assert {w.variants for windows in episode.text.values() for w in windows} == {(caption,)}
