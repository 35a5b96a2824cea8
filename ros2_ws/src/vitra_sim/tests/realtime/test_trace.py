import json

import numpy as np
import pytest

from vitra_description.postures import home
from vitra_policy.action_space import SIDES, Side
from vitra_sim.realtime.runner import RealTimePhysics
from vitra_sim.realtime.trace import MotionTrace, StateTrace, TraceError, load_trace
from vitra_sim.scene.world import World


def test_states_are_kept_at_30_hz_and_split_at_resets(tmp_path):
    trace = StateTrace(tmp_path / "deep" / "trace.npz")
    physics = RealTimePhysics(World("place_cube_in_box", 0), on_tick=trace.add)
    for _ in range(100):
        physics.tick()
    physics._swap(World("place_can_in_box", 5))
    for _ in range(40):
        physics.tick()
    trace.save()
    first, second = load_trace(tmp_path / "deep" / "trace.npz")
    assert (first.task, first.seed, second.task, second.seed) == ("place_cube_in_box", 0, "place_can_in_box", 5)
    assert 14 <= len(first.qpos) <= 16
    assert first.qpos.shape[1] == physics.snapshot.world.model.nq
    assert np.all(np.diff(first.stamps_s) > 0)


def test_nothing_recorded_means_no_file(tmp_path):
    StateTrace(tmp_path / "trace.npz").save()
    assert not (tmp_path / "trace.npz").exists()


@pytest.mark.parametrize("content", [None, b"rubbish", b""])
def test_a_file_that_is_no_trace_is_refused(tmp_path, content):
    path = tmp_path / "trace.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TraceError, match="not a trace"):
        load_trace(path)


def test_motion_is_logged_every_tick_with_the_last_command(tmp_path):
    physics = RealTimePhysics(World())
    trace = MotionTrace(tmp_path / "motion.jsonl", physics.arms)
    physics._on_tick = trace.add
    for tick in range(30):
        if tick == 10:
            physics.arms[Side.RIGHT].set_target(home("right") + 0.01)
        physics.tick()
    trace.close()
    lines = [json.loads(line) for line in (tmp_path / "motion.jsonl").read_text().splitlines()]
    assert [line["t"] for line in lines] == pytest.approx([0.005 * (i + 1) for i in range(30)])
    assert lines[5]["right"]["command_t"] == 0.0
    assert lines[5]["leaps"] == 0
    assert lines[-1]["right"]["command_t"] == pytest.approx(0.05)
    assert lines[-1]["left"]["command_t"] == 0.0
    for side in SIDES:
        assert len(lines[0][side]["q"]) == len(lines[0][side]["target"]) == 7
    np.testing.assert_allclose(lines[-1]["right"]["target"], home("right") + 0.01, atol=1e-6)
