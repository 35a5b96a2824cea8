import uuid

import numpy as np
import pytest

from vitra_description.postures import home, mirror
from vitra_policy.action_space import SIDES, Side
from vitra_policy.errors import UnknownNameError
from vitra_sim.doubles.ports import JointState
from vitra_sim.realtime.runner import LEAP_M, RealTimePhysics
from vitra_sim.realtime.shared_state import StateReader, StateWriter
from vitra_sim.scene.scene import TICK_S
from vitra_sim.scene.world import StartContactError, World


class FakeClock:
    """Time that passes only by sleeping, plus the delays that a test injects."""

    def __init__(self):
        self.now_s = 100.0
        self.sleeps = []

    def __call__(self):
        return self.now_s

    def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.now_s += seconds


def run_ticks(physics, clock, ticks, delays=None):
    """Drive the loop's own thread body for a number of ticks."""
    delays = dict(delays or {})
    count = 0
    original = physics.tick

    def tick():
        nonlocal count
        original()
        clock.now_s += delays.get(count, 0.0)
        count += 1
        if count >= ticks:
            physics._running.clear()

    physics.tick = tick
    physics._running.set()
    physics._run()
    physics.tick = original


def test_simulated_time_follows_the_clock():
    clock = FakeClock()
    physics = RealTimePhysics(World(), clock=clock, sleep=clock.sleep)
    run_ticks(physics, clock, 100)
    assert physics.snapshot.sim_time_s == pytest.approx(100 * TICK_S)
    assert clock.now_s - 100.0 == pytest.approx(100 * TICK_S)
    assert physics.real_time_factor == pytest.approx(1.0, abs=0.02)


def test_a_short_delay_is_caught_up():
    clock = FakeClock()
    physics = RealTimePhysics(World(), clock=clock, sleep=clock.sleep)
    run_ticks(physics, clock, 100, {10: 0.02})
    assert clock.now_s - 100.0 == pytest.approx(100 * TICK_S)


def test_a_long_delay_is_given_up_instead_of_caught_up_in_a_burst():
    clock = FakeClock()
    physics = RealTimePhysics(World(), clock=clock, sleep=clock.sleep)
    run_ticks(physics, clock, 100, {10: 1.0})
    assert clock.now_s - 100.0 > 1.0 + 85 * TICK_S
    assert physics.real_time_factor < 0.5


def test_a_machine_that_is_too_slow_shows_in_the_real_time_factor():
    clock = FakeClock()
    physics = RealTimePhysics(World(), clock=clock, sleep=clock.sleep)
    run_ticks(physics, clock, 150, dict.fromkeys(range(150), 2 * TICK_S))
    assert physics.real_time_factor == pytest.approx(0.5, abs=0.05)
    assert not any(s > 0 for s in clock.sleeps[5:])


def test_ports_read_and_move_the_joints():
    physics = RealTimePhysics(World())
    arm, hand = physics.arms[Side.LEFT], physics.hands[Side.LEFT]
    assert (arm.side, hand.side) == ("left", "left")
    np.testing.assert_allclose(arm.target(), home("left"))
    arm.set_target(home("left") + 0.05)
    hand.set_target(np.full(12, 0.15))
    for _ in range(200):
        physics.tick()
    state = arm.joint_state()
    assert isinstance(state, JointState)
    np.testing.assert_allclose(state.position_rad, home("left") + 0.05, atol=0.005)
    assert state.velocity_rad_s.shape == state.effort_nm.shape == (7,)
    assert state.sim_time_s == pytest.approx(1.0)
    np.testing.assert_allclose(hand.joint_state().position_rad, 0.15, atol=0.02)
    np.testing.assert_allclose(physics.arms[Side.RIGHT].joint_state().position_rad, home("right"), atol=1e-3)


def test_objects_leap_once_when_told_and_again_only_when_told_again():
    physics = RealTimePhysics(World())
    name = next(iter(physics.snapshot.world.object_poses()))

    def height_m():
        return float(physics.snapshot.world.data.joint(name).qpos[2])

    physics.tick()
    before_m = height_m()
    physics.scene_faults.objects_leap = True
    physics.tick()
    assert height_m() - before_m == pytest.approx(LEAP_M, abs=0.002)
    physics.tick()
    assert physics.snapshot.leaps == 1
    physics.scene_faults.objects_leap = False
    physics.tick()
    physics.scene_faults.objects_leap = True
    physics.tick()
    assert physics.snapshot.leaps == 2


@pytest.mark.parametrize("bad", [np.zeros(3), np.full(7, np.inf)])
def test_ports_refuse_what_is_no_target(bad):
    arm = RealTimePhysics(World()).arms[Side.RIGHT]
    with pytest.raises(ValueError, match="7 finite"):
        arm.set_target(bad)
    np.testing.assert_allclose(arm.target(), home("right"))


def test_readings_belong_to_the_reader():
    physics = RealTimePhysics(World())
    state = physics.arms[Side.RIGHT].joint_state()
    state.position_rad[:] = 9.0
    physics.arms[Side.RIGHT].target()[:] = 9.0
    assert physics.arms[Side.RIGHT].joint_state().position_rad.max() < 9.0
    assert physics.arms[Side.RIGHT].target().max() < 9.0


@pytest.fixture
def running():
    physics = RealTimePhysics(World("place_cube_in_box", 0), StateWriter(f"test-{uuid.uuid4().hex[:8]}"))
    physics.start()
    yield physics
    physics.stop()


def test_a_reset_brings_new_objects_and_keeps_the_robot(running):
    arm = running.arms[Side.RIGHT]
    arm.set_target(home("right") + 0.03)
    before_s = running.snapshot.sim_time_s
    world = running.reset("place_can_in_box", 3)
    assert world.task.name == "place_can_in_box"
    assert running.snapshot.sim_time_s >= before_s
    np.testing.assert_allclose(arm.target(), home("right") + 0.03)
    assert running.reset(None, 4).task.name == "place_can_in_box"


def test_a_reset_to_an_unknown_task_changes_nothing(running):
    with pytest.raises(UnknownNameError):
        running.reset("place_canned_in_box", 0)
    assert running.snapshot.world.task.name == "place_cube_in_box"


def test_the_camera_is_told_of_the_new_model(running):
    name = running._writer.path.name
    reader = StateReader(name)
    first = _wait_for(reader)
    running.reset("place_mug_in_box", 1)
    second = _wait_for(reader, first.generation)
    assert second.generation == first.generation + 1
    assert second.model_path.exists()


def _wait_for(reader, other_than=None):
    for _ in range(100_000):
        state = reader.read()
        if state and state.generation != other_than:
            return state
    raise AssertionError("no state appeared")


def test_a_reset_onto_the_robot_is_refused():
    physics = RealTimePhysics(World("place_can_in_box", 0))
    old = physics.snapshot.world
    new = World("place_can_in_box", 1)
    target = new.layout.target.spec.name
    joint = new.model.joint(target)
    palm = old.data.xpos[old.model.body("right_hand_link").id]
    new.data.qpos[int(joint.qposadr[0]) :][:3] = palm + [0.0, 0.0, -0.02]
    physics._swap(new)
    assert isinstance(physics._reset_error, StartContactError)
    assert physics._world is old


def test_the_arms_start_mirrored():
    physics = RealTimePhysics(World())
    left, right = (physics.arms[side].target() for side in SIDES)
    np.testing.assert_allclose(mirror(left), right)
