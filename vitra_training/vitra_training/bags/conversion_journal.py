"""What a conversion into several formats has completed: the same command, after a kill, goes on with the others."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from vitra_training.bags.episodes import BagEpisodes
from vitra_training.bags.writer import refuse_inside_bag
from vitra_training.datasets.convert import ConversionReport, Format
from vitra_training.datasets.errors import DiskError, TargetTakenError
from vitra_training.datasets.formats.begun_episodes import MARK as EPISODES_MARK
from vitra_training.datasets.formats.mark import Mark
from vitra_training.datasets.formats.new_folder import MARK, refuse_file

NAME = ".conversion.json"
"""File beside the folders of the formats, a JSON text a line, there until all are whole, locked by its process."""


@dataclass(slots=True)
class _Noted:
    """What a journal says; nothing where it cannot be read."""

    conversion: dict[str, Any] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    reports: dict[str, ConversionReport] = field(default_factory=dict)
    """Of formats whose last step had begun: whole if they have no mark any more."""
    files: dict[str, dict[str, int]] = field(default_factory=dict)
    """Size in bytes of each file of a whole format."""


class ConversionJournal:
    """Kept in the folder of a conversion; it only ever says what may be left as it is, and removes nothing.

    Args:
        out: Folder of the conversion; each format has a folder in it.
        source: What is converted; if one of the bags' files changes, it is another conversion.
        unchecked: Whether it takes what fails its check.

    Raises:
        InsideBagError: the folder is in a bag.
        TargetTakenError: it is a file, another conversion writes there, or one of other bags left formats there.
    """

    def __init__(self, out: Path, source: BagEpisodes, unchecked: bool) -> None:
        refuse_inside_bag(out)
        refuse_file(out, "data sets")
        self._out, self._ids, self._mark = out, frozenset(source.ids), Mark(out / NAME, "data sets")
        self._mark.refuse_living()
        self._conversion = {"unchecked": unchecked, "bags": {str(bag.resolve()): _digest(bag) for bag in source.paths}}
        self._text, self._wanted = self._read(), set[str]()
        self._noted = _parse(self._text or b"")
        if self._noted.conversion != self._conversion:
            if left := [name for name in self._noted.reports if _is_whole(out / name)]:
                raise TargetTakenError(out, "data sets", self._other(left))
            self._noted = _Noted()

    def __enter__(self) -> ConversionJournal:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Left when all has been said, so that whoever sees no journal has seen the account."""
        self.end() if error is None else self._give_up()

    def whole(self, formats: Collection[Format]) -> dict[Format | str, ConversionReport]:
        """Formats that the same conversion, killed since, had completed, with its account of them.

        Args:
            formats: Those that are wanted now.

        Raises:
            TargetTakenError: files of one were removed or changed since.
        """
        self._wanted, reports = set(map(str, formats)), self._noted.reports
        kept: dict[Format | str, ConversionReport] = {
            f: reports[f] for f in formats if f in reports and _is_whole(self._out / f)
        }
        for format in kept:
            self._refuse_lost(format)
        return kept

    def begin(self, formats: Collection[Format | str]) -> None:
        """Lock the journal and note what is wanted.

        Args:
            formats: Which will be written.

        Raises:
            TargetTakenError: another conversion was faster.
            DiskError: it cannot be noted.
        """
        try:
            self._mark.take()
            if (self._read() or b"") != (self._text or b""):
                detail = "another conversion wrote there meanwhile; the same command again says how that ended"
                raise TargetTakenError(self._out, "data sets", detail)
            if not self._noted.conversion:
                self._noted.conversion = self._conversion
                self._mark.empty()
                self._note(self._conversion)
            elif self._text and not self._text.endswith(b"\n"):
                self._mark.note(b"")
            for format in formats:
                self._noted.reports.pop(str(format), None)
                self._noted.files.pop(str(format), None)
                self._noted.begun.add(str(format))
                self._note({"begun": str(format)})
        except OSError as error:
            raise DiskError(str(self._out), error) from None

    @contextlib.contextmanager
    def closing(self, format: Format | str, report: ConversionReport) -> Iterator[None]:
        """Around the last step of a format, after which it is whole.

        Args:
            format: Which.
            report: Its account.
        """
        self._note({"closing": str(format), "report": asdict(report) | {"existing": sorted(report.existing)}})
        yield
        self._noted.reports[str(format)] = report
        self._note({"whole": str(format), "files": self._files(str(format))})

    def end(self) -> None:
        """All that was wanted is whole; the journal goes unless an interrupted run wanted more."""
        if self._noted.begun <= self._wanted:
            self._mark.take()
            self._mark.drop()
        else:
            self._mark.release()

    def _give_up(self) -> None:
        """It failed or is refused; what is whole, and what a run before had noted, stays known."""
        if self._text is not None or any(_is_whole(self._out / name) for name in self._noted.reports):
            self._mark.release()
            return
        self._mark.drop()
        if self._out.is_dir() and not any(self._out.iterdir()):
            self._out.rmdir()

    def _read(self) -> bytes | None:
        path = self._out / NAME
        return path.read_bytes() if path.is_file() else None

    def _note(self, what: dict[str, Any]) -> None:
        self._mark.note(json.dumps(what).encode())

    def _files(self, name: str) -> dict[str, int]:
        """Files of a format that is whole; others may have put theirs beside those of TeleData."""
        place = self._out / name
        return {
            path.relative_to(place).as_posix(): path.stat().st_size
            for path in sorted(place.rglob("*"))
            if path.is_file() and (name != Format.TELEDATA or path.stem in self._ids)
        }

    def _refuse_lost(self, format: Format | str) -> None:
        files, there = self._noted.files.get(format, {}), self._files(format)
        if lost := [name for name, size in files.items() if there.get(name) != size]:
            place = self._out / format
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise TargetTakenError(
                place, "data set",
                f"an interrupted run of this command completed it, but {lost[0]}{more} is missing or changed since. "
                f"If nobody needs the rest, `rm -r {place}` and the same command make it anew; or choose a new folder",
            )  # fmt: skip

    def _other(self, left: list[str]) -> str:
        """What differs from the conversion that was interrupted, and what to do."""
        before, now = self._noted.conversion["bags"], self._conversion["bags"]
        assert isinstance(now, dict)
        differ = [f"{bag} is new since" for bag in now if bag not in before]
        differ += [f"{bag} is not among the bags now" for bag in before if bag not in now]
        differ += [f"{bag} has changed since" for bag in now if before.get(bag, now[bag]) != now[bag]]
        if self._noted.conversion["unchecked"] != self._conversion["unchecked"]:
            differ.append(f"it ran {'with' if self._noted.conversion['unchecked'] else 'without'} --unchecked")
        more = f" ({len(differ) - 3} more differences)" if len(differ) > 3 else ""
        return (
            f"an interrupted conversion left {' and '.join(left)} there, and this is another one: "
            f"{'; '.join(differ[:3])}{more}. Nothing was touched. The same command on the same bags finishes that one; "
            f"this one goes into a new folder, or here after `rm -r {self._out}` if nobody needs what is there"
        )


def _is_whole(folder: Path) -> bool:
    """Writers mark a folder before they write, and take the mark away when all of it is there."""
    marked = any((folder / mark).exists() for mark in (MARK, EPISODES_MARK))
    return folder.is_dir() and any(folder.iterdir()) and not marked


def _parse(text: bytes) -> _Noted:
    """Its last line may be cut off: then what it was to say had not been done yet."""
    noted = _Noted()
    for line in text.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            said = json.loads(line)
            if "bags" in said:
                noted = _Noted({"unchecked": bool(said["unchecked"]), "bags": dict(said["bags"])})
            elif "begun" in said:
                noted.begun.add(said["begun"])
                noted.reports.pop(said["begun"], None)
                noted.files.pop(said["begun"], None)
            elif "closing" in said:
                report = ConversionReport(**said["report"])
                report.existing = set(report.existing)
                noted.reports[said["closing"]] = report
            elif "whole" in said:
                noted.files[said["whole"]] = dict(said["files"])
    return noted


def _digest(bag: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path for path in bag.rglob("*") if path.is_file()):
        about = file.stat()
        digest.update(os.fsencode(f"{file.resolve()} {about.st_size} {about.st_mtime_ns}\n"))
    return digest.hexdigest()
