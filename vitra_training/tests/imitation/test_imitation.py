"""From demonstrations to a checkpoint, in miniature."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vitra_policy.action_space import ACTION_DIM, HAND, STEPS
from vitra_policy.checkpoint.store import open_checkpoint
from vitra_policy.errors import VitraError
from vitra_policy.hand.xhand_map import mano_from_xhand
from vitra_policy.model.config import preset
from vitra_policy.model.vla import Vitra
from vitra_policy.places import NUMBERS
from vitra_training.imitation import features, places, train
from vitra_training.imitation.batches import Batches
from vitra_training.imitation.earlier_runs import EarlierRunError
from vitra_training.imitation.episodes import DemonstrationError, find_demonstrations, read_demonstration
from vitra_training.imitation.features import features_path
from vitra_training.imitation.settings import Args
from vitra_training.imitation.table import load_looks, statistics_of

ROOT = Path(__file__).resolve().parents[3]


def write_demonstration(path: Path, seed: int, looks: int = 6, success: bool = True) -> Path:
    rng = np.random.default_rng(seed)
    state = np.zeros((looks, ACTION_DIM), dtype=np.float32)
    actions = np.zeros((looks, STEPS, ACTION_DIM), dtype=np.float32)
    for array in (state, actions):
        hand = array[..., HAND["right"]]
        hand[..., :6] = rng.normal(0, 0.05, hand[..., :6].shape)
        hand[..., 6:] = mano_from_xhand(rng.uniform(0, 1, (*hand.shape[:-1], 12)))
    poses = np.tile(np.eye(4, dtype=np.float32), (looks, 3, 1, 1))
    poses[:, :, :3, 3] = rng.uniform(-0.3, 0.3, (1, 3, 3))
    images = [cv2.imencode(".jpg", rng.integers(0, 255, (24, 40, 3), dtype=np.uint8))[1].ravel() for _ in range(looks)]
    named = ("red_cube", "blue_can")[seed % 2]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path, family="place@seen", task="place_red_cube_in_box", seed=seed, side="right", success=success,
        instruction="Left hand: None. Right hand: Put the red cube into the box.", names=np.array([named, "b", "box"]),
        sizes_m=np.full((3, 3), 0.03), fov_rad=np.array([1.2, 0.8]), intrinsics=np.eye(3),
        base_from_camera=np.eye(4), step_s=1 / 15, stamp_s=np.arange(looks) / 7.5, state=state, actions=actions,
        base_from_object=poses, jpeg=np.concatenate(images), jpeg_end=np.cumsum([len(image) for image in images]),
    )  # fmt: skip
    np.save(features_path(path), rng.normal(0, 1, (looks, 112, 2, 3)).astype(np.float16))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in range(4):
        write_demonstration(tmp_path / "moving" / f"{seed:07d}.npz", seed)
    for seed in range(4, 8):
        write_demonstration(tmp_path / "still" / f"{seed:07d}.npz", seed, looks=1)
    return tmp_path


def test_a_demonstration_knows_where_its_object_is(folder: Path) -> None:
    one = read_demonstration(find_demonstrations((folder,))[0])
    assert len(one) == 6
    assert one.image(5).shape == (24, 40, 3)
    assert one.target_in_camera.shape == (6, 4, 4)


def test_a_damaged_file_is_named_with_what_to_do(folder: Path) -> None:
    path = folder / "moving" / "0000000.npz"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DemonstrationError, match="Delete it"):
        read_demonstration(path)


def test_no_demonstrations_say_how_to_make_some(tmp_path: Path) -> None:
    with pytest.raises(DemonstrationError, match=r"python -m vitra_sim\.collect"):
        find_demonstrations((tmp_path,))


def test_the_last_looks_of_a_failure_teach_nothing(folder: Path) -> None:
    config = preset("mini-lite0")
    before = len(load_looks((folder,), config))
    write_demonstration(folder / "moving" / "0000009.npz", 9, looks=30, success=False)
    assert len(load_looks((folder,), config)) == before + 5


def test_looks_know_which_colour_and_kind_their_words_name(folder: Path) -> None:
    looks = load_looks((folder,), preset("mini-lite0"))
    by_seed = {int(seed): tuple(looks.named[looks.episode[i]]) for i, seed in enumerate(looks.seed)}
    assert by_seed[2] == by_seed[4] == (1, 1)  # red cube, after blue and can
    assert by_seed[3] == by_seed[5] == (0, 0)


def test_what_is_held_out_stays_so_when_episodes_are_added(folder: Path) -> None:
    def held_out() -> set[int]:
        looks = load_looks((folder,), preset("mini-lite0"))
        batches = Batches(looks, statistics_of(looks, "made up"), held_out=4)
        return {int(looks.seed[i]) for pool in batches.held_out for i in pool}

    assert held_out() == {0, 4}
    write_demonstration(folder / "moving" / "0000001a.npz", 9)
    assert held_out() == {0, 4}


def test_statistics_are_over_the_hands_own_joints_and_have_a_floor(folder: Path) -> None:
    statistics = statistics_of(load_looks((folder,), preset("mini-lite0")), "made up")
    assert statistics.present == ("right",)
    assert len(statistics.hands["right"].action.mean) == 18
    assert statistics.hands["right"].action.std.min() >= 5e-4


def test_training_is_cut_and_goes_on_to_the_same_end(folder: Path, tmp_path: Path) -> None:
    def arguments(out: str, steps: int) -> Args:
        return Args(
            (folder,), out=tmp_path / out, steps=steps, seeing_steps=3, seeing_batch=4, batch=4, repeats=1,
            held_out=4, save_every=2, think_every=2,
        )  # fmt: skip

    checkpoint = train.run(arguments("whole", 6))
    assert open_checkpoint(checkpoint).statistics is not None
    rows = [json.loads(line) for line in (tmp_path / "whole/log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 3, 4, 6]
    assert {"seen", "read", "still_target_mm"} <= rows[0].keys()
    assert {
        "action",
        "moving_target_mm",
        "moving_wrist_mm",
        "moving_told_wrist_mm",
        "moving_wrist_standing_still_mm",
    } <= rows[-1].keys()

    take_step = train.Run.take_step
    for cut_after in (2, 5):  # while it learns to see, and while it learns to act

        def cut(self: train.Run, at: int = cut_after) -> dict[str, float]:
            if self.step == at:
                raise KeyboardInterrupt
            return take_step(self)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(train.Run, "take_step", cut)
            with pytest.raises(KeyboardInterrupt):
                train.run(arguments("cut", 6))
    again = train.run(arguments("cut", 6))
    one, other = (open_checkpoint(path).load_model().state_dict() for path in (checkpoint, again))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_that_goes_on_with_more_episodes_counts_places_as_before(folder: Path, tmp_path: Path) -> None:
    def again(steps: int) -> train.Run:
        args = Args((folder,), tmp_path / "run", steps=steps, seeing_steps=9, seeing_batch=4, held_out=4)
        train.run(args)
        return train.Run(args)

    before = again(1)
    write_demonstration(folder / "moving" / "0000009.npz", 9, looks=30)
    after = again(2)
    assert np.array_equal(before.batches.places_mean, after.batches.places_mean)
    assert np.array_equal(before.batches.places_std, after.batches.places_std)
    assert len(after.batches) > len(before.batches)


def test_acting_changes_nothing_of_what_seeing_has_learned(folder: Path, tmp_path: Path) -> None:
    one = train.Run(Args((folder,), out=tmp_path, steps=4, seeing_steps=2, seeing_batch=4, batch=4, held_out=4))
    names = set(one.learner.seeing())
    one.take_step()
    one.take_step()
    one.take_step()
    before = {name: p.detach().clone() for name, p in one.learner.named_parameters()}
    one.take_step()
    changed = {name for name, p in one.learner.named_parameters() if not torch.equal(p, before[name])}
    assert changed & names == set()
    assert any(name.startswith("vitra.expert") for name in changed)
    assert not any(name.startswith("vitra.vision") for name in changed)


def test_acting_starts_with_another_runs_expert_and_means_the_same_by_its_places(folder: Path, tmp_path: Path) -> None:
    told = train.run(
        Args((folder / "moving",), out=tmp_path / "told", steps=2, seeing_steps=0, batch=4, held_out=4, told=1.0)
    )
    both = train.Run(
        Args((folder,), tmp_path / "both", steps=4, seeing_steps=1, seeing_batch=4, batch=4, held_out=4,
                   acting_from=told)
    )  # fmt: skip
    both.take_step()
    both.begin_acting()
    stored = open_checkpoint(told)
    other, own, said = stored.load_model().float(), both.learner.vitra, stored.provenance.training
    assert torch.equal(own.expert.action_in[0].weight, other.expert.action_in[0].weight)
    assert own.places is not None
    assert other.places is not None
    places_m = torch.rand(1, NUMBERS)
    mean, std = (torch.tensor(said[f"places_{what}"]) for what in ("mean", "std"))
    known = (torch.from_numpy(both.batches.places_mean), torch.from_numpy(both.batches.places_std))
    first, second = other.places.into((places_m - mean) / std), own.places.into((places_m - known[0]) / known[1])
    assert torch.allclose(first.float(), second.float(), atol=1e-3)


def test_seeing_starts_with_an_earlier_runs_weights_and_counts_places_as_it_did(folder: Path, tmp_path: Path) -> None:
    def run(out: str, **more: object) -> train.Run:
        return train.Run(
            Args((folder,), tmp_path / out, steps=2, seeing_steps=9, seeing_batch=4, held_out=4, **more)  # type: ignore[arg-type]
        )

    train.run(run("before").args)
    before = run("before")
    write_demonstration(folder / "moving" / "0000011.npz", 11, looks=30)
    after = run("after", seeing_from=tmp_path / "before")
    assert after.step == 0
    one, other = before.learner.state_dict(), after.learner.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert np.array_equal(before.batches.places_std, after.batches.places_std)
    assert set(after.averages) == set(after.learner.seeing())


def test_a_run_that_only_acts_sees_as_the_run_that_it_starts_from(folder: Path, tmp_path: Path) -> None:
    train.run(Args((folder,), tmp_path / "before", steps=2, seeing_steps=9, seeing_batch=4, held_out=4))
    acts = Args(
        (folder,), tmp_path / "after", steps=2, seeing_steps=0, batch=4, held_out=4, seeing_from=tmp_path / "before"
    )
    run = train.Run(acts)
    seen = {name: p.detach().clone() for name, p in run.learner.named_parameters() if name in run.learner.seeing()}
    run.take_step()
    now = dict(run.learner.named_parameters())
    assert all(torch.equal(now[name], before) for name, before in seen.items())


def test_a_tower_that_learns_sees_images_instead_of_features_and_keeps_its_edges(folder: Path, tmp_path: Path) -> None:
    for path in folder.rglob("*.features.npy"):
        path.unlink()
    run = train.Run(
        Args((folder,), tmp_path / "run", steps=3, seeing_steps=2, seeing_batch=2, batch=4, held_out=4,
                   tower="learns", workers=2)
    )  # fmt: skip
    before = {name: p.detach().clone() for name, p in run.learner.named_parameters()}
    for _ in range(3):
        run.take_step()
    changed = {name for name, p in run.learner.named_parameters() if not torch.equal(p, before[name])}
    assert any(name.startswith("vitra.vision.blocks.8.") for name in changed)
    assert not any(name.startswith(("vitra.vision.stem.", "vitra.vision.blocks.0.")) for name in changed)


def test_no_run_to_start_from_is_said_with_what_was_expected(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EarlierRunError, match=r"expected .*state\.pt"):
        train.Run(Args((folder,), tmp_path / "run", held_out=4, seeing_from=tmp_path))


def test_a_run_of_other_words_is_not_started_from(folder: Path, tmp_path: Path) -> None:
    train.run(Args((folder,), tmp_path / "run", steps=1, seeing_steps=9, seeing_batch=4, held_out=4))
    path = tmp_path / "run" / "state.pt"
    saved = torch.load(path, weights_only=True)
    saved["learner"]["read.0.bias"] = torch.zeros(7)
    torch.save(saved, path)
    with pytest.raises(EarlierRunError, match=r"read\.0\.bias"):
        train.Run(Args((folder,), tmp_path / "other", held_out=4, seeing_from=tmp_path / "run"))


def test_a_checkpoint_names_the_folders_it_was_made_from_and_not_where_they_lay(folder: Path, tmp_path: Path) -> None:
    made = train.run(Args((folder,), tmp_path / "run", steps=1, seeing_steps=9, seeing_batch=4, held_out=4))
    said = open_checkpoint(made).provenance.training
    assert said["folders"] == [folder.name]
    assert str(tmp_path) not in json.dumps(said)


def test_a_trained_run_is_judged_on_other_demonstrations_by_its_own_scale(folder: Path, tmp_path: Path) -> None:
    checkpoint = train.run(
        Args((folder,), out=tmp_path / "run", steps=2, seeing_steps=3, seeing_batch=4, held_out=4, save_every=1)
    )
    trained = load_looks((folder,), preset("mini-lite0"))
    other = write_demonstration(tmp_path / "other" / "0000100.npz", 100, looks=1).parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Vitra, "places_of_tokens", lambda self, tokens: torch.zeros(len(tokens), NUMBERS))
        figures = places.run(places.Args(checkpoint, (other,), tmp_path / "out.json"))
    looks = load_looks((other,), preset("mini-lite0"))
    off_m = np.linalg.norm((trained.geometry.mean(axis=0) - looks.geometry)[0, :3])
    assert figures["looks"] == 1
    assert figures["target_median_mm"] == pytest.approx(off_m * 1e3, abs=0.1)
    assert figures["another_object"] == float(off_m > 0.06)
    assert json.loads((tmp_path / "out.json").read_text()) == figures


class Mean:
    """In place of a tower: the mean of each image; remembers how many images it was given at a time."""

    given: list[int] = []

    def __init__(self, *_: object) -> None:
        Mean.given = []

    def __call__(self, images: list[np.ndarray]) -> np.ndarray:
        Mean.given.append(len(images))
        return np.array([image.mean() for image in images])


def test_every_episode_gets_the_features_of_its_own_images_however_many_are_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write_demonstration(tmp_path / f"{i}.npz", i, looks) for i, looks in enumerate((1, 70, 1, 1, 3))]
    for path in paths[:-1]:
        features_path(path).unlink()
    monkeypatch.setattr(features, "FeatureExtractor", Mean)
    assert features.run(features.Args((tmp_path,))) == 4
    assert Mean.given == [71, 2]
    for path in paths[:-1]:
        one = read_demonstration(path)
        assert np.load(features_path(path)) == pytest.approx([one.image(i).mean() for i in range(len(one))])
    assert features.run(features.Args((tmp_path,))) == 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"workers": 0}, "--workers is 0; it must be at least 1"),
        ({"held_out": 1}, "--held-out is 1; it must be at least 2"),
        ({"think_every": 0}, "--think-every is 0"),
        ({"told": 1.5}, "--told is 1.5; it must be from 0 to 1"),
        ({"tower_rate": -1.0}, "--tower-rate is -1.0"),
        ({"learning_rate": float("nan")}, "--learning-rate is nan"),
        ({"device": "gpu"}, "'gpu' is no device"),
    ],
    ids=lambda wrong: next(iter(wrong)) if isinstance(wrong, dict) else "",
)
def test_settings_that_cannot_be_are_refused_before_anything_is_read(
    tmp_path: Path, wrong: dict[str, object], says: str
) -> None:
    with pytest.raises(VitraError, match=says):
        train.Run(Args((tmp_path / "nothing",), tmp_path / "run", **wrong))  # type: ignore[arg-type]


def test_a_gpu_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(VitraError, match="finds no GPU"):
        train.Run(Args((tmp_path,), tmp_path / "run", device="cuda"))


def test_episodes_that_all_failed_at_once_are_not_said_to_lack_features(tmp_path: Path) -> None:
    write_demonstration(tmp_path / "0000001.npz", 1, success=False)
    with pytest.raises(DemonstrationError, match="All 1 episodes failed"):
        load_looks((tmp_path,), preset("mini-lite0"))


def run_with_a_tower_that_learned(folder: Path, out: Path) -> Path:
    return train.run(
        Args((folder,), out, steps=1, seeing_steps=9, seeing_batch=2, held_out=4, tower="learns", tower_rate=1.0)
    )


def test_a_run_goes_on_only_with_the_tower_that_it_began_with(folder: Path, tmp_path: Path) -> None:
    """Features are the tower's as it came: behind one that learned they would mean something else."""
    run_with_a_tower_that_learned(folder, tmp_path / "learns")
    frozen = {"steps": 2, "seeing_steps": 9, "seeing_batch": 2, "held_out": 4}
    with pytest.raises(EarlierRunError, match="--tower learns"):
        train.Run(Args((folder,), tmp_path / "learns", **frozen))  # type: ignore[arg-type]
    with pytest.raises(EarlierRunError, match="--tower learns"):
        train.Run(Args((folder,), tmp_path / "new", seeing_from=tmp_path / "learns", **frozen))  # type: ignore[arg-type]
    train.run(Args((folder,), tmp_path / "frozen", **frozen))  # type: ignore[arg-type]
    with pytest.raises(EarlierRunError, match="another --tower"):
        train.Run(Args((folder,), tmp_path / "frozen", tower="learns", **frozen))  # type: ignore[arg-type]


def test_a_checkpoint_whose_tower_learned_is_judged_by_that_tower(folder: Path, tmp_path: Path) -> None:
    checkpoint = run_with_a_tower_that_learned(folder, tmp_path / "run")
    before = places.run(places.Args(checkpoint, (folder,)))
    for path in folder.rglob("*.features.npy"):
        path.unlink()
    assert places.run(places.Args(checkpoint, (folder,))) == before


def test_a_checkpoint_of_other_places_is_refused(folder: Path, tmp_path: Path) -> None:
    """The one that comes with the package says places in 15 numbers."""
    earlier = ROOT / "vitra_policy/vitra_policy/checkpoints/place"
    with pytest.raises(EarlierRunError, match=rf"in 15 numbers, which are {NUMBERS} by now"):
        places.run(places.Args(earlier, (folder,)))
    run = train.Run(Args((folder,), tmp_path / "run", steps=2, seeing_steps=0, held_out=4, acting_from=earlier))
    with pytest.raises(EarlierRunError, match="train it anew"):
        run.take_step()
