from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vitra_policy.action_space import HAND, SIDES, Side
from vitra_policy.statistics import HandStatistics, Moments, Statistics
from vitra_policy.transforms import integrate_wrist, make_pose, matrix_from_euler_xyz, rotation_angle
from vitra_training.datasets.episode import HumanEpisode, RobotEpisode, TextWindow
from vitra_training.datasets.errors import (
    ForeignStatisticsError,
    MissingCaptionError,
    NotFiniteError,
    NoValidHandError,
)
from vitra_training.datasets.samples.motion import Motion, camera_from_wrist, motion_of
from vitra_training.datasets.samples.sample import (
    Framing,
    SampleOptions,
    choose_view,
    choose_words,
    cut_chunk,
    network_numbers,
)
from vitra_training.datasets.samples.view import full_view
from vitra_training.datasets.sources import EpisodeSource


def find(human: EpisodeSource, both: bool) -> HumanEpisode:
    """An episode in which both hands (or only one) are valid throughout."""
    for number in range(len(human)):
        episode = human.load(number).episode
        assert isinstance(episode, HumanEpisode)
        valid = [bool((episode.hands[side].kept_frames > 0).all()) for side in SIDES]
        if all(valid) if both else sum(valid) == 1:
            return episode
    raise AssertionError("the fixture has no such episode")


def statistics(width: int, *sides: Side) -> Statistics:
    state = Moments(np.zeros(61 if width == 51 else 18), np.ones(61 if width == 51 else 18))
    action = Moments(np.full(width, 0.5), np.full(width, 2.0))
    return Statistics("test", {side: HandStatistics(state, action) for side in sides})


def observed(state: np.ndarray, side: Side) -> np.ndarray:
    hand = state[HAND[side]]
    return make_pose(hand[:3], matrix_from_euler_xyz(hand[3:6]))


@pytest.fixture(scope="module")
def motion(human: EpisodeSource) -> Motion:
    return motion_of(find(human, both=True), 160, 120)


@pytest.mark.parametrize("frame", [0, 3, 20])
def test_a_chunk_integrates_back_to_the_annotated_wrist(motion: Motion, frame: int) -> None:
    chunk = cut_chunk(motion, frame, full_view(motion.camera))
    for side in SIDES:
        steps = int(chunk.step_valid[side].sum())
        reached = integrate_wrist(observed(chunk.state, side), chunk.actions[:steps, HAND[side]][:, :6])
        expected = camera_from_wrist(motion, side, frame, len(motion))[1 : steps + 1]
        assert np.abs(reached[:, :3, 3] - expected[:, :3, 3]).max() < 1e-4
        gap = reached[:, :3, :3] @ np.swapaxes(expected[:, :3, :3], 1, 2)
        assert np.degrees(rotation_angle(gap)).max() < 0.05
        later = slice(frame + 1, frame + 1 + steps)
        assert chunk.actions[:steps, HAND[side]][:, 6:] == pytest.approx(motion.hands[side].fingers_rad[later])


def test_steps_beyond_the_episode_are_masked_and_zero(motion: Motion) -> None:
    last = len(motion) - 1
    for frame, steps in ((last, 0), (last - 1, 1), (last - 5, 5), (0, 16)):
        chunk = cut_chunk(motion, frame, full_view(motion.camera))
        for side in SIDES:
            assert chunk.step_valid[side].tolist() == [k < steps for k in range(16)]
        assert not chunk.actions[steps:].any()


def test_a_gap_in_the_labels_masks_the_steps_beside_it(human: EpisodeSource) -> None:
    episode = find(human, both=True)
    kept = episode.hands["right"].kept_frames.copy()
    kept[4] = 0
    positions = episode.hands["right"].transl_worldspace.copy()
    positions[4] = np.nan
    hand = replace(episode.hands["right"], kept_frames=kept, transl_worldspace=positions)
    motion = motion_of(replace(episode, hands={**episode.hands, "right": hand}), 160, 120)
    chunk = cut_chunk(motion, 0, full_view(motion.camera))
    assert chunk.step_valid["right"][:7].tolist() == [True, True, True, False, False, True, True]
    assert chunk.step_valid["left"].all()
    assert np.isfinite(chunk.actions).all()
    assert not chunk.actions[3:5, HAND["right"]].any()
    hidden = cut_chunk(motion, 4, full_view(motion.camera))
    assert not hidden.hands.right
    assert not hidden.state[HAND["right"]].any()


