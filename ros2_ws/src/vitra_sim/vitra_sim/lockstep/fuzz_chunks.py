"""Made-up chunks through the whole chain to the simulated joints: no limit broken, no shapes that meet, no crash.

    python -m vitra_sim.lockstep.fuzz_chunks --chunks 1000000 --jobs 2

The chain is the robot's own: retargeting, setpoint generator (time scaling, inverse kinematics, collision check), the
drivers' guard, gate and limiter, and the drives of the simulated arms and hands. Most chunks lead both wrists
somewhere, so that the arms do travel; others leap, oscillate, spin, meet, dive into the table, lie about their time
or shape, or are no numbers. A broken rule ends the run with the seed and the chunk that show it.

Setpoints are held against the limit of speed always, simulated joints wherever the robot touches nothing and follows.
An arm that hits or presses something (the box is pushed about, too) is up to 0.2 rad behind its setpoints and springs
back when that gives way: how fast is counted apart (`rebound_share`), as no setpoint asked for it. For the same reason
shapes that meet while every setpoint rests are counted (`slips`): the arms held, and what they pressed slipped.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray
from tqdm import tqdm

from vitra_control.setpoints import PermitSample
from vitra_control.settings import TICKS_PER_HAND_SETPOINT, GeneratorSettings
from vitra_description.calibration import default_calibration
from vitra_description.limits import ARM_LIMITS
from vitra_policy.action_space import SIDES, Side
from vitra_policy.command_options import check_whole_numbers
from vitra_policy.errors import VitraError
from vitra_safety.collision import CollisionModel
from vitra_safety.guard import ARM_GUARD, HAND_GUARD
from vitra_safety.motion_gate import MotionState
from vitra_safety.setpoint_stream import SetpointStream
from vitra_sim.lockstep.chain import RobotChain
from vitra_sim.lockstep.made_up_chunks import MadeUpChunks
from vitra_sim.scene.scene import TICK_S
from vitra_sim.scene.world import World

Array = NDArray[np.float64]

CHUNKS_PER_EPISODE = 2000
_FASTEST = 1.05 * np.radians(90.0)
_RANGE_RAD = np.radians(0.5)
_REST_ERROR_RAD = float(np.radians(3.0))
_LOOK_TICKS = 4
_PRESSED_RAD = 0.05
"""An arm farther from its setpoint than a servo lags was pressed there."""
_REBOUND_TICKS = 60
"""For so long after it touched something an arm may spring back."""


class RuleBrokenError(VitraError):
    """A simulated joint did what no chunk may make it do, or something raised."""


@dataclass(frozen=True)
class Options:
    """How many chunks, and from which seed."""

    chunks: int = 1_000_000
    """Chunks to make up."""
    seed: int = 0
    """Of the first episode; an episode has 2000 chunks and a seed of its own."""
    jobs: int = 1
    """Processes."""
    out: Path = Path("runs/bench/fuzz_chunks.json")
    """Where the figures go."""


@dataclass
class Tally:
    """What came of some chunks.

    Attributes:
        chunks: Made up.
        refused: By the retargeting or the generator, by cause.
        stops: Of drivers that latched, by cause.
        velocity_share: Fastest simulated joint of a robot that touches nothing and follows, as a share of the limit.
        rebound_share: Fastest one of a robot that has touched something, or was pressed aside, just before.
        nearest_mm: Smallest distance of any two shapes.
        slips: How often shapes met while the robot was held still, by what it pressed.
        travel_rad: Way of the simulated arm joints (norm over 14).
    """

    chunks: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)
    velocity_share: float = 0.0
    rebound_share: float = 0.0
    nearest_mm: float = float("inf")
    slips: int = 0
    travel_rad: float = 0.0

    def add(self, other: Tally) -> None:
        """Count another one's too."""
        self.chunks += other.chunks
        self.refused += other.refused
        self.stops += other.stops
        self.velocity_share = max(self.velocity_share, other.velocity_share)
        self.rebound_share = max(self.rebound_share, other.rebound_share)
        self.nearest_mm = min(self.nearest_mm, other.nearest_mm)
        self.slips += other.slips
        self.travel_rad += other.travel_rad


