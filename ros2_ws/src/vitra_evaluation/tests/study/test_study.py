from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest
from aiohttp.test_utils import TestClient, TestServer

from vitra_evaluation.study.material import Study, StudyError, check_playable, read_study
from vitra_evaluation.study.scores import scores
from vitra_evaluation.study.server import make_app
from vitra_evaluation.study.votes import Vote, VoteBook, read_votes

MODELS = ("ours", "base", "human", "noise")


@pytest.fixture
def study(tmp_path: Path) -> Study:
    for model in MODELS:
        (tmp_path / "videos" / model).mkdir(parents=True)
        for item in ("pour", "sweep", "grasp"):
            (tmp_path / "videos" / model / f"{item}.mp4").write_bytes(f"{model} {item}".encode())
    (tmp_path / "videos/items.yaml").write_text("pour: 'Right hand: Pour.'\n")
    return read_study(tmp_path / "videos", "secret")


def test_every_page_has_every_model_once_in_an_order_of_its_own(study: Study) -> None:
    orders = {tuple(study.video_order(f"p{p}", i)) for p in range(20) for i in range(3)}
    assert all(sorted(order) == sorted(MODELS) for order in orders)
    assert len(orders) > 15
    first = Counter(study.video_order(f"p{p}", 0)[0] for p in range(400))
    assert min(first.values()) > 60
    assert study.video_order("ann", 1) == study.video_order("ann", 1)


def test_a_missing_video_or_model_is_refused(study: Study, tmp_path: Path) -> None:
    (tmp_path / "videos/base/pour.mp4").unlink()
    with pytest.raises(StudyError, match="missing: base/pour"):
        read_study(tmp_path / "videos", "s")
    with pytest.raises(StudyError, match="at least 2 models"):
        read_study(tmp_path / "nothing", "s")


def test_an_instruction_of_an_unknown_item_is_refused_with_its_line(study: Study, tmp_path: Path) -> None:
    (tmp_path / "videos/items.yaml").write_text("pour: a\nswep: b\n")
    with pytest.raises(StudyError, match=r"items.yaml:2: unknown item 'swep'. Did you mean 'sweep'"):
        read_study(tmp_path / "videos", "s")


def test_videos_that_no_browser_plays_are_refused_by_name(study: Study, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"base/grasp\.mp4: no image can be read"):
        check_playable(study)
    for path in (tmp_path / "videos").glob("*/*.mp4"):
        write_video(path, "mpeg4" if path.parent.name == "base" else "libx264")
    with pytest.raises(StudyError, match=r"base/grasp\.mp4: codec") as caught:
        check_playable(study)
    assert "ours" not in str(caught.value)
    for path in (tmp_path / "videos/base").glob("*.mp4"):
        write_video(path, "libx264")
    check_playable(study)


def write_video(path: Path, codec: str) -> None:
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        file.mux(stream.encode())


def test_votes_are_by_place_once_per_page_and_survive_a_restart(study: Study, tmp_path: Path) -> None:
    book = VoteBook(tmp_path / "votes.csv", study)
    order = study.video_order("ann", 0)
    vote = book.add("ann", 0, [2, 0, 1])
    assert vote.ranked == (order[2], order[0], order[1])
    with pytest.raises(StudyError, match="already"):
        book.add("ann", 0, [0, 1, 2])
    for bad in ([0, 1], [0, 0, 1], [0, 1, 9], [0, 1, 2, 3]):
        with pytest.raises(StudyError, match="Rank 3 different"):
            book.add("bob", 0, bad)
    with (tmp_path / "votes.csv").open("a") as file:
        file.write("2026-01-01,cut o")
    assert read_votes(tmp_path / "votes.csv") == [vote]
    book = VoteBook(tmp_path / "votes.csv", study)
    assert book.voted("ann") == {study.items[0].name}
    second = book.add("bob", 0, [0, 1, 2])
    assert read_votes(tmp_path / "votes.csv") == [vote, second]


def test_points_are_three_two_one() -> None:
    votes = [
        Vote("", "ann", "a", "x", "y", "z"),
        Vote("", "bob", "a", "x", "z", "y"),
        Vote("", "bob", "b", "y", "x", "z"),
    ]
    found = {s.model: s for s in scores(votes, ["w", "x", "y", "z"])}
    assert {m: s.mean for m, s in found.items()} == pytest.approx({"x": 8 / 3, "y": 2.0, "z": 4 / 3, "w": 0.0})
    assert found["x"].firsts == 2
    assert found["x"].interval.low <= found["x"].mean <= found["x"].interval.high
    assert scores(votes, ["w", "x", "y", "z"]) == scores(votes, ["w", "x", "y", "z"])
    with pytest.raises(StudyError, match="no votes"):
        scores([], ["x"])


def test_pages_are_anonymous_and_need_the_token(study: Study, tmp_path: Path) -> None:
    book = VoteBook(tmp_path / "votes.csv", study)

    async def story() -> None:
        server = TestServer(make_app(study, book, "tok", "127.0.0.1", 0))
        async with TestClient(server) as client:
            host = {"Host": "127.0.0.1:0", "X-Token": "tok"}
            assert (await client.get("/page/ann", headers=host | {"X-Token": "no"})).status == 401
            assert (await client.get("/page/ann", headers=host | {"Host": "evil:0"})).status == 403
            assert (await client.get("/page/..%2f", headers=host)).status in (400, 404)
            for done in range(3):
                page = await (await client.get("/page/ann", headers=host)).json()
                assert page["done"] == done
                shown = set()
                for place in range(page["videos"]):
                    answer = await client.get(f"/video/ann/{page['item']}/{place}", headers=host)
                    shown.add(await answer.text())
                    assert not any(model in str(answer.headers) + str(answer.url) + str(page) for model in MODELS)
                assert len(shown) == len(MODELS)
                for none in ("9", "-1", "²", "9" * 5000):
                    assert (await client.get(f"/video/ann/{page['item']}/{none}", headers=host)).status == 404
                    assert (await client.get(f"/video/ann/{none}/0", headers=host)).status == 404
                vote = f"/vote/ann/{page['item']}"
                whole = {"ranking": [0, 1, 2], "seen": [0, 1, 2, 3]}
                assert (await client.post(vote, headers=host, json=["a"])).status == 400
                unseen = await client.post(vote, headers=host, json=whole | {"seen": [0, 2, 3]})
                assert (unseen.status, "not seen: 2" in await unseen.text()) == (422, True)
                assert (await client.post(vote, headers=host, json=whole)).status == 200
                assert (await client.post(vote, headers=host, json=whole)).status == 409
            assert "item" not in await (await client.get("/page/ann", headers=host)).json()

    asyncio.run(story())
    assert len(book.votes) == 3
