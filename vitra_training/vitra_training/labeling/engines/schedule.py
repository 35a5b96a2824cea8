"""Runs the stages over videos and their clips: what is done is skipped, what fails is retried, then put aside."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vitra_training.labeling.engines.job import Job, Outcome
from vitra_training.labeling.engines.ledger import Ledger, Reason, Status
from vitra_training.labeling.engines.local import Engine
from vitra_training.labeling.engines.stage import WHOLE, Inputs, Item, Scope, Stage, chain_hashes
from vitra_training.labeling.engines.workspace import Workspace
from vitra_training.labeling.errors import DiskFullError

ATTEMPTS = 2


@dataclass(slots=True)
class StageTally:
    """How a stage did in a run."""

    done: int = 0
    skipped: int = 0
    """Done by an earlier run."""
    quarantined: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An item that was given up."""

    item: Item
    stage: str
    reason: str
    detail: str


@dataclass(slots=True)
class RunResult:
    """What a run did."""

    tallies: dict[str, StageTally] = field(default_factory=dict)
    quarantined: list[Quarantined] = field(default_factory=list)
    outputs: dict[str, dict[str, dict[int, Path]]] = field(default_factory=dict)
    """Video -> stage -> clip -> folder."""


@dataclass(slots=True)
class _Video:
    item: Item
    clips: int | None = None
    waiting: dict[tuple[str, int], bool] = field(default_factory=dict)
    """(stage, clip) that was decided: True done, False given up."""
    queued: set[tuple[str, int]] = field(default_factory=set)


