"""Which bags become episodes: those that an operator saved and whose check passes, unless more is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vitra_training.bags.check import ERROR, BagReport, check_bag
from vitra_training.bags.episodes import BagEpisodes
from vitra_training.bags.own_account import SAVED, outcome_of


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one bag."""

    bag: Path
    unjudged: str = ""
    """Why nobody asked for it: no operator saved it."""
    failed: BagReport | None = None
    """Its check, where that fails."""

    @property
    def is_taken(self) -> bool:
        """Whether it becomes an episode."""
        return not self.unjudged and self.failed is None

    @property
    def reason(self) -> str:
        """Why it is left out, in words with what to run next; empty where it is taken."""
        if self.unjudged:
            return self.unjudged
        if self.failed is None:
            return ""
        first, *more = [found for found in self.failed.findings if found.level is ERROR]
        others = f" ({len(more)} more errors)" if more else ""
        return f"its check fails: {first.check}: {first.message}{others}. All of them: `vitra-bag check {self.bag}`"


def verdicts(bags: Iterable[Path], unchecked: bool = False, unjudged: bool = False) -> Iterator[Verdict]:
    """Judge bags one by one.

    Args:
        bags: Whole ones, or cut off.
        unchecked: Take those whose check fails, too.
        unjudged: Take those that no operator saved, too.

    Raises:
        DiskError: there is no room for a check's numbers in the folder of temporary files.
    """
    for bag in bags:
        if not unjudged and not bag.name.endswith(".partial") and (outcome := outcome_of(bag)) != SAVED:
            yield Verdict(bag, unjudged=outcome)
        elif unchecked or (report := check_bag(bag)[0]).ok:
            yield Verdict(bag)
        else:
            yield Verdict(bag, failed=report)


def passing(source: BagEpisodes) -> tuple[BagEpisodes, dict[str, str]]:
    """The bags of a data set whose check passes, and why each other one is left out.

    Args:
        source: Bags that an operator saved, or one that was named.

    Raises:
        DiskError: there is no room for a check's numbers in the folder of temporary files.
    """
    found = list(verdicts(source.paths, unjudged=True))
    takes = "`vitra-bag convert BAG OUT --unchecked` takes it all the same"
    reasons = {
        name: f"{verdict.reason}; {takes}"
        for name, verdict in zip(source.ids, found, strict=True)
        if not verdict.is_taken
    }
    return BagEpisodes(source.root, [verdict.bag for verdict in found if verdict.is_taken]), reasons
