import pytest
import yaml
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Reader

from vitra_recorder.bag import BagError, BagWriter, free_bytes, leftovers, note_outcome, unused
from vitra_recorder.topics import Delivery

STRING = "std_msgs/msg/String"


def test_a_bag_appears_under_its_name_only_when_it_is_complete(tmp_path, typestore, text):
    bag = BagWriter(tmp_path / "runs", "one", typestore, {"operator": "Ada"})
    bag.write("/instruction", STRING, Delivery.LATCHED, 1000, text("hello"))
    assert not (tmp_path / "runs/one").exists()
    assert leftovers(tmp_path / "runs") == [tmp_path / "runs/one.partial"]
    assert bag.finish() == tmp_path / "runs/one"
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["one"]
    assert sorted(p.name for p in (tmp_path / "runs/one").iterdir()) == ["metadata.yaml", "one.mcap"]
    with AnyReader([tmp_path / "runs/one"]) as reader:
        (connection, stamp_ns, raw), *rest = reader.messages()
        assert (connection.topic, stamp_ns, reader.deserialize(raw, STRING).data) == ("/instruction", 1000, "hello")
        assert not rest
    with Reader(tmp_path / "runs/one") as reader:
        assert reader.connections[0].ext.offered_qos_profiles[0].durability.name == "TRANSIENT_LOCAL"
    information = yaml.safe_load((tmp_path / "runs/one/metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert information["custom_data"] == {"operator": "Ada"}


def test_what_is_said_of_a_bag_is_read_from_its_metadata_as_from_its_file(tmp_path, typestore):
    words = {"notes": "aInfo\\nstd_msgs/Header \x07header\\n" * 9}
    bag = BagWriter(tmp_path, "run", typestore, words).finish(more_data={"outcome": "saved"})
    note_outcome(bag, "discarded", "two\x85lines")
    information = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert information["custom_data"] == words | {"outcome": "discarded", "discard_reason": "two\x85lines"}


@pytest.mark.parametrize("taken", ["one", "one.partial"])
def test_nothing_is_overwritten(tmp_path, typestore, taken):
    (tmp_path / taken).mkdir()
    with pytest.raises(BagError, match="exists already"):
        BagWriter(tmp_path, "one", typestore, {})


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x.partial", "a b"])
def test_a_name_that_is_no_name_is_refused(tmp_path, typestore, name):
    with pytest.raises(BagError, match="no name for a bag"):
        BagWriter(tmp_path, name, typestore, {})


def test_a_folder_that_cannot_be_made_is_named(tmp_path, typestore):
    (tmp_path / "file").write_text("")
    with pytest.raises(BagError, match="Cannot record into"):
        BagWriter(tmp_path / "file" / "folder", "one", typestore, {})


def test_after_a_checkpoint_the_data_is_in_the_file(tmp_path, typestore, text):
    bag = BagWriter(tmp_path, "one", typestore, {})
    bag.checkpoint()
    bag.write("/instruction", STRING, Delivery.SENSOR, 1, text("precious"))
    file = tmp_path / "one.partial/one/one.mcap"
    assert b"precious" not in file.read_bytes()
    bag.checkpoint()
    assert b"precious" in file.read_bytes()
    bag.write("/instruction", STRING, Delivery.SENSOR, 2, text("later"))
    path = bag.finish()
    with AnyReader([path]) as reader:
        assert [reader.deserialize(raw, STRING).data for _, _, raw in reader.messages()] == ["precious", "later"]


def test_an_abandoned_bag_stays_partial(tmp_path, typestore, text):
    bag = BagWriter(tmp_path, "one", typestore, {})
    bag.write("/instruction", STRING, Delivery.SENSOR, 1, text("x"))
    assert bag.abandon() == tmp_path / "one.partial"
    assert not (tmp_path / "one").exists()


def test_free_space_is_found_for_a_folder_that_is_not_there_yet(tmp_path):
    assert free_bytes(tmp_path / "a/b/c") > 0


def test_a_name_that_was_begun_gets_a_number(tmp_path):
    assert unused(tmp_path / "bag") == tmp_path / "bag"
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag_2.partial").mkdir()
    assert unused(tmp_path / "bag") == tmp_path / "bag_3"


def test_every_chunk_has_a_checksum_and_the_words_are_there_from_the_start(tmp_path, typestore, text):
    from rosbags.rosbag2.errors import ReaderError

    bag = BagWriter(tmp_path, "one", typestore, {"operator": "Ada"})
    assert b"operator" in (tmp_path / "one.partial/one/one.mcap").read_bytes()
    bag.write("/instruction", STRING, Delivery.SENSOR, 1, text("precious"))
    path = bag.finish(tmp_path / "elsewhere/one", {"outcome": "saved"})
    file = path / "one.mcap"
    file.write_bytes(file.read_bytes().replace(b"precious", b"pretious", 1))
    with AnyReader([path]) as reader, pytest.raises(ReaderError, match="checksum"):
        list(reader.messages())