def test_nan_in_a_valid_frame_is_named(human: EpisodeSource) -> None:
    episode = find(human, both=True)
    positions = episode.hands["left"].transl_worldspace.copy()
    positions[7] = np.nan
    hands = {**episode.hands, "left": replace(episode.hands["left"], transl_worldspace=positions)}
    with pytest.raises(NotFiniteError, match="left wrist position: not finite at frame 7"):
        motion_of(replace(episode, hands=hands), 160, 120)


def test_a_frame_without_a_valid_hand_is_named(human: EpisodeSource) -> None:
    episode = find(human, both=True)
    hands = {side: replace(hand, kept_frames=np.zeros(len(episode), int)) for side, hand in episode.hands.items()}
    motion = motion_of(replace(episode, hands=hands), 160, 120)
    with pytest.raises(NoValidHandError, match="frame 2"):
        cut_chunk(motion, 2, full_view(motion.camera))


def test_a_mirrored_chunk_is_the_other_hand(motion: Motion) -> None:
    plain = cut_chunk(motion, 5, full_view(motion.camera))
    mirrored = cut_chunk(motion, 5, full_view(motion.camera, flipped=True))
    for side, other in (("left", "right"), ("right", "left")):
        assert mirrored.state[HAND[other]][0] == pytest.approx(-plain.state[HAND[side]][0])  # type: ignore[index]
        assert mirrored.state[HAND[other]][1:3] == pytest.approx(plain.state[HAND[side]][1:3])  # type: ignore[index]
        assert mirrored.actions[:, HAND[other]][:, 6:] == pytest.approx(plain.actions[:, HAND[side]][:, 6:])  # type: ignore[index]


def test_captions_hold_in_their_windows_and_idle_hands_say_none(motion: Motion) -> None:
    hands = {
        "left": replace(motion.hands["left"], text=(TextWindow("Hold the left jar", 5, 10),)),
        "right": replace(motion.hands["right"], text=(TextWindow("Open it.", 0, 8, ("Unscrew it.",)),)),
    }
    motion = replace(motion, hands=hands)
    view, rng = full_view(motion.camera), np.random.default_rng(0)
    said = {choose_words(motion, 2, view, rng).instruction for _ in range(20)}
    assert said == {"Left hand: None. Right hand: Open it.", "Left hand: None. Right hand: Unscrew it."}
    assert choose_words(motion, 9, view, rng).instruction == "Left hand: Hold the left jar. Right hand: None."
    mirrored = choose_words(motion, 9, full_view(motion.camera, True), rng).instruction
    assert mirrored == "Left hand: None. Right hand: Hold the right jar."
    with pytest.raises(MissingCaptionError, match="frame 10"):
        choose_words(motion, 10, view, rng)


def test_numbers_are_normalised_padded_and_masked(motion: Motion) -> None:
    view = full_view(motion.camera)
    chunk = cut_chunk(motion, len(motion) - 4, view)
    numbers = network_numbers(chunk, view, "human", statistics(51, "left", "right"))
    assert numbers.action_mask.sum() == 3 * 102
    assert not numbers.action_mask[:, 102:].any()
    expected = (chunk.actions[:3] - 0.5) / (2.0 + 1e-7)
    assert numbers.actions[:3, :102] == pytest.approx(expected, abs=1e-6)
    assert not numbers.actions[~numbers.action_mask].any()
    assert numbers.state_mask.tolist() == [True] * 102 + [False] * 110
    hidden = network_numbers(chunk, view, "human", statistics(51, "left", "right"), hide_state=True)
    assert not hidden.state_mask.any()
    assert not hidden.state.any()


def test_a_hand_without_statistics_is_masked(motion: Motion) -> None:
    view = full_view(motion.camera)
    numbers = network_numbers(cut_chunk(motion, 0, view), view, "human", statistics(51, "right"))
    assert not numbers.action_mask[:, HAND["left"]].any()
    assert numbers.action_mask[:, HAND["right"]].all()


def test_statistics_of_another_kind_of_hand_are_refused(motion: Motion) -> None:
    view = full_view(motion.camera)
    with pytest.raises(ForeignStatisticsError, match="xhand"):
        network_numbers(cut_chunk(motion, 0, view), view, "human", statistics(18, "left", "right"))


