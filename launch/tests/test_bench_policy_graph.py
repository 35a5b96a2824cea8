"""The figures of the policy's pace, from made-up arrivals."""

from __future__ import annotations

import pytest

from vitra_bringup.bench_policy_graph import Arrival, chunk_figures
from vitra_bringup.graph_link import GraphError
from vitra_msgs.msg import HandActionChunk


def arrivals(period_s: float, committed: list[int]) -> list[Arrival]:
    return [
        Arrival(
            100.0 + period_s * index,
            HandActionChunk(
                sequence=index + 1,
                committed_steps=steps,
                inference_s=0.05,
                stage_names=["prefix", "denoise"],
                stage_s=[0.01, 0.03],
                policy_id="vitra:mini",
            ),
        )
        for index, steps in enumerate(committed)
    ]


def test_rate_times_and_committed_steps_are_counted() -> None:
    figures = chunk_figures(arrivals(0.08, [0, 3, 3, 4]))
    assert figures["chunk_hz"] == 12.5
    assert figures["inference_ms_p50"] == 50.0
    assert figures["stages_ms_p50"] == {"prefix": 10.0, "denoise": 30.0}
    assert figures["chunks_with_committed_steps"] == 3
    assert (figures["committed_steps_p50"], figures["committed_steps_max"]) == (3.0, 4)
    assert figures["lost_on_the_way"] == 0


def test_a_chunk_that_was_not_received_is_reported() -> None:
    heard = arrivals(0.1, [0, 1, 1])
    assert chunk_figures([heard[0], heard[2]])["lost_on_the_way"] == 1


def test_a_silent_policy_is_an_error_that_says_where_to_look() -> None:
    with pytest.raises(GraphError, match="log"):
        chunk_figures(arrivals(0.1, [0]))
