"""What can be wrong with a data set, one class per cause; all are `DatasetError`, which a loader counts and skips."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from pathlib import Path

from vitra_policy.errors import VitraError


class DatasetError(VitraError):
    """Something is wrong with one file or one episode; the message names it."""


class ForeignTypeError(DatasetError):
    """A pickle asks for a type that no data set needs: perhaps an attack."""

    def __init__(self, path: Path | str, module: str, name: str) -> None:
        super().__init__(
            f"{path}: the pickle asks for '{module}.{name}', but only numpy arrays, scalars and builtin containers are "
            "allowed. Nothing was executed. Do not load this file by other means unless you made it yourself."
        )


class BrokenFileError(DatasetError):
    """A file is truncated, empty or not of its format."""

    def __init__(
        self, path: Path | str, expected: str, detail: object, advice: str = "Copy or download the file again."
    ) -> None:
        super().__init__(f"{path}: not a readable {expected} ({detail}). {advice}")
        self.detail = str(detail)


class MissingKeyError(DatasetError):
    """A key, column or group that the format promises is absent."""

    def __init__(self, path: Path | str, key: str, found: object) -> None:
        super().__init__(f"{path}: '{key}' is missing; found {found}. The format is described in docs/data.md.")


class WrongShapeError(DatasetError):
    """An array has another shape or type than the format promises."""

    def __init__(self, where: str, got: object, expected: str) -> None:
        super().__init__(f"{where}: is {got}, expected {expected}.")


class NotFiniteError(DatasetError):
    """NaN or infinity in a pose, a joint or an intrinsic where a valid frame claims a measurement."""

    def __init__(self, where: str, frame: int) -> None:
        super().__init__(f"{where}: not finite at frame {frame}. Mark the frame invalid or drop the episode.")


class BrokenPromiseError(DatasetError):
    """Numbers that cannot be right: other units, a camera of another size, poses that contradict each other."""

    def __init__(self, episode: str, check: str, message: str) -> None:
        super().__init__(f"{episode}: {check}: {message} It is left out; mend it, then `vitra-data validate` passes.")


class NoValidHandError(DatasetError):
    """Neither hand is valid where a sample or an episode needs one."""

    def __init__(self, where: str) -> None:
        super().__init__(f"{where}: no valid hand, so there is nothing to learn. The episode or frame is left out.")


class MissingCaptionError(DatasetError):
    """A valid hand without any caption for the frame, or captions outside the episode."""

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(f"{where}: {detail}. Write a caption window [start, end) that covers the frames.")


class VariableFrameRateError(DatasetError):
    """Frames of a video are not equally spaced, so frame numbers do not tell the time."""

    def __init__(self, path: Path | str, shortest_s: float, longest_s: float) -> None:
        super().__init__(
            f"{path}: variable frame rate (gaps of {shortest_s * 1e3:.2f} to {longest_s * 1e3:.2f} ms). Re-encode at a "
            "constant rate, for example `ffmpeg -i in.mp4 -vsync cfr -r 30 out.mp4`, and relabel."
        )


class FrameMissingError(DatasetError):
    """A frame number that the video does not have, or that cannot be decoded."""

    def __init__(self, path: Path | str, frame: int, frames: int) -> None:
        super().__init__(f"{path}: frame {frame} cannot be decoded; the video has {frames} frames (0 to {frames - 1}).")


class UnknownFormatError(DatasetError):
    """A path that holds none of the formats we read; folders in it that do are named."""

    def __init__(self, path: Path | str, within: Sequence[Path] = ()) -> None:
        inside = f" It holds some: {', '.join(map(str, within))}; give one of them." if within else ""
        super().__init__(
            f"{path}: no data set found{absence(path)}.{inside} Expected a folder with *.npy (VITRA-1M), *.h5 "
            "(TeleData), store.json (canonical store), meta/info.json (LeRobot), *.tar (EgoSmith), or rosbag2 folders "
            "(metadata.yaml); or one such episode file. Made-up ones to try things with: `vitra-data synth OUT`."
        )


def absence(path: Path | str) -> str:
    """For an error about a path: that nothing at all is there, with the whole path; empty where something is."""
    return "" if Path(path).exists() else f", for {Path(path).absolute()} does not exist"


class ConversionError(DatasetError):
    """An episode that the target format cannot hold."""

    def __init__(self, episode: str, target: str, detail: str) -> None:
        super().__init__(f"Episode {episode} cannot be written as {target}: {detail}.")


class EpisodeExistsError(ConversionError):
    """An episode of that name is in the target already, which is no fault of the one that was to be written."""

    def __init__(self, episode: str, target: str, place: Path) -> None:
        super().__init__(episode, target, f"{place} exists already and is not overwritten; choose a new folder")


class TargetTakenError(ConversionError):
    """A place where a data set cannot be written, for something is there."""

    def __init__(self, place: Path, target: str, detail: str) -> None:
        DatasetError.__init__(self, f"{place}: no {target} can be written there: {detail}.")


class FileTakenError(DatasetError):
    """A place for a file where another one is."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists already and is not overwritten. Choose another place or move it away.")


class RecordingsError(DatasetError):
    """Recordings, where a data set to learn from is asked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} holds recordings, of which nobody has sorted out those that fail their check or that no operator "
            f"saved. `vitra-bag convert {path} OUT` does; then name OUT/canonical instead."
        )


class DiskError(DatasetError):
    """A disk that refuses what is to be written."""

    def __init__(self, where: str, cause: OSError) -> None:
        no_room = cause.errno in (None, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a library may not say which
        hint = "Make room, or choose another disk." if no_room else "Give another path, or access to this one."
        super().__init__(
            f"{where} cannot be written: {cause.strerror or cause}. What was not complete is removed. {hint}"
        )


class EmptyDatasetError(DatasetError):
    """No usable frame remains."""

    def __init__(self, where: str, detail: str = "") -> None:
        super().__init__(f"{where}: no usable frame. {detail} Run `vitra-data validate` on it for the causes.")


class NothingConvertedError(EmptyDatasetError):
    """Every episode failed, so there is no data set."""

    def __init__(self, where: str, failed: Mapping[str, str]) -> None:
        (name, why), more = next(iter(failed.items())), len(failed) - 1
        others = f" ({more} more episodes failed.)" if more else ""
        said = f"{where}: nothing is written, since no episode could be converted. {name}: {why}{others}"
        DatasetError.__init__(self, said)


class SurveyStalledError(VitraError):
    """Other training processes do not deliver their parts of the survey."""

    def __init__(self, folder: Path, missing: int, parts: int, waited_s: float) -> None:
        super().__init__(
            f"{folder}: {missing} of {parts} parts are missing, and none came for {waited_s:.0f} s. Is the folder on a "
            "file system that all machines share, and do all training processes live? The same command goes on."
        )


class TooManyBadSamplesError(DatasetError):
    """So many samples in a row failed that going on would only hide a broken data set."""

    def __init__(self, attempts: int, last: object) -> None:
        super().__init__(
            f"{attempts} samples in a row failed; the last: {last} Run `vitra-data validate` on the data set."
        )


class ForeignStatisticsError(VitraError):
    """Statistics of human hands for robot data, or the other way round."""

    def __init__(self, name: str, kind: str, data: str) -> None:
        super().__init__(
            f"Statistics '{name}' are over {kind} hands, but the data are {data} episodes. Compute them from the data "
            "with `vitra-data stats`, or name the right file."
        )
