"""The campaign's own parts: what it measures, which kinds it knows, how it goes on after an interruption."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from vitra_bringup.faults import campaign
from vitra_bringup.faults.kinds import KINDS, WORST, Outcome
from vitra_bringup.faults.measure import STILL_RAD, measure, read_motion, way_m
from vitra_bringup.faults.report import table, write_report
from vitra_bringup.faults.sway_policy import AMPLITUDE_M, PEAK_M_S, Mode, SwayPolicy, planned
from vitra_bringup.faults.trial import Result, _problems, load_result
from vitra_description.kinematics import ArmModel
from vitra_description.postures import home
from vitra_policy.action_space import SIDES
from vitra_policy.errors import UnknownNameError
from vitra_policy.policies.policy import InvalidChunkError, PolicyError, make_example_observation

BEGIN_S = 1000.0


def lines(joint_rad: np.ndarray) -> list[str]:
    """A trace at 200 Hz in which joint 4 of the right arm does this."""
    rows = []
    for n, angle in enumerate(joint_rad):
        sides = {str(side): {"q": home(side).tolist()} for side in SIDES}
        sides["right"]["q"][3] += float(angle)
        rows.append(json.dumps({"t": 5.0 + 0.005 * n, "stamp": BEGIN_S + 0.005 * n, **sides}) + "\n")
    return rows


def slowing(rest_after: int) -> np.ndarray:
    """0.5 rad/s for 200 ticks, then a ramp down to rest."""
    speed = np.r_[np.full(200, 0.5), np.linspace(0.5, 0.0, rest_after), np.zeros(200)]
    return np.cumsum(speed) * 0.005


def test_time_and_way_to_rest_are_those_of_the_joints() -> None:
    motion = read_motion(lines(slowing(20)))
    stop = measure(motion, BEGIN_S + 1.0)
    ramp_s, rate = 0.1, 5.0
    assert stop.to_rest_s == pytest.approx(ramp_s - np.sqrt(2 * STILL_RAD / rate), abs=0.012)
    angle = slowing(20)[-1] - slowing(20)[199]
    arm, q = ArmModel(), home("right")
    begin, end = (arm.fk(q + np.array([0, 0, 0, a, 0, 0, 0]))[:3, 3] for a in (0.0, angle))
    assert stop.distance_m == pytest.approx(np.linalg.norm(end - begin), rel=0.25)
    assert stop.velocity_rad_s == pytest.approx(0.5, rel=0.02)
    assert stop.within_limits


def test_an_arm_that_never_rests_or_is_too_fast_is_seen() -> None:
    assert measure(read_motion(lines(slowing(150))), BEGIN_S + 1.0).to_rest_s > 0.5
    assert not measure(read_motion(lines(3.6 * slowing(20))), BEGIN_S + 1.0).within_limits


def test_a_line_that_is_still_written_is_passed_over() -> None:
    assert len(read_motion([*lines(np.zeros(5)), '{"t": 1.0, "sta']).t_s) == 5


def test_the_way_of_a_wrist_that_stands_is_nothing() -> None:
    assert way_m(np.repeat(home("left")[None], 5, axis=0)) == 0.0


def test_there_are_at_least_forty_kinds_and_the_worst_are_among_them() -> None:
    assert len(KINDS) >= 40
    assert len(WORST) == 10
    assert set(WORST) <= set(KINDS)
    assert all(kind.cause for kind in KINDS.values() if kind.outcome is Outcome.STOPS)


def test_the_wrists_sway_at_a_quarter_of_a_metre_per_second() -> None:
    wrist, times_s = np.eye(4), np.arange(1.5, 6.0, 0.01)
    path = planned(Mode.SWAY, wrist, np.zeros(3), np.zeros(3), times_s)
    speed = np.linalg.norm(np.diff(path[:, :3, 3], axis=0), axis=1) / 0.01
    assert speed.max() == pytest.approx(PEAK_M_S, rel=0.01)
    assert np.linalg.norm(np.ptp(path[:, :3, 3], axis=0)) == pytest.approx(2 * AMPLITUDE_M, rel=0.01)


def test_the_policy_does_what_its_control_file_says(tmp_path: Path) -> None:
    control = tmp_path / "control.json"
    policy, observation = SwayPolicy(control), make_example_observation()
    assert np.isfinite(policy.infer(observation).actions).all()
    for mode, error in ((Mode.RAISE, RuntimeError), (Mode.REFUSE, PolicyError), (Mode.MEMORY, MemoryError)):
        control.write_text(json.dumps({"mode": mode.value}))
        with pytest.raises(error):
            policy.infer(observation)
    control.write_text('{"mode": "nan"}')
    right = replace(observation, hands=np.array([True, True]), state_valid=np.array([True, True]))
    with pytest.raises(InvalidChunkError):
        policy.infer(right)
    control.write_text('{"mode": "naan"}')
    with pytest.raises(UnknownNameError, match="nan"):
        policy.infer(observation)


@pytest.fixture
def result() -> Result:
    return Result(
        kind="kill_executor", seed=0, speed_m_s=0.2, stopped=True, causes=("heartbeat_lost (executor): gone",),
        to_driver_s=0.1, to_rest_s=0.1, distance_m=0.01, fault_to_rest_s=0.2, velocity_rad_s=0.6,
        acceleration_rad_s2=8.0, crept_rad=0.0, moved_again=True, problems=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"stopped": False}, "no stop was latched"),
        ({"to_rest_s": 0.2}, "200 ms to rest"),
        ({"distance_m": 0.05}, "50 mm to rest"),
        ({"crept_rad": 0.1}, "before the re-arm"),
        ({"causes": ("heartbeat_lost (policy): gone",)}, "not named as"),
        ({"moved_again": False}, "did not move again"),
    ],
)
def test_what_is_not_as_it_must_be_is_a_problem(result: Result, change: dict[str, object], problem: str) -> None:
    kind = KINDS["kill_executor"]
    assert list(_problems(kind, result, True)) == []
    assert any(problem in found for found in _problems(kind, replace(result, **change), True))
    assert any("limit" in found for found in _problems(kind, result, False))


def test_results_are_kept_one_by_one_and_reported(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "kill_executor_0.json")
    assert load_result(tmp_path / "kill_executor_0.json") == result
    assert "| `kill_executor` | 2 | 1 |" in table([result, replace(result, seed=1, problems=("late",))])
    write_report(tmp_path / "report", [result])
    assert (tmp_path / "report/faults.png").stat().st_size > 0


def test_what_was_run_is_not_run_again(result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def run_all(wanted, args):
        asked.extend((kind.name, seed) for kind, seed in wanted)
        return iter([])

    monkeypatch.setattr(campaign, "run_all", run_all)
    result.save(tmp_path / "kill_executor_0.json")
    assert campaign.main(["--kinds", "kill_executor", "--seeds", "2", "--out", str(tmp_path)]) == 0
    assert asked == [("kill_executor", 1)]
    assert campaign.main(["--kinds", "kill_execut"]) == 2


def test_a_graph_that_breaks_before_the_fault_is_replaced_and_the_rest_goes_on(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs: list[dict[str, str]] = []

    class Running:
        def __init__(self, out: Path, domain: int | None, arguments: dict[str, str]) -> None:
            graphs.append(arguments)
            out.mkdir(parents=True, exist_ok=True)
            (out / "launch.log").write_text("")

        def __enter__(self) -> tuple[SimpleNamespace, Path]:
            return SimpleNamespace(undo=lambda: None), tmp_path

        def __exit__(self, *_: object) -> None: ...

    def run_trial(bench, kind, seed, trace):
        if kind.name == "operator_stop":
            raise campaign.GraphError("the arms did not move")
        return replace(result, kind=kind.name, seed=seed)

    monkeypatch.setattr(campaign, "running_bench", Running)
    monkeypatch.setattr(campaign, "run_trial", run_trial)
    names = ["operator_stop", "kill_executor", "launcher_sigkill", "operator_lost"]
    args = campaign.Args(out=tmp_path)
    found = [r.kind for r in campaign.run_all([(KINDS[name], 0) for name in names], args)]
    assert found == ["kill_executor", "launcher_sigkill", "operator_lost"]
    assert graphs == [{}, {}, {"require_operator": "true"}]
