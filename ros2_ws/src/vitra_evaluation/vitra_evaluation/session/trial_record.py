"""What is kept of a trial: the bag, read back; a video; first and last image; figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vitra_bringup import bag_report
from vitra_evaluation.backends.measures import bag_measures, chunk_signatures
from vitra_evaluation.session.trial_video import write_trial_video
from vitra_policy.errors import VitraError


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was kept; `problem` says why the trial cannot count."""

    problem: str = ""
    measures: dict[str, float | None] = field(default_factory=dict)


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
            write_trial_video(folder / "video.mp4", bag, caption)
        except VitraError as error:
            return Evidence(f"no video: {error}", measures)
    return Evidence(measures=measures)