def test_robot_fingers_follow_commands_and_wrists_follow_measurements(robot: EpisodeSource) -> None:
    from vitra_policy.hand.xhand_map import xhand_from_mano

    episode = robot.load(0).episode
    assert isinstance(episode, RobotEpisode)
    motion = motion_of(episode, 160, 120)
    chunk = cut_chunk(motion, 3, full_view(motion.camera))
    part = episode.sides["right"]
    right = chunk.actions[:, HAND["right"]]
    assert xhand_from_mano(right[:, 6:]) == pytest.approx(part.hand_joint_target[3:19])
    assert xhand_from_mano(chunk.state[HAND["right"]][6:]) == pytest.approx(part.hand_joint[3])
    assert chunk.state[HAND["right"]][:3] == pytest.approx(part.hand_mount_pose_in_cam[3, :3])
    steps = np.diff(part.hand_mount_pose_in_cam[3:20, :3], axis=0)
    assert right[:, :3] == pytest.approx(steps)


def test_a_plain_instruction_goes_to_the_hands_that_take_part(robot: EpisodeSource) -> None:
    motion = motion_of(robot.load(1).episode, 160, 120)
    words = choose_words(motion, 0, full_view(motion.camera), np.random.default_rng(0))
    assert words.instruction == "Left hand: None. Right hand: Pick up the red cup."


def test_without_augmentation_the_whole_image_is_shown(motion: Motion) -> None:
    view, framing = choose_view(motion, 0, np.random.default_rng(0), SampleOptions(augment=False))
    assert framing is Framing.PLAIN
    assert np.array_equal(view.rotation, np.eye(3))
    assert not view.flipped


def test_half_of_the_human_views_and_no_robot_view_is_flipped(motion: Motion, robot: EpisodeSource) -> None:
    rng = np.random.default_rng(0)
    flips = [choose_view(motion, 0, rng, SampleOptions())[0].flipped for _ in range(200)]
    assert 0.4 < np.mean(flips) < 0.6
    robot_motion = motion_of(robot.load(0).episode, 160, 120)
    assert not any(choose_view(robot_motion, 0, rng, SampleOptions())[0].flipped for _ in range(20))


def test_a_path_without_room_is_shown_whole_and_marked(motion: Motion) -> None:
    wide = motion.hands["right"].palm_world_m.copy()
    cam = np.linalg.inv(motion.camera_from_world[0])
    edges = np.array([[-0.99, -0.99, 1.0], [0.99, 0.99, 1.0]]) * [*np.tan(motion.camera.fov_rad / 2), 1.0]
    wide[:2] = edges @ cam[:3, :3].T + cam[:3, 3]
    hands = {side: replace(motion.hands[side], palm_world_m=wide) for side in SIDES}
    view, framing = choose_view(replace(motion, hands=hands), 0, np.random.default_rng(0), SampleOptions())
    assert framing is Framing.NO_ROOM
    assert view.fov_rad == pytest.approx(motion.camera.fov_rad)


def test_the_other_hand_is_taught_no_further_than_its_caption_goes(human: EpisodeSource) -> None:
    episode = find(human, both=True)
    main, other = episode.anno_type, "left" if episode.anno_type == "right" else "right"
    limited = replace(episode, text={**episode.text, other: (TextWindow("Hold the cup.", 0, 10),)})
    motion = motion_of(limited, 160, 120)
    for frame, steps in ((0, 9), (5, 4), (8, 1), (9, 0)):
        chunk = cut_chunk(motion, frame, full_view(motion.camera))
        assert int(chunk.step_valid[other].sum()) == steps
        assert int(chunk.step_valid[main].sum()) == 16
        assert not chunk.actions[steps:, HAND[other]].any()


def test_no_step_reaches_across_a_dropped_image(human: EpisodeSource) -> None:
    episode = find(human, both=True)
    regular = np.arange(len(episode) - 1) != 6
    motion = motion_of(episode, 160, 120, regular)
    for frame, steps in ((0, 6), (6, 0), (7, 16)):
        chunk = cut_chunk(motion, frame, full_view(motion.camera))
        for side in SIDES:
            assert chunk.step_valid[side].tolist() == [k < steps for k in range(16)]
