import re

import pytest

from vitra_recorder.topics import TOPICS, Delivery


def documented(repo_root):
    """Topic names of the table in docs/interfaces.md, sides spelled out."""
    table = (repo_root / "docs/interfaces.md").read_text().split("## Topics")[1].split("## ")[0]
    for row in re.findall(r"^\| (`.*?) \|", table, flags=re.MULTILINE):
        first, *more = re.findall(r"`([^`]+)`", row)
        for name in (first, *(name.replace("...", first.rsplit("/", 1)[0]) for name in more)):
            yield from (name.replace("{side}", side) for side in ("left", "right")) if "{side}" in name else (name,)


def test_every_documented_topic_is_recorded(repo_root):
    names = set(documented(repo_root))
    assert len(names) > 20
    assert names == {topic.name for topic in TOPICS}


def test_no_topic_is_recorded_twice():
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)


def test_every_type_is_known(typestore):
    for topic in TOPICS:
        assert topic.type in typestore.types


def test_hashes_are_those_of_the_installed_messages(typestore):
    pytest.importorskip("rclpy")
    import json
    from pathlib import Path

    from ament_index_python.packages import get_package_share_directory

    share = Path(get_package_share_directory("vitra_msgs"))
    for topic in TOPICS:
        if topic.type.startswith("vitra_msgs/"):
            described = json.loads((share / "msg" / f"{topic.type.split('/')[-1]}.json").read_text())
            hashes = {entry["type_name"]: entry["hash_string"] for entry in described["type_hashes"]}
            assert typestore.hash_rihs01(topic.type) == hashes[topic.type]


def test_what_late_joiners_need_is_latched():
    latched = {topic.name for topic in TOPICS if topic.delivery is Delivery.LATCHED}
    assert latched == {
        "safety_state", "episode_state", "instruction", "policy/running", "/tf_static", "robot_description",
        "doctor/report",
    }  # fmt: skip
