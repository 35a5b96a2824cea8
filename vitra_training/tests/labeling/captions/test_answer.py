"""Strict reading of what a model wrote."""

from __future__ import annotations

import json

import pytest

from vitra_training.labeling.captions.answer import UnusableAnswerError, parse


@pytest.mark.parametrize("text", ["N/A", "n/a.", "NA", "None."])
def test_no_meaningful_action_is_told_in_one_way(text: str) -> None:
    assert parse(json.dumps({"caption": text, "rephrases": ["Do it."]})) == ("N/A", ())


def test_a_fenced_answer_is_read() -> None:
    assert parse('```json\n{"caption": "open the door", "rephrases": []}\n```') == ("Open the door.", ())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "empty answer"),
        ("Pick up the cup.", "not JSON"),
        ('["Pick up the cup."]', "not the object"),
        ('{"caption": "Pick up the cup.", "mood": "good"}', "not the object"),
        ('{"caption": "Pick up the cup.", "rephrases": "Take it."}', "not a list"),
        ('{"caption": "{side}", "rephrases": []}', "not a sentence"),
    ],
)
def test_anything_else_is_not_taken_and_the_reason_said(content: object, said: str) -> None:
    with pytest.raises(UnusableAnswerError, match=said):
        parse(content)
