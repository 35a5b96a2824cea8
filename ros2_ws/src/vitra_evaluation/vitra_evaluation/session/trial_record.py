"""What is kept of a trial: the bag, read back; a video; first and last image; figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vitra_bringup import bag_report, images
from vitra_evaluation.backends.measures import bag_measures, chunk_signatures
from vitra_evaluation.session.trial_video import write_trial_video
from vitra_policy.errors import VitraError

VIDEO_NAME = "video.mp4"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was kept.

    Attributes:
        problem: Why the trial cannot count; empty: it does.
        measures: Figures of the bag.
        no_video: Why there is no video although the trial counts; its bag is whole.
    """

    problem: str = ""
    measures: dict[str, float | None] = field(default_factory=dict)
    no_video: str = ""


def clear_leftovers(folder: Path) -> None:
    """Take away what a killed program left half written in a trial's folder.

    Args:
        folder: The trial's folder.
    """
    images.partial_video(folder / VIDEO_NAME).unlink(missing_ok=True)


def keep_evidence(
    folder: Path, bag: Path | None, first: bytes | None, last: bytes | None, caption: str, alias: str = ""
) -> Evidence:
    """Read the bag back, take its figures, make the images.

    Args:
        folder: the trial's folder.
        bag: the recorded bag, or None.
        first: JPEG before the policy started.
        last: JPEG at its end.
        caption: text for the video; must not tell the policy.
        alias: of the trial: what the bag's chunks must be signed with.
    """
    for name, data in (("first.jpg", first), ("last.jpg", last)):
        if data:
            (folder / name).write_bytes(data)
    if bag is None:
        return Evidence("no bag was recorded")
    try:
        measures, signed = bag_measures(bag), chunk_signatures(bag)
    except (VitraError, OSError, ValueError, KeyError, AssertionError) as error:
        return Evidence(f"the bag cannot be read: {type(error).__name__}: {error}")
    except Exception as error:  # rosbags has its own unrelated error types
        return Evidence(f"the bag cannot be read: {type(error).__name__}: {error}")
    if not measures.get("messages"):
        return Evidence("the bag is empty")
    if alias and signed - {alias}:
        return Evidence(f"the bag holds answers of another trial ({', '.join(sorted(signed - {alias}))})", measures)
    if any("color/image_raw" in topic and count for topic, count in bag_report.topics(bag).items()):
        try:
            write_trial_video(folder / VIDEO_NAME, bag, caption)
        except VitraError as error:
            return Evidence(f"no video: {error}", measures)
        except OSError as error:  # of the disk, not of the bag, which was read back
            return Evidence(measures=measures, no_video=f"{VIDEO_NAME} cannot be written: {error.strerror or error}")
    return Evidence(measures=measures)
