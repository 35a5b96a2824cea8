"""One source of orders at a time."""

from __future__ import annotations

from vitra_runtime.identity import OneSource, new_identity


def test_identities_differ_and_fit_into_a_message() -> None:
    made = {new_identity() for _ in range(100)}
    assert len(made) == 100
    assert all(0 < identity < 2**63 for identity in made)


def test_a_second_source_is_kept_out_and_remembered_for_a_while() -> None:
    sources = OneSource(1.0)
    assert sources.admits(1, 10.0)
    assert not sources.has_second(10.0)
    assert not sources.admits(2, 10.5)
    assert sources.admits(1, 10.9)
    assert sources.has_second(11.4)
    assert not sources.has_second(11.6)


def test_another_source_may_take_over_from_a_silent_one() -> None:
    sources = OneSource(1.0)
    sources.admits(1, 10.0)
    assert sources.admits(2, 11.1)
    assert not sources.admits(1, 11.2)
