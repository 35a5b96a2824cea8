"""Simulated scenes are scenes of the format, and their points lie on the things."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitra_policy.errors import VitraError
from vitra_training.benchmarks.grasp.folder import check_folder, read_scene
from vitra_training.benchmarks.grasp.generate import UNSEEN_KINDS, generate_scenes, make_scene
from vitra_training.benchmarks.grasp.options import GenerateOptions
from vitra_training.synthetic.objects import COLOURS, KINDS

SMALL = GenerateOptions(scenes=2, seed=3, objects=4, width_px=320, height_px=240)

HALF_EXTENTS_M = {kind.name: kind.half_extents_m for kind in (*KINDS, *UNSEEN_KINDS)}


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("generated")
    generate_scenes(root, SMALL)
    return root


def test_generated_scenes_pass_every_check_and_are_seen_and_unseen(generated: Path) -> None:
    benchmark = check_folder(generated)
    assert [entry.group for entry in benchmark.entries] == ["seen", "unseen"]
    for entry, kinds in zip(benchmark.entries, (KINDS, UNSEEN_KINDS), strict=True):
        assert len(entry.captions) >= 2
        assert {words.split()[1] for _, words in entry.captions} <= {kind.name for kind in kinds}
    assert not {kind.name for kind in KINDS} & {kind.name for kind in UNSEEN_KINDS}


def test_the_pixels_of_an_object_have_its_colour(generated: Path) -> None:
    benchmark = check_folder(generated)
    for entry in benchmark.entries:
        scene = read_scene(generated, entry)
        for thing in scene.objects:
            u, v, _ = np.floor(thing.points_m / thing.points_m[:, 2:] @ scene.camera.matrix.T).astype(int).T
            seen = scene.image[v, u].mean(axis=0)
            colour = np.array(COLOURS[thing.caption.split()[0]], dtype=float)
            likeness = seen @ colour / np.linalg.norm(seen) / np.linalg.norm(colour)
            assert likeness > 0.97, thing.caption
            half = next(
                kind.half_extents_m for kind in (*KINDS, *UNSEEN_KINDS) if kind.name == thing.caption.split()[1]
            )
            assert np.ptp(thing.points_m, axis=0).max() > 1.6 * 0.85 * max(half[:2])  # the whole of it
            np.testing.assert_allclose(thing.points_m[:, 2], scene.depth_mm[v, u] / 1e3, atol=0.02)


def test_a_scene_depends_on_its_name_and_seed_alone(generated: Path) -> None:
    first = check_folder(generated).entries[0]
    again = make_scene("scene_000", "seen", SMALL)
    np.testing.assert_array_equal(again.image, read_scene(generated, first).image)


def test_scenes_are_never_mixed_with_others(generated: Path) -> None:
    with pytest.raises(VitraError, match="holds scenes already"):
        generate_scenes(generated, SMALL)
    with pytest.raises(VitraError, match="two objects"):
        generate_scenes(generated / "new", GenerateOptions(objects=1))
