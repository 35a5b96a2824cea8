"""Judging a sample of episodes: drawn once, judged once, shares with intervals, agreement, and the page in Chromium."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vitra_policy.hand.skeleton import default_skeleton
from vitra_policy.transforms import make_pose
from vitra_training.datasets.episode import HumanEpisode, HumanHand, TextWindow
from vitra_training.datasets.formats.vitra_1m import write_episode, write_index
from vitra_training.datasets.video import VideoWriter
from vitra_training.labeling.audit.clip import write_clip
from vitra_training.labeling.audit.judgements import AuditJudgement, JudgementBook, read_judgements
from vitra_training.labeling.audit.sample import AuditSample
from vitra_training.labeling.audit.score import lines, score
from vitra_training.labeling.audit.server import make_app
from vitra_training.labeling.errors import AuditError

TOKEN, EPISODES, LENGTH = "tok", 5, 12
WIDTH, HEIGHT, FRAMES = 96, 72, 120


def made_up_run(root: Path) -> Path:
    """A run of five short episodes of one video of four seconds."""
    episodes = root / "episodes"
    (episodes / "annotations").mkdir(parents=True)
    (episodes / "Video").mkdir()
    with VideoWriter(episodes / "Video/v.mp4", WIDTH, HEIGHT, 30.0) as video:
        for frame in range(FRAMES):
            video.add(np.full((HEIGHT, WIDTH, 3), 2 * frame, np.uint8))
    K = np.array([[80.0, 0, WIDTH / 2], [0, 80, HEIGHT / 2], [0, 0, 1]])
    lengths = {}
    for number in range(EPISODES):
        frames = np.arange(40 + 5 * number, 40 + 5 * number + LENGTH)
        pose = make_pose(np.stack([0.01 * np.arange(LENGTH) - 0.05, 0 * frames, 0 * frames + 0.4], axis=1), np.eye(3))
        points = default_skeleton().posed_keypoints(pose, np.zeros((LENGTH, 45)), "right")
        hand = HumanHand(
            beta=np.zeros(10), global_orient_camspace=pose[:, :3, :3], global_orient_worldspace=pose[:, :3, :3],
            hand_pose=np.tile(np.eye(3), (LENGTH, 15, 1, 1)), transl_worldspace=pose[:, :3, 3],
            kept_frames=np.ones(LENGTH, np.int64), joints_camspace=points, joints_worldspace=points,
        )  # fmt: skip
        id = f"plain_v_ep_{number:06d}"
        write_episode(HumanEpisode(
            id=id, dataset="plain", video_name="v", video_decode_frame=frames, intrinsics=K, anno_type="right",
            extrinsics=np.tile(np.eye(4), (LENGTH, 1, 1)), hands={"left": hand, "right": hand},
            text={"left": (), "right": (TextWindow(f"Pick up cup {number}.", 0, LENGTH, ()),)}, avg_speed=0.01,
            total_rotvec_degree=0.0, total_transl_dist=0.0,
        ), episodes / "annotations")  # fmt: skip
        lengths[id] = LENGTH
    write_index(episodes / "annotations", lengths)
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def sample(run: Path, tmp_path: Path) -> AuditSample:
    (tmp_path / "episodes").symlink_to(run / "episodes")
    return AuditSample(tmp_path, 4, seed=1)


def test_the_sample_is_drawn_once_and_each_judge_has_an_order_of_their_own(sample: AuditSample, tmp_path: Path) -> None:
    assert len(sample) == 4
    again = AuditSample(tmp_path, 500, seed=99)
    assert again.ids == sample.ids
    assert sample.of == EPISODES
    orders = {tuple(sample.order(judge)) for judge in "abcdef"}
    assert len(orders) > 1
    assert all(sorted(order) == sorted(sample.ids) for order in orders)


def test_a_run_that_was_labelled_again_is_not_mixed_with_its_old_sample(sample: AuditSample, tmp_path: Path) -> None:
    path = tmp_path / "audit/sample.json"
    drawn = json.loads(path.read_text())
    drawn["ids"][0] = "plain_v_ep_000099"
    path.write_text(json.dumps(drawn))
    with pytest.raises(AuditError, match="labelled again"):
        AuditSample(tmp_path, 4, seed=1)


def test_a_folder_without_episodes_says_what_to_run_first(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="vitra-label run"):
        AuditSample(tmp_path, 4, seed=1)


def test_a_judgement_is_kept_once_and_survives_a_power_cut(sample: AuditSample, tmp_path: Path) -> None:
    path = tmp_path / "judgements.csv"
    book = JudgementBook(path, sample.ids)
    book.add("ann", sample.ids[0], "yes", "no")
    with pytest.raises(AuditError, match="already"):
        book.add("ann", sample.ids[0], "yes", "yes")
    with pytest.raises(AuditError, match="not in the sample"):
        book.add("ann", "another", "yes", "yes")
    with pytest.raises(AuditError, match="yes or no"):
        book.add("ann", sample.ids[1], "maybe", "yes")
    with path.open("a") as file:
        file.write("2026-01-01,ann,half")
    again = JudgementBook(path, sample.ids)
    again.add("ben", sample.ids[0], "yes", "yes")
    assert [(one.judge, one.caption) for one in read_judgements(path)] == [("ann", "no"), ("ben", "yes")]


def said(judge: str, episode: str, segment: str = "yes", caption: str = "yes") -> AuditJudgement:
    return AuditJudgement("", judge, episode, segment, caption)


def test_shares_have_intervals_and_an_episode_counts_once() -> None:
    result = score([said("a", "1"), said("b", "1", caption="no"), said("a", "2"), said("a", "3", segment="no")])
    assert result is not None
    both, segment, caption, by_a, by_b = result.shares
    assert (both.accepted, both.of) == (1, 3)
    assert (segment.accepted, caption.accepted) == (2, 2)
    assert (by_a.accepted, by_a.of, by_b.of) == (2, 3, 1)
    assert both.interval.low < both.share < both.interval.high
    assert "33.3 %" in lines(result, 3, 9)[0]
    assert score([]) is None


def test_agreement_of_two_judges_is_over_what_both_have_seen() -> None:
    first = [said("a", str(n), "yes" if n < 6 else "no") for n in range(10)]
    second = [said("b", str(n), "yes" if n < 5 else "no") for n in range(9)]
    result = score([*first, *second])
    assert result is not None
    (pair,) = result.pairs
    assert pair.agreement.items == 9
    assert pair.agreement.observed == pytest.approx(8 / 9)
    expected = (6 * 5 + 3 * 4) / 81
    assert pair.agreement.kappa == pytest.approx((8 / 9 - expected) / (1 - expected))


def test_the_clip_shows_a_second_around_the_segment_in_another_frame(sample: AuditSample) -> None:
    id = sorted(sample.ids)[0]
    first = int(sample.clip(id)[2][0])
    with av.open(str(write_clip(sample, id))) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(shown) == LENGTH + 60
    border = np.array([image[3, 3].astype(int) for image in shown])
    green = border[:, 1] - border[:, 0] > 60
    assert green.tolist() == [30 <= n < 30 + LENGTH for n in range(len(shown))]
    inside = shown[10][8 + 10, 8 + 10].astype(int)
    assert np.abs(inside - 2 * (first - 20)).max() < 12


@dataclass
class Served:
    """An audit behind its web pages."""

    address: str
    book: JudgementBook
    sample: AuditSample


@pytest.fixture
def served(sample: AuditSample, tmp_path: Path, serve_app: Callable[..., str]) -> Served:
    book = JudgementBook(tmp_path / "judgements.csv", sample.ids)
    address = serve_app(lambda port: make_app(sample, book, TOKEN, "127.0.0.1", port))
    return Served(address, book, sample)


def get(served: Served, path: str, headers: dict[str, str]) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(served.address + path, headers=headers)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_only_who_has_the_link_sees_anything_and_only_from_this_address(served: Served) -> None:
    assert get(served, "/", {}) == 200
    assert get(served, "/next/ann", {}) == 401
    assert get(served, "/next/ann", {"X-Token": TOKEN}) == 200
    assert get(served, f"/clip/{served.sample.ids[0]}", {}) == 401
    assert get(served, "/clip/..%2F..%2Fetc%2Fpasswd", {"X-Token": TOKEN}) == 404
    assert get(served, "/next/ann", {"X-Token": TOKEN, "Host": "evil.example"}) == 403
    assert get(served, "/next/ann", {"X-Token": TOKEN, "Origin": "http://evil.example"}) == 403
    assert get(served, "/next/a%20b", {"X-Token": TOKEN}) == 400


LOADED = """async () => {
  const video = document.getElementById("clip");
  if (video.readyState < 2) await new Promise((done) => video.addEventListener("loadeddata", done));
  return video.videoWidth;
}"""


def test_a_judge_goes_through_the_sample_and_sees_the_result_at_the_end(served: Served, browser: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{served.address}/#token={TOKEN}")
    page.fill("#name", "ann")
    page.click("#who button")
    for number in range(len(served.sample)):
        page.wait_for_selector(f"#progress:text-is('{number} of 4 judged')")
        page.wait_for_selector("#clip[src]", state="attached")
        assert page.evaluate(LOADED) == WIDTH + 16
        assert page.text_content("#caption").startswith("Pick up cup")
        assert page.is_disabled("#send")
        assert page.is_hidden("#result")
        page.keyboard.press("1")
        page.click("#words button[data-answer=no]" if number == 0 else "#words button[data-answer=yes]")
        page.click("#send")
    page.wait_for_selector("#result li")
    assert "75.0 %" in page.text_content("#result li")
    assert [one.caption for one in served.book.all] == ["no", "yes", "yes", "yes"]
    assert problems == []
    context.close()
