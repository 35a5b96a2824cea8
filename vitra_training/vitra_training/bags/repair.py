"""Makes a whole bag of one that was cut off or damaged; what was there before goes to `originals/`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vitra_training.bags.errors import NoBagError, NothingToRecoverError
from vitra_training.bags.mcap_recovery import Channel, Damage, Salvage, salvage
from vitra_training.bags.writer import (
    METADATA_NAME,
    Stream,
    custom_data,
    move_to_originals,
    unused,
    write_bag,
)

PARTIAL = ".partial"


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
    """Recover every whole message of a bag.

    Raises:
        NoBagError: no `.mcap` file there.
        NothingToRecoverError: not one whole message.
    """
    file = mcap_file(path)
    found = salvage(file)
    name = path.name.removesuffix(PARTIAL)
    about = custom_data(path) or found.about
    has_metadata = (path / METADATA_NAME).is_file() and bool(custom_data(path) or not found.about)
    times = [message.log_time_ns for message in found.messages]
    duration_s = (times[-1] - times[0]) * 1e-9 if times else 0.0
    if not found.damages and has_metadata and not path.name.endswith(PARTIAL):
        return RepairReport(path, path, None, len(times), duration_s, ())
    if not times:
        raise NothingToRecoverError(path, "; ".join(map(str, found.damages)) or "no messages")
    words = "; ".join(map(str, found.damages)) or "it had no metadata.yaml"
    about = {**about, "repaired": f"{datetime.now(UTC).isoformat()}: {words}"}
    staging = unused(path.with_name(f"{name}.repairing{PARTIAL}"))
    staged = staging / name
    write_bag(staged, _streams(found), ((m.channel, m.log_time_ns, m.data) for m in found.messages), about)
    original = move_to_originals(path)
    result = unused(path.with_name(name))
    staged.rename(result)
    staging.rmdir()
    return RepairReport(path, result, original, len(times), duration_s, tuple(found.damages))


def mcap_file(path: Path) -> Path:
    """The one MCAP file of a bag folder, whole or cut off.

    Raises:
        NoBagError: there is none, or more than one.
    """
    if path.is_file() and path.suffix == ".mcap":
        return path
    files = sorted([*path.glob("*.mcap"), *path.glob("*/*.mcap")]) if path.is_dir() else []
    if len(files) != 1:
        raise NoBagError(path)
    return files[0]


def find_broken(folder: Path) -> list[Path]:
    """Bags below a folder that were cut off or lost their metadata; a bag itself is returned as it is."""
    if folder.name.endswith(PARTIAL) or list(folder.glob("*.mcap")):
        return [folder]
    broken = [p for p in folder.rglob(f"*{PARTIAL}") if p.is_dir() and list(p.glob("*/*.mcap"))]
    for file in folder.rglob("*.mcap"):
        if not any(part.endswith(PARTIAL) for part in file.parts) and not (file.parent / METADATA_NAME).is_file():
            broken.append(file.parent)
    return sorted(path for path in broken if "originals" not in path.parts)


def _streams(found: Salvage) -> dict[int, Stream]:
    streams = {}
    for number, channel in found.channels.items():
        schema = found.schemas.get(channel.schema)
        streams[number] = Stream(
            channel.topic,
            schema.name if schema else "unknown/msg/Unknown",
            schema.text if schema else "",
            _qos(channel),
        )
    return streams


def _qos(channel: Channel) -> tuple[object, ...]:
    from rosbags.rosbag2.storage_mcap import get_qos

    try:
        return tuple(get_qos(channel.metadata))
    except Exception:  # the text may be damaged; the offered QoS is a courtesy
        return ()
