"""What can be wrong with a bag as a file, one class per cause."""

from __future__ import annotations

from pathlib import Path

from vitra_training.datasets.errors import DatasetError


class NoBagError(DatasetError):
    """A path without a bag."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: no bag. Expected a folder with metadata.yaml and one .mcap file, a `.partial` folder of a "
            "recording that was cut off, or a folder of such folders."
        )


class NothingToRecoverError(DatasetError):
    """A damaged bag without a single whole message."""

    def __init__(self, path: Path, damages: object) -> None:
        super().__init__(f"{path}: not one whole message is in it ({damages}). It is left as it is.")


class BagExistsError(DatasetError):
    """A place that is taken; nothing is overwritten."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists already and is not overwritten. Choose another place or move it away.")


class EmptyTrimError(DatasetError):
    """A cut that would leave nothing."""

    def __init__(self, path: Path, begin_s: float, end_s: float, duration_s: float) -> None:
        super().__init__(
            f"{path}: from {begin_s:.2f} s to {end_s:.2f} s nothing is left of its {duration_s:.2f} s. Times are "
            "seconds from the beginning of the bag."
        )
