"""The two places that a conversion is given: which is read, which is made, and how the command was perhaps meant."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vitra_policy.errors import VitraError
from vitra_training.bags.writer import unused
from vitra_training.datasets.convert import Format
from vitra_training.datasets.errors import TargetTakenError, UnknownFormatError
from vitra_training.datasets.sources import EpisodeSource, open_source

if TYPE_CHECKING:
    from vitra_training.bags.gate import Judged


class ConversionArgumentsError(VitraError):
    """Places of a conversion that cannot be meant like that; the message has a command that goes."""


@dataclass(frozen=True, slots=True)
class Places:
    """What `vitra-data convert` is given."""

    data: Path
    """Data set to read."""
    out: Path
    """New folder."""
    format: str
    """Of the new one."""

    def source(self, video_root: Path | None) -> EpisodeSource:
        """The data set to read.

        Args:
            video_root: Where the videos of VITRA-1M annotations are, when they are elsewhere.

        Raises:
            ConversionArgumentsError: both places are one, or they are given in the wrong order.
            UnknownFormatError: there is no data set at either.
        """
        if self.out.exists() and self.data.exists() and self.out.samefile(self.data):
            raise ConversionArgumentsError(
                f"{self.out} is the data set itself, which is read and left as it is. Name a new folder after it, for "
                f"example: `{self._command(self.data, self._free(self.data))}`"
            )
        try:
            return open_source(self.data, video_root)
        except UnknownFormatError as error:
            try:
                open_source(self.out, video_root)
            except VitraError:
                raise error from None
        new = self.data if not self.data.exists() else self._free(self.data)
        raise ConversionArgumentsError(
            f"{self.data} is no data set, but {self.out} is: the data set to read comes first, then the new folder. "
            f"Perhaps: `{self._command(self.out, new)}`"
        )

    def asked_for(self, video_root: Path | None) -> tuple[EpisodeSource, Judged | None]:
        """The episodes to convert; of bags those that `vitra-bag convert` takes, with why it leaves others out.

        Args:
            video_root: As of `source`, with its errors.
        """
        from vitra_training.bags.errors import NobodyJudgedError
        from vitra_training.bags.gate import judged  # needs the robot's kinematics and rosbags

        with contextlib.suppress(NobodyJudgedError):  # which bags, and how many for what, the account says
            source = self.source(video_root)
            if source.format != "bags":
                return source, None
        bags = judged(self.data)
        return bags.source, bags

    def taken(self, error: TargetTakenError) -> ConversionArgumentsError:
        """The error of a target where something is, with a command that writes beside it."""
        return ConversionArgumentsError(f"{error} For example: `{self._command(self.data, self._free(self.out))}`")

    def _free(self, beside: Path) -> Path:
        return unused(beside.absolute().with_name(f"{beside.absolute().name}_{self.format}"))

    def _command(self, data: Path, out: Path) -> str:
        format = [] if self.format == Format.CANONICAL else ["--format", self.format]
        return shlex.join(["vitra-data", "convert", str(data), str(out), *format])