class Schedule:
    """One run over some videos.

    Args:
        stages: in order, each after those it needs.
        workspace: where results go.
        cut_by: the stage whose output says how many clips there are.
        count_clips: reads that number.
        attempts: tries before an item is put aside; bad input is never retried.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        workspace: Workspace,
        cut_by: str,
        count_clips: Callable[[Path], int],
        attempts: int = ATTEMPTS,
    ) -> None:
        self.stages, self.hashes = tuple(stages), chain_hashes(tuple(stages))
        self._by_name = {stage.name: stage for stage in self.stages}
        self._workspace, self._cut_by, self._count_clips, self._attempts = workspace, cut_by, count_clips, attempts

    def run(
        self,
        videos: Sequence[Item],
        engine: Engine,
        progress: Callable[[Outcome | None, RunResult], None] | None = None,
    ) -> RunResult:
        """Do everything that is not done yet.

        Args:
            videos: what to label.
            engine: where stages run; it is closed at the end.
            progress: called after every item.

        Raises:
            DiskFullError: everything finished so far is kept.
        """
        self._workspace.remove_partial()
        ledger = Ledger(self._workspace.ledger)
        ledger.begin_run()
        result = RunResult({stage.name: StageTally() for stage in self.stages})
        states = {item.video: _Video(item) for item in videos}
        result.outputs = {name: {stage.name: {} for stage in self.stages} for name in states}
        ready: deque[tuple[_Video, Stage, Item]] = deque()
        # A bounded number of videos is open at a time, so that results needed together are made together.
        closed, running = deque(states.values()), 0
        open_videos: list[_Video] = []
        try:
            while closed or open_videos or running:
                while closed and len(open_videos) < 2 * engine.slots:
                    open_videos.append(closed.popleft())
                    ready.extend(self._ready(open_videos[-1], ledger, result))
                while ready and running < 2 * engine.slots:
                    state, stage, item = ready.popleft()
                    engine.submit(self._job(state, stage, item, result))
                    ledger.started(item, stage.name, self.hashes[stage.name])
                    running += 1
                if running:
                    outcome = engine.next_outcome()
                    running -= 1
                    state = states[outcome.job.inputs.item.video]
                    again = self._account(state, outcome, ledger, result)
                    ready.extend(again)
                    ready.extend(self._ready(state, ledger, result))
                    if progress:
                        progress(outcome, result)
                open_videos = [v for v in open_videos if not self._finished(v)]
        finally:
            engine.close()
            self._workspace.remove_partial()
            ledger.close()
        return result

    def _items(self, state: _Video, stage: Stage) -> Iterator[Item]:
        if stage.scope is Scope.VIDEO:
            yield state.item
        else:
            for clip in range(state.clips or 0):
                yield Item(state.item.video, state.item.source, clip)

    def _ready(self, state: _Video, ledger: Ledger, result: RunResult) -> list[tuple[_Video, Stage, Item]]:
        """Items whose inputs are decided; those that are done already are only noted."""
        found: list[tuple[_Video, Stage, Item]] = []
        for stage in self.stages:
            if stage.name != self._cut_by and state.clips is None:
                break
            for item in self._items(state, stage):
                key = (stage.name, item.clip)
                if key in state.queued or not self._decided(state, stage, item):
                    continue
                state.queued.add(key)
                if self._resume(state, stage, item, ledger, result):
                    continue
                if self._lacks_input(state, stage, item):  # what failed before it has its own reason in the ledger
                    self._note(state, stage, item, None, result)
                    continue
                found.append((state, stage, item))
        return found

    def _decided(self, state: _Video, stage: Stage, item: Item) -> bool:
        return all(
            (name, clip) in state.waiting for name in stage.needs for clip in self._clips_of(state, name, item.clip)
        )

    def _clips_of(self, state: _Video, stage: str, clip: int) -> list[int]:
        if self._by_name[stage].scope is Scope.VIDEO:
            return [WHOLE]
        return list(range(state.clips or 0)) if clip == WHOLE else [clip]

    def _lacks_input(self, state: _Video, stage: Stage, item: Item) -> bool:
        return not all(
            any(state.waiting[(name, clip)] for clip in self._clips_of(state, name, item.clip)) for name in stage.needs
        )

    def _resume(self, state: _Video, stage: Stage, item: Item, ledger: Ledger, result: RunResult) -> bool:
        entry = ledger.entry(item, stage.name, self.hashes[stage.name])
        output = self._workspace.output(item, stage.name, self.hashes[stage.name])
        if entry and entry.status is Status.QUARANTINED:
            self._note(state, stage, item, None, result)
            result.quarantined.append(Quarantined(item, stage.name, entry.reason, entry.detail))
            result.tallies[stage.name].quarantined += 1
            return True
        if output.is_dir():  # a result has its name only when it is complete, whatever the ledger came to know of it
            self._note(state, stage, item, output, result)
            result.tallies[stage.name].skipped += 1
            return True
        return False

    def _note(self, state: _Video, stage: Stage, item: Item, output: Path | None, result: RunResult) -> None:
        state.waiting[(stage.name, item.clip)] = output is not None
        if output is not None:
            result.outputs[item.video][stage.name][item.clip] = output
            if stage.name == self._cut_by:
                state.clips = self._count_clips(output)
        elif stage.name == self._cut_by:
            state.clips = 0

    def _job(self, state: _Video, stage: Stage, item: Item, result: RunResult) -> Job:
        outputs = result.outputs[item.video]
        folders: dict[str, Mapping[int, Path]] = {
            name: {
                clip: outputs[name][clip] for clip in self._clips_of(state, name, item.clip) if clip in outputs[name]
            }
            for name in stage.needs
        }
        return Job(stage, Inputs(item, folders), self._workspace.output(item, stage.name, self.hashes[stage.name]))

    def _account(
        self, state: _Video, outcome: Outcome, ledger: Ledger, result: RunResult
    ) -> list[tuple[_Video, Stage, Item]]:
        stage, item = outcome.job.stage, outcome.job.inputs.item
        config, tally = self.hashes[stage.name], result.tallies[stage.name]
        tally.seconds += outcome.seconds
        if outcome.reason is None:
            ledger.done(item, stage.name, config, outcome.seconds, outcome.peak_mib)
            self._note(state, stage, item, outcome.job.output, result)
            tally.done += 1
            return []
        entry = ledger.entry(item, stage.name, config)
        attempts = entry.attempts if entry else 1
        final = not outcome.disk_full and (outcome.reason is Reason.INPUT or attempts >= self._attempts)
        ledger.failed(item, stage.name, config, outcome.reason, outcome.detail, final)
        if outcome.disk_full:
            raise DiskFullError(self._workspace.root)
        if not final:
            return [(state, stage, item)]
        self._note(state, stage, item, None, result)
        result.quarantined.append(Quarantined(item, stage.name, outcome.reason, outcome.detail))
        tally.quarantined += 1
        return []

    def _finished(self, state: _Video) -> bool:
        return state.clips is not None and all(
            (stage.name, item.clip) in state.waiting for stage in self.stages for item in self._items(state, stage)
        )