class Episode:
    """One simulated robot under attack.

    Args:
        seed: Of everything.
    """

    def __init__(self, seed: int) -> None:
        self._rng = rng = np.random.default_rng(seed)
        self._calibration = default_calibration()
        settings = GeneratorSettings(speed=float(rng.uniform(0.3, 1.8)))
        self._world = World(seed=seed % 1000, calibration=self._calibration)
        self._chain = RobotChain(self._calibration, settings)
        self._shapes = CollisionModel(self._calibration, table_height_m=settings.table_height_m)
        self.made_up = MadeUpChunks(rng, self._calibration)
        self.tally = Tally()
        self._ticks = self._epoch = 0
        self._pressed = -_REBOUND_TICKS
        self._looked = self._targets()
        self._begin_again()

    def chunk(self) -> None:
        """One made-up chunk, and the one to three ticks until the next.

        Raises:
            RuleBrokenError: what the joints did.
        """
        self.tally.chunks += 1
        world, state = self._world, self._chain.hand_state
        observed = np.concatenate([state(side, world.arm_q(side), world.hand_q(side)) for side in SIDES])
        hands, stamp_s = self.made_up.next(observed, world.time_s)
        try:
            self._chain.offer_hands(hands, stamp_s, self._world.time_s)
        except VitraError as error:
            self.tally.refused[type(error).__name__] += 1
        for _ in range(int(self._rng.integers(1, 4))):
            self._tick()

    def _tick(self) -> None:
        world, now_s = self._world, self._world.time_s
        setpoints = self._chain.generator.tick(now_s, PermitSample(self._epoch, True, now_s))
        for side in SIDES:
            arm, hand = self._arms[side], self._hands[side]
            sent = self._through(arm, world.arm_q(side), None if setpoints is None else setpoints.arms.get(side))
            if sent is not None:
                self._look_at_setpoint(side, sent, begins=bool(arm.begins))
                world.set_arm_target(side, sent)
            if self._ticks % TICKS_PER_HAND_SETPOINT == 0 or (setpoints is not None and side in setpoints.hands):
                wanted = None if setpoints is None else setpoints.hands.get(side)
                sent = self._through(hand, world.hand_q(side), wanted)
                if sent is not None:
                    world.set_hand_target(side, sent)
        before = self._joints()
        world.step()
        self._ticks += 1
        self._look(before)
        if self._chain.generator.failures:
            raise RuleBrokenError(f"Setpoints could not be computed: {self._chain.generator.last_failure}")
        latched = [one for one in (*self._arms.values(), *self._hands.values()) if one.state is MotionState.LATCHED]
        if latched:
            for stream in latched:
                self.tally.stops[str(stream.gate.cause)] += 1
            self._begin_again()

    def _through(self, stream: SetpointStream, measured: Array, wanted: Array | None) -> Array | None:
        now_s = self._world.time_s
        stream.on_permit(self._epoch, True, now_s, 1, 0.0)
        stream.on_feedback(measured, now_s)
        if wanted is not None:
            stream.on_command(wanted, sequence=self._ticks + 1, epoch=self._epoch, age_s=0.001, now_s=now_s, source=1)
        return stream.tick(now_s)

    def _joints(self) -> Array:
        return np.concatenate([self._world.arm_q(side) for side in SIDES])

    def _targets(self) -> Array:
        return np.concatenate([self._world.arm(side).target(self._world.data) for side in SIDES])

    def _look(self, before: Array) -> None:
        q = self._joints()
        self.tally.travel_rad += float(np.linalg.norm(q - before))
        self._look_at_speed(float(np.abs(q - before).max()) / TICK_S, q)
        if not all(ARM_LIMITS.contains(q[7 * i : 7 * i + 7], _RANGE_RAD) for i in range(len(SIDES))):
            raise RuleBrokenError(f"A joint is beyond its range: {np.round(q, 4).tolist()}.")
        if self._ticks % _LOOK_TICKS == 0:
            distance_m = self._shapes.distance_m(q)
            self.tally.nearest_mm = min(self.tally.nearest_mm, 1e3 * distance_m)
            rests = bool(np.array_equal(self._targets(), self._looked))
            self._looked = self._targets()
            if distance_m <= 0.0 and rests:
                self.tally.slips += 1
            elif distance_m <= 0.0:
                raise RuleBrokenError(f"Shapes overlap: {self._shapes.closest(q)}.")

    def _look_at_setpoint(self, side: Side, sent: Array, *, begins: bool) -> None:
        way_rad = np.abs(sent - self._world.arm(side).target(self._world.data)).max()
        if not (begins or way_rad <= _FASTEST * TICK_S):
            raise RuleBrokenError(f"A setpoint leapt by {np.degrees(way_rad):.2f} deg within {TICK_S * 1e3:g} ms.")

    def _look_at_speed(self, velocity_rad_s: float, q: Array) -> None:
        tally, share = self.tally, velocity_rad_s / float(np.radians(90.0))
        if self._world.robot_contacts() or np.abs(self._targets() - q).max() > _PRESSED_RAD:
            self._pressed = self._ticks
        if self._ticks - self._pressed < _REBOUND_TICKS:
            tally.rebound_share = max(tally.rebound_share, share)
            return
        tally.velocity_share = max(tally.velocity_share, share)
        if not velocity_rad_s <= _FASTEST:
            raise RuleBrokenError(f"A joint turned at {np.degrees(velocity_rad_s):.1f} deg/s.")

    def _begin_again(self) -> None:
        """As after a re-arm, in whatever posture the arms are."""
        self._epoch += 1
        self._chain.reset(self._world)
        self._arms = {side: SetpointStream(ARM_GUARD, rest_error_rad=_REST_ERROR_RAD) for side in SIDES}
        self._hands = {side: SetpointStream(HAND_GUARD) for side in SIDES}


