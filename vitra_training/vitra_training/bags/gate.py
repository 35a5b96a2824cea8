"""Which bags become episodes: those that an operator saved and whose check passes, unless more is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vitra_training.bags.check import ERROR, BagReport, check_bag
from vitra_training.bags.episodes import BagEpisodes
from vitra_training.bags.find import PARTIAL, all_bags
from vitra_training.bags.own_account import SAVED, own_account


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one bag."""

    bag: Path
    discarded: str = ""
    """That an operator discarded it, in words: nothing asks for such a bag."""
    unjudged: str = ""
    """Why nobody asked for it: no operator saved it."""
    failed: BagReport | None = None
    """Its check, where that fails."""

    @property
    def is_taken(self) -> bool:
        """Whether it becomes an episode."""
        return not self.discarded and not self.unjudged and self.failed is None

    @property
    def reason(self) -> str:
        """Why it is left out, in words with what to run next; empty where it is taken."""
        if self.discarded:
            return self.discarded
        if self.unjudged:
            return f"{self.unjudged}; `vitra-bag convert {self.bag} OUT --unjudged` takes it all the same"
        if self.failed is None:
            return ""
        first, *more = [found for found in self.failed.findings if found.level is ERROR]
        others = f" ({len(more)} more errors)" if more else ""
        words = f"{first.check}: {first.message.rstrip('.')}{others}"
        return f"its check fails: {words}. All of them: `vitra-bag check {self.bag}`"


@dataclass(slots=True)
class Account:
    """How many bags become episodes, and how many of the others are left out for what."""

    converted: int = 0
    failing: int = 0
    existing: int = 0
    """Of those that fail: only because one of that name is in the target already."""
    unjudged: int = 0
    discarded: int = 0

    def add(self, verdict: Verdict) -> None:
        """Count one bag, in good hope where it is taken."""
        self.converted += verdict.is_taken
        self.failing += verdict.failed is not None
        self.unjudged += bool(verdict.unjudged)
        self.discarded += bool(verdict.discarded)

    def fail(self, number: int, existing: int = 0) -> None:
        """Some that were taken could not be converted after all, some of these for what exists in the target."""
        self.converted, self.failing = self.converted - number, self.failing + number
        self.existing += existing

    @property
    def exit_code(self) -> int:
        """1 where a bag fails or nothing is converted; those that no operator saved are not asked for."""
        return 1 if self.failing or not self.converted else 0

    def __str__(self) -> str:
        bags = self.converted + self.failing + self.unjudged + self.discarded
        return (
            f"{self.converted} of {bags} bags converted; left out: {self.failing} that fail, {self.unjudged} that no "
            f"operator saved, {self.discarded} that an operator discarded"
        )


def verdicts(bags: Iterable[Path], unchecked: bool = False, unjudged: bool = False) -> Iterator[Verdict]:
    """Judge bags one by one.

    Args:
        bags: Whole ones, or cut off.
        unchecked: Take those whose check fails, too.
        unjudged: Take those that no operator judged, too; never those that one discarded.

    Raises:
        DiskError: there is no room for a check's numbers in the folder of temporary files.
    """
    for bag in bags:
        account = own_account(bag)
        if account.is_discarded:
            why = f" ({account.discard_reason})" if account.discard_reason else ""
            contradiction = f" [{account.outcome}]" if account.contradictions else ""
            words = f"an operator discarded it{why}{contradiction}; discarded bags are never converted"
            yield Verdict(bag, discarded=words)
        elif not unjudged and account.is_told and not bag.name.endswith(PARTIAL) and account.outcome != SAVED:
            yield Verdict(bag, unjudged=account.outcome)
        elif unchecked or (report := check_bag(bag)[0]).ok:
            yield Verdict(bag)
        else:
            yield Verdict(bag, failed=report)


@dataclass(frozen=True, slots=True)
class Judged:
    """The bags at a place."""

    source: BagEpisodes
    """Those that become episodes."""
    failed: dict[str, str]
    """Name and why, of those whose check fails."""
    unasked: dict[str, str]
    """The same of those that no operator saved."""
    account: Account


def judged(root: Path) -> Judged:
    """Which bags of a data set become episodes, by the rule of `vitra-bag convert` without options.

    Args:
        root: A bag, or a folder of bags.

    Raises:
        NoBagError: there is none.
        DiskError: there is no room for a check's numbers in the folder of temporary files.
    """
    bags, account = all_bags(root), Account()
    taken, failed, unasked = list[Path](), dict[str, str](), dict[str, str]()
    for name, verdict in zip(BagEpisodes(root, bags).ids, verdicts(bags), strict=True):
        account.add(verdict)
        if verdict.is_taken:
            taken.append(verdict.bag)
        elif verdict.failed is not None:
            takes = f"`vitra-bag convert {verdict.bag} OUT --unchecked` takes what can be read of it"
            failed[name] = f"{verdict.reason}; {takes}"
        else:
            unasked[name] = verdict.reason
    return Judged(BagEpisodes(root, taken), failed, unasked, account)
