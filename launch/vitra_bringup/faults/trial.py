"""One fault: bring both arms to speed, break something, measure, mend, and see what a re-arm does."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitra_bringup.faults.bench import Bench
from vitra_bringup.faults.kinds import Kind, Outcome
from vitra_bringup.faults.measure import ArmMotion, measure, read_motion, wrist_speed_m_s
from vitra_bringup.graph_link import GraphError
from vitra_msgs.msg import SafetyState
from vitra_policy.action_space import SIDES

INSTRUCTION = "Left hand: Wave. Right hand: Wave."
HOLD_S, HOLD_M = 0.150, 0.030
_SETTLE_S = 1.0
_SEE_S = 0.4
_BACK_S = 30.0
_TRIES = 3
_ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one fault.

    Attributes:
        kind: Its name.
        seed: Of the moment within the arms' sway.
        speed_m_s: Of the faster wrist when it was made.
        stopped: Whether a stop was latched.
        causes: What the robot said.
        to_driver_s: From the fault to the first driver that stopped; negative: none did.
        to_rest_s: From there (or from the fault) to rest of both arms, simulated time.
        distance_m: Longest way of a wrist in that time.
        fault_to_rest_s: From the fault to rest.
        velocity_rad_s: Fastest joint.
        acceleration_rad_s2: Largest joint acceleration.
        crept_rad: Motion between the stop and the re-arm.
        moved_again: Whether both arms moved after mending and, where a stop was latched, re-arming.
        problems: What was not as it must be; empty: passed.
    """

    kind: str
    seed: int
    speed_m_s: float
    stopped: bool
    causes: tuple[str, ...]
    to_driver_s: float
    to_rest_s: float
    distance_m: float
    fault_to_rest_s: float
    velocity_rad_s: float
    acceleration_rad_s2: float
    crept_rad: float
    moved_again: bool
    problems: tuple[str, ...]

    def save(self, path: Path) -> None:
        """Write it; the file appears complete or not at all."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=1))
        os.replace(partial, path)


def load_result(path: Path) -> Result:
    """Read a saved result."""
    raw = json.loads(path.read_text())
    return Result(**{**raw, "causes": tuple(raw["causes"]), "problems": tuple(raw["problems"])})


def run_trial(bench: Bench, kind: Kind, seed: int, trace: Path) -> Result:
    """Run one kind with one seed.

    Args:
        bench: The running graph.
        kind: What is broken.
        seed: Of the moment it is broken at.
        trace: File in which the simulator writes the joints' motion.

    Raises:
        GraphError: the arms could not be brought to speed.
    """
    client, random = bench.client, np.random.default_rng(seed)
    run = _bring_to_speed(bench)
    offset = trace.stat().st_size
    time.sleep(float(random.uniform(0.6, 2.1)))  # half a second of motion before the fault is looked at
    _wait_fast(bench)
    stops, heard, bench.limit = len(client.stops), len(bench.said), ""
    if not client.is_armed:
        raise GraphError("The robot stopped before anything was broken.")
    fault_s = time.time()
    kind.inject(bench)
    end_s = fault_s + kind.lasts_s
    if kind.outcome is Outcome.STOPS and not kind.name.startswith(("kill_safety", "freeze_safety")):
        _wait_quietly(bench, lambda: len(client.stops) > stops, 5.0)
    time.sleep(max(0.0, end_s - time.time()))
    rest_seen_s = time.time()
    bench.undo()
    time.sleep(_SETTLE_S)
    motion = _motion(trace, offset)
    stopped = len(client.stops) > stops or (client.safety is not None and client.safety.state != SafetyState.ARMED)
    causes = _causes(bench, stops, heard, run)
    said = [s for s in bench.said[heard:] if s.device.endswith("_arm") and s.state in ("stopping", "latched", "fault")]
    driver_s = min((s.stamp_s for s in said), default=fault_s)
    window = motion.between(-np.inf, rest_seen_s)  # what comes after is of the mended robot
    from_driver, from_fault = measure(window, max(driver_s, fault_s)), measure(window, fault_s)
    crept_rad = _crept(motion, rest_seen_s) if stopped else 0.0
    moved_again, back_problem = (True, "") if kind.ends_graph else _moves_again(bench, stopped)
    result = Result(
        kind=kind.name,
        seed=seed,
        speed_m_s=max(wrist_speed_m_s(motion, fault_s, str(side)) for side in SIDES),
        stopped=stopped,
        causes=tuple(dict.fromkeys(causes)),
        to_driver_s=driver_s - fault_s if said else -1.0,
        to_rest_s=from_driver.to_rest_s,
        distance_m=from_driver.distance_m,
        fault_to_rest_s=from_fault.to_rest_s,
        velocity_rad_s=from_fault.velocity_rad_s,
        acceleration_rad_s2=from_fault.acceleration_rad_s2,
        crept_rad=crept_rad,
        moved_again=moved_again,
        problems=(),
    )
    problems = list(_problems(kind, result, from_fault.within_limits)) + ([back_problem] if back_problem else [])
    return Result(**{**asdict(result), "causes": result.causes, "problems": tuple(problems)})


def _problems(kind: Kind, result: Result, within_limits: bool) -> Iterator[str]:
    if not within_limits:
        yield f"a limit was exceeded: {np.degrees(result.velocity_rad_s):.0f} deg/s, or a joint beyond its range"
    if kind.outcome is Outcome.STOPS and not result.stopped:
        yield "no stop was latched"
    if result.stopped:
        if result.to_rest_s > HOLD_S:
            yield f"{result.to_rest_s * 1e3:.0f} ms to rest after it reached a driver, allowed {HOLD_S * 1e3:.0f}"
        if result.distance_m > HOLD_M:
            yield f"{result.distance_m * 1e3:.0f} mm to rest after it reached a driver, allowed {HOLD_M * 1e3:.0f}"
        if result.crept_rad > kind.may_creep_rad:
            yield f"moved by {np.degrees(result.crept_rad):.1f} deg before the re-arm"
        if not result.causes:
            yield "the cause was not named"
    if kind.cause and not any(re.search(kind.cause, cause) for cause in result.causes):
        yield f"not named as {kind.cause}: {result.causes}"
    if not result.moved_again:
        yield "the arms did not move again"


def _bring_to_speed(bench: Bench) -> Any:
    """Arm, home, run; a stop meanwhile (a machine that was busy for a moment) gets a second and a third try."""
    client = bench.client
    for attempt in range(_TRIES):
        try:
            bench.graph.wait_ready()
            if not client.is_armed:
                client.rearm(_ANSWER_S)
            _end_run(bench)
            client.home(_ANSWER_S)
            run = client.result_of(client.start_policy(INSTRUCTION, 120.0))
            _wait_fast(bench)
            return run
        except GraphError:
            if attempt + 1 == _TRIES:
                raise
    raise AssertionError


def _end_run(bench: Bench) -> None:
    """The first answers of a service may get lost while its node is being discovered: asked again."""
    for attempt in range(_TRIES):
        try:
            bench.client.trigger("policy/stop", _ANSWER_S / _TRIES)
            return
        except GraphError:
            if attempt + 1 == _TRIES:
                raise


def _wait_fast(bench: Bench) -> None:
    bench.client.wait_for(lambda: bench.both_move, 20.0, "both arms to move")


def _wait_quietly(bench: Bench, condition: Callable[[], bool], timeout_s: float) -> None:
    try:
        bench.client.wait_for(condition, timeout_s, "the stop")
    except GraphError:
        return  # judged by what was measured


def _causes(bench: Bench, stops: int, heard: int, run: Any) -> list[str]:
    client = bench.client
    causes = [f"{s.stop_cause} ({s.stop_source}): {s.stop_detail}" for s in client.stops[stops:]]
    causes += [f"{s.device}: {s.cause}" for s in bench.said[heard:] if s.cause and s.state != "moving"]
    if run.done() and run.result() is not None:
        result = run.result().result
        causes.append(f"run: {result.termination_reason}: {result.detail}")
    return causes + ([f"executor: {bench.limit}"] if bench.limit else [])


def _motion(trace: Path, offset: int) -> ArmMotion:
    time.sleep(_SEE_S)  # the world writes in batches
    with trace.open() as file:
        file.seek(offset)
        file.readline()
        return read_motion(file.readlines())


def _crept(motion: ArmMotion, since_s: float) -> float:
    after = motion.between(since_s, np.inf)
    return max((float(np.ptp(q, axis=0).max()) for q in after.q_rad.values() if len(q)), default=0.0)


def _moves_again(bench: Bench, stopped: bool) -> tuple[bool, str]:
    client = bench.client
    try:
        bench.graph.wait_ready(_BACK_S)
        if client.is_armed and stopped:
            return False, "armed again without a re-arm"
        _bring_to_speed(bench)
        _end_run(bench)
    except GraphError as error:
        return False, f"did not come back: {error}"
    return True, ""
