"""What the cluster engine asks of Ray, without one: actors with their share of a GPU, a new one for a lost one."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vitra_training.labeling.engines.job import Job, Outcome
from vitra_training.labeling.engines.ledger import Reason
from vitra_training.labeling.engines.stage import Inputs, Item, Scope, Stage
from vitra_training.labeling.errors import MissingModelError
from vitra_training.labeling.run import EngineKind, Resources, _engine


class LostError(Exception):
    """What Ray raises for an actor whose node died."""


class PretendRay(SimpleNamespace):
    """As much of Ray as the engine uses; calls are answered in order."""

    def __init__(self) -> None:
        super().__init__(exceptions=SimpleNamespace(RayError=LostError))
        self.wanted: list[dict[str, Any]] = []
        self.made, self.killed, self.lose = 0, 0, False

    def is_initialized(self) -> bool:
        return True

    def remote(self, **wanted: Any) -> Any:
        self.wanted.append(wanted)
        return lambda actor: SimpleNamespace(remote=self._make)

    def _make(self, threads: int) -> Any:
        self.made += 1
        return SimpleNamespace(perform=SimpleNamespace(remote=lambda job: ("answer", self.made, job.output)))

    def wait(self, refs: list[Any], num_returns: int) -> tuple[list[Any], list[Any]]:
        return refs[:1], refs[1:]

    def get(self, ref: Any) -> Outcome:
        if self.lose:
            raise LostError
        return Outcome(job(ref[2].name), 1.0)

    def kill(self, actor: Any) -> None:
        self.killed += 1


def job(name: str) -> Job:
    stage = Stage("work", 1, Scope.VIDEO, (), None, lambda inputs, config: None)
    return Job(stage, Inputs(Item(name, Path("v.mp4")), {}), Path(name))


def test_each_actor_holds_the_share_of_a_gpu_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = PretendRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    engine = _engine(Resources(3, EngineKind.RAY, 0.5))
    assert ray.wanted == [{"num_cpus": 1, "num_gpus": 0.5, "max_restarts": 0}]
    assert (ray.made, engine.slots) == (3, 3)
    engine.close()
    assert ray.killed == 3


def test_a_lost_actor_is_a_crash_of_its_own_job_and_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = PretendRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    engine = _engine(Resources(1, EngineKind.RAY))
    engine.submit(job("a"))
    engine.submit(job("b"))
    ray.lose = True
    lost = engine.next_outcome()
    assert (lost.reason, lost.job.inputs.item.video, ray.made) == (Reason.CRASH, "a", 2)
    ray.lose = False
    assert engine.next_outcome().job.inputs.item.video == "b"


def test_without_ray_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingModelError, match="pip install"):
        _engine(Resources(1, EngineKind.RAY))
