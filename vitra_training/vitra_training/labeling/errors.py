"""What can go wrong while labeling, one class per cause; an `InputError` is the video's fault and is never retried."""

from __future__ import annotations

from pathlib import Path

from vitra_policy.errors import VitraError


class LabelingError(VitraError):
    """Something failed while labeling; the message names the video."""


class InputError(LabelingError):
    """The video cannot be labelled, however often it is tried."""


class UnreadableVideoError(InputError):
    """Not a video, or broken so early that nothing can be decoded."""

    def __init__(self, path: Path | str, detail: object) -> None:
        super().__init__(f"{path}: not a readable video ({detail}). Copy or download it again.")


class NoImageError(InputError):
    """A file with sound only."""

    def __init__(self, path: Path | str, streams: str) -> None:
        super().__init__(f"{path}: no video stream, only {streams}. Leave the file out, or name the video itself.")


class TooShortError(InputError):
    """Fewer frames than a motion needs."""

    def __init__(self, path: Path | str, frames: int, least: int) -> None:
        super().__init__(f"{path}: {frames} frame(s), but a motion needs at least {least}. Leave the file out.")


class TooSlowError(InputError):
    """A frame rate at which hands jump from image to image."""

    def __init__(self, path: Path | str, fps: float, least: float) -> None:
        super().__init__(
            f"{path}: {fps:.2g} frames/s, but hands can be followed only from {least:.2g} on. "
            "Use the original recording, not a time lapse or a preview."
        )


class NoVideosError(LabelingError):
    """A folder in which nothing can be labelled."""

    def __init__(self, root: Path, layout: str, expected: str) -> None:
        super().__init__(f"{root}: no videos of the {layout} layout found. Expected {expected}.")


class NoHandsError(InputError):
    """Not one trusted hand in a whole video."""

    def __init__(self, video: str, seen: float) -> None:
        super().__init__(f"{video}: hands in {seen:.0%} of the frames, too few for an episode. Counted and left out.")


class ArtifactError(LabelingError):
    """A stage's output on disk that is missing, broken or of another type."""

    def __init__(self, path: Path, expected: str, detail: object) -> None:
        super().__init__(
            f"{path}: not a complete {expected} ({detail}). Delete the folder and run `vitra-label run` again; "
            "only that stage and what follows it are redone."
        )


class DiskFullError(LabelingError):
    """No space left; everything finished so far is kept."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"No space left on the disk of {path}. Everything finished so far is kept: make room and run the same "
            "command again."
        )


class MissingModelError(LabelingError):
    """Weights or a package that an estimator needs are not here."""

    def __init__(self, estimator: str, missing: str, how: str, licence: str) -> None:
        super().__init__(f"{estimator} needs {missing}. {how} Licence: {licence}.")


class EstimatorFailedError(LabelingError):
    """An outside estimator ran and gave nothing that can be used."""

    def __init__(self, estimator: str, detail: str) -> None:
        super().__init__(f"{estimator} gave no result: {detail}. Run it by hand on the same video to see why.")


class LensError(InputError):
    """A lens that cannot be, or not that of the video."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"{detail}.")


class LensFileError(LabelingError):
    """A file that describes no lens."""

    def __init__(self, path: Path, detail: object) -> None:
        super().__init__(
            f"{path}: not the description of a lens ({detail}). It is JSON with kind, width_px, height_px and "
            "parameters (docs/labeling/README.md: Lenses); `vitra-label lens` makes one."
        )


class AuditError(LabelingError):
    """A sample or a judgement that cannot be."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"{detail}.")
