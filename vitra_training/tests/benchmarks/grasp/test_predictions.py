"""Stored chunks answer the very question or none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitra_training.benchmarks.grasp.predictions import Prediction, PredictionStore, cases_of
from vitra_training.benchmarks.grasp.rows import Case, Row, parse_policy, stay

ROW = Row("halfway", parse_policy("halfway"))


@pytest.fixture
def store(tmp_path: Path, case: Case) -> PredictionStore:
    made = PredictionStore(tmp_path)
    made.write(ROW, case, Prediction(stay(case), 1 / 30))
    return made


def test_a_chunk_is_read_back(store: PredictionStore, case: Case) -> None:
    found = store.read(ROW, case)
    assert found is not None
    np.testing.assert_array_equal(found.actions, stay(case))
    assert found.step_s == 1 / 30
    assert not list(store.root.rglob("*.partial"))


def test_a_chunk_of_another_image_or_caption_is_none(store: PredictionStore, case: Case) -> None:
    assert store.read(ROW, replace(case, image=Path("red_box-1.png"))) is None
    assert store.read(ROW, replace(case, caption="crimson box")) is None
    assert store.read(Row("x", ROW.policy, shuffled=True), case) is None
    assert store.read(Row("x", parse_policy("halfway:gain=2")), case) is None


def test_a_file_that_was_cut_is_asked_for_again(store: PredictionStore, case: Case) -> None:
    path = store.path(ROW, case)
    path.write_bytes(path.read_bytes()[:100])
    assert store.read(ROW, case) is None


def test_an_object_alone_has_no_shuffled_case(case: Case) -> None:
    alone = replace(case, other_caption=None)
    assert cases_of(Row("x", ROW.policy, shuffled=True), [case, alone]) == [case]
    assert cases_of(ROW, [case, alone]) == [case, alone]
