"""What a bag's MCAP files say of themselves, beside what its `metadata.yaml` says of them: they must agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from os.path import commonprefix
from pathlib import Path
from typing import Any

import yaml

from vitra_policy.bag_metadata import METADATA_NAME
from vitra_policy.bag_storage import Summary, summary_of
from vitra_training.datasets.errors import BrokenFileError

SAVED, DISCARDED, UNJUDGED = "saved", "discarded", "unjudged"
"""Outcomes of a recording."""
_DECIDED_LATER = ("outcome", "discard_reason")
"""Texts that the recorder may still write into `metadata.yaml` when the files are complete."""
_OF_A_PART = ("warnings", "repaired")
"""Texts that may differ between the parts of one recording."""


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """Both accounts of one bag; empty where there is none to read."""

    texts: dict[str, str] = field(default_factory=dict)
    """Custom data of `metadata.yaml`."""
    recorded: dict[str, str] = field(default_factory=dict)
    """The same texts as its MCAP files hold them."""
    contradictions: tuple[str, ...] = ()
    """What the two disagree about, in words."""
    is_told: bool = False
    """Whether there is a `metadata.yaml` that can be read; without it nobody knows what an operator decided."""

    @property
    def is_discarded(self) -> bool:
        """Whether an operator discarded it by either account; a word changed in one does not undo that."""
        return DISCARDED in (self.texts.get("outcome"), self.recorded.get("outcome"))

    @property
    def discard_reason(self) -> str:
        """Why, in the operator's words; empty where they gave none."""
        return self.texts.get("discard_reason") or self.recorded.get("discard_reason", "")

    @property
    def outcome(self) -> str:
        """What an operator decided, or in words that nobody did or that the two contradict each other."""
        if not self.is_told:
            return f"{UNJUDGED}, no {METADATA_NAME} of it can be read"
        outcome, recorded = (texts.get("outcome") or UNJUDGED for texts in (self.texts, self.recorded))
        if recorded not in (UNJUDGED, outcome):
            return f"{UNJUDGED}, {METADATA_NAME} says {outcome} and the recording itself {recorded}"
        if outcome != UNJUDGED:
            return outcome
        repaired = "repaired" in self.texts
        why = self.texts.get("ended") or ("it was repaired" if repaired else "the recording says nothing of it")
        return f"{UNJUDGED}, no operator saved it ({why})"


def outcome_of(bag: Path) -> str:
    """What an operator decided of a bag, or in words that nobody did or that its files contradict each other."""
    return own_account(bag).outcome


def custom_data(bag: Path) -> dict[str, str]:
    """Texts about the recording in a complete bag's metadata; empty when there is none to read."""
    return _texts(_information(bag))


def named_files(bag: Path) -> list[str]:
    """Files that a bag's metadata name, in the order they were recorded; empty when there is none to read."""
    return _names(_information(bag))


def stated_storage(bag: Path) -> str:
    """`storage_identifier` of a bag's metadata; empty when there is none to read."""
    return str(_information(bag).get("storage_identifier", ""))


def own_account(bag: Path) -> OwnAccount:
    """Both accounts of a bag, and where they differ.

    Args:
        bag: Its folder; a file without a summary (cut off, or not MCAP) says nothing of itself.
    """
    information = _information(bag)
    texts, named = _texts(information), _names(information)
    found = sorted(file.name for file in bag.glob("*.mcap"))
    told = {file: s for file in found if file in named and (s := summary_of(bag / file)) is not None}
    summaries, recorded = list(told.values()), join_texts(*(summary.about for summary in told.values()))
    contradictions = [
        f"{name} lies in the bag, but {METADATA_NAME} does not name it: move it out of the bag"
        for name in found
        if named and name not in named
    ]
    if summaries and len(summaries) == len(named):
        contradictions += _other_messages(information, summaries)
    contradictions += disagreements({file: summary.about for file, summary in told.items()})
    contradictions += _other_texts(texts, recorded)
    return OwnAccount(texts, recorded, tuple(contradictions), bool(information))


