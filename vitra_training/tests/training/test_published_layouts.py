"""The four video data sets as their publishers lay them out, in miniature: indexed, validated, trained on."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest

from vitra_training.datasets.camera import camera_for_video
from vitra_training.datasets.episode import HumanEpisode
from vitra_training.datasets.errors import FrameMissingError
from vitra_training.datasets.formats import vitra_1m
from vitra_training.datasets.sources import EpisodeSource, open_source
from vitra_training.datasets.validate import validate_episode
from vitra_training.datasets.video import VideoReader
from vitra_training.training.run import train

LAYOUTS = {
    "ego4d": ("Ego4D", "Video/Ego4D_root/{}.mp4", "libx264"),
    "ego4d raw": ("Ego4D", "Ego4D_root/v2/full_scale/{}.mp4", "libx264"),
    "epic": ("epic", "Video/Epic-Kitchen_root/{}.MP4", "libx264"),
    "epic raw": ("epic", "Epic-Kitchen_root/P01/videos/{}.MP4", "libx264"),
    "egoexo4d": ("EgoExo4D", "Video/EgoExo4D_root/{}.mp4", "libx264"),
    "egoexo4d raw": ("EgoExo4D", "EgoExo4D_root/takes/{}/frame_aligned_videos/aria01_214-1.mp4", "libx264"),
    "ssv2": ("somethingsomethingv2", "Video/Somethingsomething-v2_root/{}.webm", "libvpx-vp9"),
    "ssv2 vp8": ("ssv2", "Video/Somethingsomething-v2_root/{}.webm", "libvpx"),
}


def images_of(source: EpisodeSource, number: int) -> list[np.ndarray]:
    """Every image of the video of an episode."""
    with VideoReader(source.load(number).video.path) as video:
        return [video.rgb(n) for n in range(len(video))]


def encode(path: Path, images: list[np.ndarray], codec: str, first: int = 0) -> None:
    """A video with as many grey frames before the images as are asked for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = images[0].shape[:2]
    with av.open(str(path), "w", format="webm" if path.suffix == ".webm" else "mp4") as container:
        options = {"preset": "ultrafast"}
        if "vpx" in codec:
            options = {"deadline": "good", "cpu-used": "5", "auto-alt-ref": "1", "lag-in-frames": "16"}
        stream = container.add_stream(codec, rate=Fraction(30), options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for image in [np.full_like(images[0], 128)] * first + images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def miniature(root: Path, source: EpisodeSource, layout: str) -> EpisodeSource:
    """All episodes of a source in one published layout."""
    dataset, place, codec = LAYOUTS[layout]
    annotations = root / "Annotation" / dataset.lower() / "episodic_annotations"
    for number in range(len(source)):
        episode = source.load(number).episode
        assert isinstance(episode, HumanEpisode)
        name = f"P01_{episode.video_name}"
        if not (path := root / place.format(name)).exists():
            images = images_of(source, number)
            square = dataset == "EgoExo4D"
            encode(path, [p[:, : p.shape[0]] for p in images] if square else images, codec)
        labelled = replace(episode, id=f"{dataset}_{name}_ep_{number:06d}", dataset=dataset, video_name=name)
        if dataset == "EgoExo4D":
            labelled = replace(labelled, intrinsics=np.array([[601.0, 0, 704], [0, 601, 704], [0, 0, 1]]))
        vitra_1m.write_episode(labelled, annotations)
    return open_source(root)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_published_layout_is_indexed_validated_and_trained_on(
    layout: str, human_data: Path, tiny: ModuleType, tmp_path: Path
) -> None:
    original = open_source(human_data)
    source = miniature(tmp_path / "data", original, layout)
    assert len(source) == len(original)
    assert len(source.frame_index()) == len(original.frame_index())
    assert source.broken == {}
    for number in range(len(source)):
        report = validate_episode(source, number)
        assert report.ok, report.findings
    settings = tiny.settings(tmp_path / "data", tmp_path / "runs", "two", steps=2)
    assert train(settings) == 0
    assert (tmp_path / "runs/two/checkpoints/latest/model.safetensors").is_file()


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_a_webm_has_as_many_frames_as_it_has_images(codec: str, tmp_path: Path) -> None:
    shown = [np.full((48, 64, 3), 20 + 5 * n, dtype=np.uint8) for n in range(40)]
    encode(tmp_path / "v.webm", shown, codec)
    with VideoReader(tmp_path / "v.webm") as video:
        assert len(video) == 40
        for n in (0, 39, 7, 8, 31):
            assert round((float(video.rgb(n).mean()) - 20) / 5) == n


def test_an_episode_goes_on_from_one_part_of_a_video_into_the_next(human_data: Path, tmp_path: Path) -> None:
    original = open_source(human_data)
    episode, images = original.load(0).episode, images_of(original, 0)
    assert isinstance(episode, HumanEpisode)
    half = int(episode.video_decode_frame[len(episode) // 2])
    folder = tmp_path / "Video" / "Ego4D_root"
    encode(folder / "clip_part2.mp4", images[:half], "libx264", first=2000 - half)
    encode(folder / "clip_part3.mp4", images[half:], "libx264")
    frames = episode.video_decode_frame + 4000 - half
    moved = replace(episode, id="Ego4D_clip_ep_0", dataset="Ego4D", video_name="clip", video_decode_frame=frames)
    vitra_1m.write_episode(moved, tmp_path / "Annotation" / "ego4d_other" / "episodic_annotations")
    source = open_source(tmp_path)
    assert validate_episode(source, 0).ok, validate_episode(source, 0).findings
    clip = source.load(0).video
    with VideoReader(clip.path) as video:
        assert video.regular(clip.frames).all()
        for n in (0, len(frames) // 2 - 1, len(frames) // 2, len(frames) - 1):
            shown = float(video.rgb(int(clip.frames[n])).mean())
            assert shown == pytest.approx(float(images[episode.video_decode_frame[n]].mean()), abs=2)
        with pytest.raises(FrameMissingError, match="frame 100 "):
            video.frame(100)  # the first part is not there


@pytest.mark.parametrize(("size", "expected_deg"), [(256, 68), (224, 68), (448, 99), (1408, 99)])
def test_egoexo4d_images_show_the_centre_that_their_publishers_kept(
    size: int, expected_deg: int, human_data: Path, tmp_path: Path
) -> None:
    original = open_source(human_data).load(0).episode
    assert isinstance(original, HumanEpisode)
    labelled = replace(
        original,
        id="EgoExo4D_take_ep_0",
        dataset="EgoExo4D",
        video_name="take",
        intrinsics=np.array([[601.0, 0, 704], [0, 601, 704], [0, 0, 1]]),
    )
    vitra_1m.write_episode(labelled, tmp_path / "Annotation/egoexo4d/episodic_annotations")
    encode(tmp_path / "Video/EgoExo4D_root/take.mp4", [np.zeros((size, size, 3), np.uint8)] * 2, "libx264")
    episode = open_source(tmp_path).load(0).episode
    camera = camera_for_video(episode.intrinsics, size, size)
    assert np.degrees(camera.fov_rad).round() == pytest.approx([expected_deg] * 2)
