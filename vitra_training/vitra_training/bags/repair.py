"""Makes a whole bag of one that was cut off or damaged, and reads it; what was there before goes to `originals/`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vitra_policy.bag_metadata import METADATA_NAME
from vitra_policy.bag_storage import is_being_written
from vitra_training.bags.errors import (
    BagInUseError,
    ContradictoryBagError,
    HopelessBagError,
    NothingToRecoverError,
    SqliteBagError,
)
from vitra_training.bags.find import ORIGINALS, PARTIAL, folders, holds_bag_files, is_damaged
from vitra_training.bags.mcap_recovery import Damage, DamageKind
from vitra_training.bags.own_account import (
    SAVED,
    UNJUDGED,
    custom_data,
    disagreements,
    join_texts,
    own_account,
    read_information,
)
from vitra_training.bags.readable import clean_texts, readable
from vitra_training.bags.split_recovery import mcap_files, recover_parts
from vitra_training.bags.storage_kind import Storage, missing_files, storage_of
from vitra_training.bags.streams import read_streams
from vitra_training.bags.writer import WRITING, move_to_originals, unused, write_bag
from vitra_training.datasets.errors import BrokenFileError

REPAIRING = ".repairing.partial"
_OURS = (REPAIRING, WRITING)
"""Endings of folders that only an interrupted repair leaves; what they hold is still in the damaged bag."""


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair did."""

    source: Path
    result: Path
    """The whole bag; the source itself when nothing was wrong."""
    original: Path | None
    """Where the damaged one is now; None when nothing was wrong."""
    messages: int
    duration_s: float
    damages: tuple[Damage, ...]


def repair_bag(path: Path) -> RepairReport:
    """Recover every whole message of a bag. The result has been read to its end before it takes its place.

    Raises:
        NoBagError: no `.mcap` file there.
        NotOneRecordingError: several that are no parts of one recording.
        SqliteBagError: it is of SQLite and damaged.
        MixedStorageError: files of MCAP and SQLite are there, and no metadata.
        ContradictoryBagError: its metadata and its files can be read, but say different things.
        BagInUseError: a recorder writes it.
        NothingToRecoverError: not one whole message.
        HopelessBagError: what could be recovered cannot be read either.
        BagWriteError: the disk refuses the repaired bag; nothing is left of it.
    """
    if path.is_symlink() or path.name in ("", ".."):
        path = path.resolve()  # a link that is moved away may lead nowhere, and what stands here needs a name
    damages: list[Damage] = []
    if (path / METADATA_NAME).is_file() and not path.name.endswith(PARTIAL):
        try:
            report = _nothing_wrong(path)
            if wrong := own_account(path).contradictions:
                raise ContradictoryBagError(path, wrong)
            return report
        except BrokenFileError as cause:
            damages.append(Damage(DamageKind.UNREADABLE, 0, cause.detail[:300]))
    if storage_of(path) is Storage.SQLITE:
        raise SqliteBagError(path, "; ".join(map(str, damages)) or f"it has no {METADATA_NAME}", missing_files(path))
    files = mcap_files(path)
    if any(map(is_being_written, files)):
        raise BagInUseError(path)
    found = recover_parts(files)
    streams, messages, left_out = readable(found)
    damages += [*found.damages, *left_out]
    if not messages:
        raise NothingToRecoverError(path, "; ".join(map(str, damages)) or "no messages")
    told = {METADATA_NAME: custom_data(path), "the recording itself": found.about}
    damages += [Damage(DamageKind.CONTRADICTION, 0, words) for words in disagreements(told)]
    words = "; ".join(map(str, damages)) or "it had no metadata.yaml"
    texts = join_texts(found.about, custom_data(path))
    about = clean_texts({**texts, "repaired": f"{datetime.now(UTC).isoformat()}: {words}"})
    if damages and about.get("outcome") == SAVED:  # of the whole recording, of which this is a part
        about |= {"outcome": UNJUDGED, "ended": "an operator saved it before a part was lost; it was repaired"}
    name = path.name.removesuffix(PARTIAL)
    for left in path.parent.glob(f"{name}{REPAIRING}*"):
        shutil.rmtree(left, ignore_errors=True)
    staging = unused(path.with_name(name + REPAIRING))
    staged = staging / name
    try:
        write_bag(staged, streams, ((m.channel, m.log_time_ns, bytes(m.data)) for m in messages), about)
        try:
            duration_s = _nothing_wrong(staged, len(messages)).duration_s
        except BrokenFileError as cause:
            raise HopelessBagError(path, cause.detail) from None
        original = move_to_originals(path)
        result = unused(path.with_name(name))
        staged.rename(result)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return RepairReport(path, result, original, len(messages), duration_s, tuple(damages))


def clear_leftovers(folder: Path) -> list[Path]:
    """Remove what interrupted repairs left below a folder, and put in place what they had completed."""
    if folder.name.endswith(PARTIAL) or (folder.is_dir() and holds_bag_files(folder)):
        return []
    left = [p for ending in _OURS for p in folder.rglob(f"*{ending}*") if p.is_dir()]
    left = [p for p in left if not any(is_being_written(file) for file in p.rglob("*.mcap"))]
    for staging in left:
        name = staging.name.split(REPAIRING)[0]
        done, place = staging / name, staging.with_name(name)
        if (done / METADATA_NAME).is_file() and not place.exists() and not place.with_name(name + PARTIAL).exists():
            done.rename(place)  # killed after the damaged bag had been moved away
        shutil.rmtree(staging, ignore_errors=True)
    return left


def find_all(folder: Path) -> list[Path]:
    """Every bag below a folder, whole or not; a bag itself is returned as it is."""
    if folder.name.endswith(PARTIAL) or (folder.is_dir() and holds_bag_files(folder)):
        return [folder]
    return sorted(place for place in folders(folder, (ORIGINALS,)) if _is_bag(place))


def _is_bag(place: Path) -> bool:
    return is_damaged(place) or (place / METADATA_NAME).is_file()


def _nothing_wrong(path: Path, expected: int | None = None) -> RepairReport:
    """Read a whole bag to its end.

    Raises:
        BrokenFileError: it cannot be read, or holds another number of messages than it says.
    """
    bag = read_streams(path)
    count = sum(len(stream.arrivals_ns) for stream in bag.streams.values())
    expected = _stated_count(path) if expected is None else expected
    if count != expected:
        raise BrokenFileError(path, "rosbag2 directory", f"{count} messages, of {expected} that there should be")
    return RepairReport(path, path, None, count, bag.end_s - bag.begin_s, ())


def _stated_count(path: Path) -> int | None:
    try:
        return int(read_information(path)["message_count"])
    except (KeyError, TypeError, ValueError, OverflowError) as cause:
        raise BrokenFileError(path / METADATA_NAME, "rosbag2 metadata", cause) from None