def run_episode(seed: int, chunks: int) -> Tally:
    """One episode.

    Args:
        seed: Of the episode.
        chunks: How many.

    Raises:
        RuleBrokenError: naming seed and chunk.
    """
    episode = Episode(seed)
    with np.errstate(all="ignore"):
        for number in range(chunks):
            try:
                episode.chunk()
            except Exception as error:
                raise RuleBrokenError(f"seed {seed}, chunk {number}: {type(error).__name__}: {error}") from error
    return episode.tally


def run_all(options: Options) -> Iterator[Tally]:
    """Every episode's tally, in order."""
    episodes = -(-options.chunks // CHUNKS_PER_EPISODE)
    counts = [CHUNKS_PER_EPISODE] * (episodes - 1) + [options.chunks - CHUNKS_PER_EPISODE * (episodes - 1)]
    seeds = range(options.seed, options.seed + episodes)
    if options.jobs == 1:
        yield from map(run_episode, seeds, counts)
        return
    with ProcessPoolExecutor(options.jobs) as pool:
        yield from pool.map(run_episode, seeds, counts)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 1 where a rule was broken."""
    options = tyro.cli(Options, prog="python -m vitra_sim.lockstep.fuzz_chunks", description=__doc__, args=argv)
    check_whole_numbers(options, {"chunks": 1, "seed": 0, "jobs": 1})
    begin_s, total = time.perf_counter(), Tally()
    with tqdm(total=options.chunks, unit="chunks", file=sys.stderr) as bar:
        try:
            for tally in run_all(options):
                total.add(tally)
                bar.update(tally.chunks)
        except RuleBrokenError as error:
            sys.stderr.write(f"\nBROKEN: {error}\n")
            return 1
    seconds = time.perf_counter() - begin_s
    figures = vars(total) | {"seconds": round(seconds, 1), "rate_hz": round(total.chunks / seconds, 1)}
    figures |= {"seed": options.seed, "jobs": options.jobs, "cores": os.cpu_count()}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=2) + "\n")
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
