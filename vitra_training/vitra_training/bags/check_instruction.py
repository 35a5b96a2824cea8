"""Judges the words of an episode: they stay, are those of the metadata, and name a hand that takes part."""

from __future__ import annotations

from collections.abc import Iterator

from vitra_policy.action_space import SIDES, Side
from vitra_policy.prompt import InstructionError, split_instruction
from vitra_training.bags.content import INSTRUCTION_TOPIC, BagContent
from vitra_training.bags.motion import motion_spans
from vitra_training.bags.streams import BagStreams
from vitra_training.datasets.findings import Finding, Level
from vitra_training.datasets.words_for_hands import words_for_hands

ERROR, WARNING = Level.ERROR, Level.WARNING


def instruction(bag: BagStreams, content: BagContent, moves_from_s: float) -> Iterator[Finding]:
    """Words that training would read wrongly.

    Args:
        bag: Its streams and metadata.
        content: What was said, and when it changed.
        moves_from_s: When the robot begins to move, since the epoch: until then words may be set anew.
    """
    changes = [change for change in content.changes if change.name == INSTRUCTION_TOPIC]
    for change in changes:
        if change.at_s > moves_from_s and not _same(change.before, change.after):
            at_s = change.at_s - bag.begin_s
            yield Finding(
                ERROR, "instruction", f"it changes at {at_s:.2f} s from '{change.before}' to '{change.after}', and all "
                f"frames would get the last: cut there (`vitra-bag trim {bag.path} OUT --end-s {at_s:.2f}`)",
            )  # fmt: skip
            break
    said = content.instruction
    yield from _of_metadata(bag.about.get("instruction", ""), said, [change.before for change in changes])
    if said.strip():
        has = {side: content.has(side) for side in SIDES}
        yield from words_for_hands(said, has, _moved(bag))


def _of_metadata(noted: str, said: str, earlier: list[str]) -> Iterator[Finding]:
    """The recorder notes what holds when it begins; words set anew before the robot moves are explained by that."""
    if not noted.strip() or not said.strip() or _same(noted, said):
        return
    level = WARNING if any(_same(noted, words) for words in earlier) else ERROR
    yield Finding(level, "instruction", f"the metadata say '{noted}', the topic says '{said}'")


def _moved(bag: BagStreams) -> set[Side]:
    return {side for side in SIDES for topic in motion_spans(bag) if topic.startswith(f"{side}_")}


def _same(one: str, other: str) -> bool:
    """Whether two texts say the same; words without a hand are those of the only hand that a prompt gives some."""
    return _words(one) == _words(other) or bool(set(_alone(one)) & set(_alone(other)))


def _words(text: str) -> str:
    return " ".join(text.split()).strip(" .").casefold()


def _alone(text: str) -> list[str]:
    """What a text says without the name of a hand; nothing where both hands have something to do."""
    try:
        tasks = [task for task in split_instruction(text) if task]
    except InstructionError:
        return [_words(text)]
    return [_words(tasks[0])] if len(tasks) == 1 else []
