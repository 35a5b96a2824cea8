"""What can be wrong with a bag as a file, one class per cause."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vitra_training.datasets.errors import DatasetError, absence


class NoBagError(DatasetError):
    """A path without a bag."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: no bag{absence(path)}. Expected a folder with metadata.yaml and one .mcap file, a `.partial` "
            "folder of a recording that was cut off, or a folder of such folders. What else may be there: "
            f"`vitra-data inspect {path}`."
        )


class SeveralBagsError(DatasetError):
    """A folder of bags where one bag is asked for."""

    def __init__(self, path: Path, bags: Sequence[Path]) -> None:
        super().__init__(
            f"{path} is no bag, but {len(bags)} are in it. Name one of them: {', '.join(map(str, bags[:5]))}"
            f"{' ...' if len(bags) > 5 else ''}"
        )


class NotOneRecordingError(DatasetError):
    """Files in one folder that are no parts of one recording."""

    def __init__(self, path: Path, reasons: Sequence[str]) -> None:
        more = f"; and {len(reasons) - 5} more" if len(reasons) > 5 else ""
        super().__init__(
            f"{path}: its .mcap files are not the parts of one recording ({'; '.join(reasons[:5])}{more}), and nothing "
            "is made of them. Move the files of each recording into a folder of its own and run `vitra-bag repair` on "
            f"each. If they are one all the same, `ros2 bag reindex {path} -s mcap` makes them one bag."
        )


class NothingToRecoverError(DatasetError):
    """A damaged bag without a single whole message."""

    def __init__(self, path: Path, damages: object) -> None:
        super().__init__(f"{path}: not one whole message is in it ({damages}). It is left as it is.")


class SqliteBagError(DatasetError):
    """A damaged bag of SQLite, which nothing here repairs."""

    def __init__(self, path: Path, cause: object, missing: Sequence[str] = ()) -> None:
        super().__init__(f"{path} is damaged ({cause}) and left as it is. {sqlite_advice(path, missing)}")


def sqlite_advice(path: Path, missing: Sequence[str]) -> str:
    """What to do with a damaged bag of SQLite.

    Args:
        path: The bag.
        missing: Files that its metadata name and that are not there.
    """
    lost = (
        f"{', '.join(missing)}, which its metadata.yaml names, is missing: copy it there; to go on without, see below. "
    )
    return (
        f"{lost if missing else ''}It is a bag of SQLite (.db3), and only MCAP bags are repaired here. "
        "If its .db3 is damaged, `sqlite3 OLD.db3 .recover | sqlite3 NEW.db3` saves what is readable. "
        f"Then `ros2 bag reindex {path} -s sqlite3` writes metadata.yaml anew, and `rosbags-convert --src {path} "
        f"--dst {path}_mcap --dst-storage mcap` makes an MCAP bag of it."
    )


class MixedStorageError(DatasetError):
    """Files of MCAP and of SQLite in one folder, and nothing that says which are the recording."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} holds .mcap and .db3 files and no metadata.yaml that says which of them are the recording. "
            f"Nothing is made of them: move one kind into a folder of its own, then run `vitra-bag repair {path}`."
        )


class ContradictoryBagError(DatasetError):
    """A bag that is read to its end, but whose files and metadata say different things."""

    def __init__(self, path: Path, contradictions: Sequence[str]) -> None:
        super().__init__(
            f"{path} can be read to its end, but {'; '.join(contradictions)}. No repair can know what is true, and it "
            f"is left as it is. Set that right, then `vitra-bag check {path}` judges it."
        )


class BagExistsError(DatasetError):
    """A place that is taken; nothing is overwritten."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists already and is not overwritten. Choose another place or move it away.")


class InsideBagError(DatasetError):
    """A new folder within a bag."""

    def __init__(self, path: Path, bag: Path) -> None:
        super().__init__(
            f"{path} lies in the bag {bag}, and nothing is written into a bag. Choose another place, or move it out of "
            "that bag."
        )


class EmptyTrimError(DatasetError):
    """A cut that would leave nothing."""

    def __init__(self, path: Path, begin_s: float, end_s: float, duration_s: float) -> None:
        super().__init__(
            f"{path}: from {begin_s:.2f} s to {end_s:.2f} s nothing is left of its {duration_s:.2f} s. Times are "
            "seconds from the beginning of the bag."
        )


class BagWriteError(DatasetError):
    """A bag that the disk refuses; nothing is left of it."""

    def __init__(self, path: Path, cause: OSError) -> None:
        hint = "Make room, get access, or choose another disk."
        super().__init__(f"{path} cannot be written: {cause.strerror or cause}. {hint}")


class HopelessBagError(DatasetError):
    """A damaged bag of which nothing can be made that a reader takes."""

    def __init__(self, path: Path, cause: object) -> None:
        super().__init__(
            f"{path} is hopeless: what could be recovered cannot be read either ({cause}). It is left as it is."
        )


class CameraGapError(DatasetError):
    """A camera that was silent in the middle of an episode for longer than can be masked."""

    def __init__(self, path: Path, gap_s: float, at_s: float) -> None:
        super().__init__(
            f"{path}: the camera was silent for {gap_s:.2f} s from {at_s:.2f} s on. Cut the episode there: "
            f"`vitra-bag trim {path} OUT --end-s {at_s:.2f}`."
        )


class NoImagesError(DatasetError):
    """A bag none of whose images can be used."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{path}: no image can be used: {detail}")


class NobodyJudgedError(DatasetError):
    """Bags of which no operator said that they are good."""

    def __init__(self, path: Path, count: int) -> None:
        super().__init__(
            f"{path}: no operator saved any of its {count} bags that can be read (the recorder was stopped, the disk "
            f"was full, they were repaired or are damaged). Look at them (`vitra-bag check {path}`); `vitra-bag "
            f"convert {path} OUT --unjudged` takes those that nobody discarded all the same."
        )


class BagInUseError(DatasetError):
    """A bag that is being recorded right now."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is being recorded right now. End the recording first (recorder/save or discard).")