def join_texts(*accounts: Mapping[str, str]) -> dict[str, str]:
    """Texts of several accounts of one recording; the last one counts, but what was discarded stays discarded."""
    joined = {key: text for account in accounts for key, text in account.items()}
    for account in accounts:
        if account.get("outcome") == DISCARDED:
            joined |= {key: account[key] for key in _DECIDED_LATER if key in account}
    return joined


def disagreements(parts: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """What the files of one recording say differently of it, in words; what one does not say is no contradiction.

    Args:
        parts: Name of the file -> its texts.
    """
    seen: set[str] = set()
    for (a, one), (b, other) in combinations(parts.items(), 2):
        undecided = UNJUDGED in (one.get("outcome", UNJUDGED), other.get("outcome", UNJUDGED))
        ignored = {*seen, *_OF_A_PART, *(_DECIDED_LATER if undecided else ())}
        for key in sorted((one.keys() & other.keys()) - ignored):
            if one[key] != other[key]:
                seen.add(key)
                yield f"'{key}' is {_apart(one[key], a, other[key], b)}"


def read_information(bag: Path) -> dict[str, Any]:
    """What a bag's `metadata.yaml` says of it.

    Raises:
        BrokenFileError: it cannot be read, or is no metadata of rosbag2.
    """
    try:
        metadata = yaml.safe_load((bag / METADATA_NAME).read_text(encoding="utf-8"))
        return dict(metadata["rosbag2_bagfile_information"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as cause:
        raise BrokenFileError(bag / METADATA_NAME, "rosbag2 metadata", cause) from None


def _information(bag: Path) -> dict[str, Any]:
    try:
        return read_information(bag)
    except BrokenFileError:
        return {}


def _texts(information: dict[str, Any]) -> dict[str, str]:
    texts = information.get("custom_data")
    return {str(key): str(text) for key, text in texts.items()} if isinstance(texts, dict) else {}


def _names(information: dict[str, Any]) -> list[str]:
    names = information.get("relative_file_paths")
    return [str(name) for name in names] if isinstance(names, list) else []


def _other_messages(information: dict[str, Any], summaries: list[Summary]) -> Iterator[str]:
    """Counts and times that are those of other files."""
    count = sum(summary.messages for summary in summaries)
    if information.get("message_count") != count:
        yield f"{METADATA_NAME} speaks of {information.get('message_count')} messages, its files of {count}"
    begin_ns = min((summary.begin_ns for summary in summaries if summary.messages), default=None)
    try:
        said_ns = int(information["starting_time"]["nanoseconds_since_epoch"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return
    if begin_ns is not None and said_ns != begin_ns:
        apart_s = (begin_ns - said_ns) * 1e-9
        yield f"its files begin {apart_s:+.3f} s from when {METADATA_NAME} says: they are of another recording"


def _other_texts(texts: dict[str, str], recorded: dict[str, str]) -> Iterator[str]:
    if not recorded:
        return
    for key in sorted({*texts, *recorded}):
        said, here = texts.get(key), recorded.get(key)
        if said == here or (key in _DECIDED_LATER and recorded.get("outcome", UNJUDGED) == UNJUDGED):
            continue
        yield f"'{key}' is {_apart(said, METADATA_NAME, here, 'the recording itself')}"


def _apart(one: str | None, a: str, other: str | None, b: str) -> str:
    alike = len(commonprefix([one or "", other or ""]))
    return f"{_shown(one, alike)} in {a}, {_shown(other, alike)} in {b}"


def _shown(text: str | None, alike: int) -> str:
    """A text, or of a long one some 60 characters around the place up to which it is like another."""
    if text is None:
        return "missing"
    begin = max(min(alike, len(text)) - 30, 0) if len(text) > 60 and alike > 50 else 0
    end = len(text) if len(text) - begin <= 60 else begin + 57
    return repr(f"{'...' * (begin > 0)}{text[begin:end]}{'...' * (end < len(text))}")
