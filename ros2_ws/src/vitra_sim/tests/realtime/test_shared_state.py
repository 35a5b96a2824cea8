import threading
import uuid

import numpy as np
import pytest

from vitra_sim.realtime.shared_state import StateReader, StateWriter

pytestmark = pytest.mark.realtime


@pytest.fixture
def name():
    return f"test-{uuid.uuid4().hex[:8]}"


def writer_of(name, positions=4):
    writer = StateWriter(name)
    generation = writer.generation + 1
    path = writer.model_path(generation)
    path.write_bytes(b"model")
    writer.set_model(generation, positions, path)
    return writer


def test_what_was_written_is_read(name):
    writer = writer_of(name)
    writer.write(12, 3.5, np.arange(4.0))
    state = StateReader(name).read()
    assert (state.stamp_ns, state.sim_time_s, state.generation) == (12, 3.5, writer.generation)
    assert np.array_equal(state.qpos, np.arange(4.0))
    assert state.model_path.read_bytes() == b"model"
    writer.close()


def test_a_reader_may_come_before_the_writer(name):
    reader = StateReader(name)
    assert reader.read() is None
    writer = writer_of(name)
    assert reader.read() is None  # a model, but no state yet
    writer.write(1, 0.0, np.zeros(4))
    assert reader.read() is not None
    writer.close()


def test_a_writer_that_died_is_succeeded_in_place(name):
    first = writer_of(name)
    first.write(1, 0.0, np.zeros(4))
    reader = StateReader(name)
    assert reader.read().generation == first.generation
    first._fields["sequence"] += 1  # killed in the middle of a write
    second = writer_of(name, positions=2)
    second.write(2, 0.0, np.ones(2))
    state = reader.read()
    assert state.generation == first.generation == second.generation  # the same memory
    assert len(state.qpos) == 2
    second.close()


def test_nothing_is_left_behind(name):
    writer = writer_of(name)
    path, model = writer.path, writer.model_path(writer.generation)
    assert path.exists()
    assert model.exists()
    writer.close()
    assert not path.exists()
    assert not model.exists()


def test_no_reading_is_torn(name):
    writer, reader = writer_of(name, positions=64), StateReader(name)
    stop = threading.Event()

    def write():
        value = 0
        while not stop.is_set():
            value += 1
            writer.write(value, float(value), np.full(64, float(value)))

    thread = threading.Thread(target=write)
    thread.start()
    states = [state for state in (reader.read() for _ in range(2000)) if state]
    stop.set()
    thread.join()
    assert len(states) > 100
    for state in states:
        assert np.all(state.qpos == state.sim_time_s)
        assert state.stamp_ns == state.sim_time_s
    writer.close()


def test_the_next_state_is_waited_for_only_so_long(name):
    writer = writer_of(name)
    writer.write(1, 0.0, np.zeros(4))
    reader, naps = StateReader(name), []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            writer.write(2, 0.005, np.ones(4))

    assert reader.read_next(0.006, nap).stamp_ns == 2
    assert len(naps) == 3
    assert reader.read_next(0.006, naps.append).stamp_ns == 2, "nothing new: the present one"
    assert sum(naps[3:]) == pytest.approx(0.006)
    writer.close()
    assert StateReader(f"{name}-none").read_next(0.006, naps.append) is None
