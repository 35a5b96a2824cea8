"""Strict reading of what a model wrote: one JSON object with a sentence, or nothing is taken."""

from __future__ import annotations

import json

NOTHING = "N/A"
_LONGEST = 200
_REPHRASES = 4


class UnusableAnswerError(Exception):
    """An answer that is not what was asked for."""


def parse(content: object) -> tuple[str, tuple[str, ...]]:
    """Caption and rephrases of a model's answer; `NOTHING` where it says that there is no action.

    Args:
        content: what the model wrote, whatever that is.

    Raises:
        UnusableAnswerError: not exactly the JSON object that was asked for, or not a sentence.
    """
    if not isinstance(content, str) or not content.strip():
        raise UnusableAnswerError("empty answer")
    text = content.strip()
    if text.startswith("```"):
        text = text.strip("`").removeprefix("json").strip()
    try:
        value = json.loads(text)
    except json.JSONDecodeError as cause:
        raise UnusableAnswerError(f"not JSON ({cause})") from None
    if (
        not isinstance(value, dict)
        or set(value) - {"caption", "rephrases"}
        or not isinstance(value.get("caption"), str)
    ):
        raise UnusableAnswerError(f"not the object that was asked for: {text[:120]}")
    rephrases = value.get("rephrases", [])
    if not isinstance(rephrases, list) or not all(isinstance(one, str) for one in rephrases):
        raise UnusableAnswerError("rephrases are not a list of sentences")
    caption = _sentence(value["caption"])
    if caption == NOTHING:
        return NOTHING, ()
    return caption, tuple(dict.fromkeys(_sentence(one) for one in rephrases[:_REPHRASES] if one.strip()))


def _sentence(text: str) -> str:
    clean = " ".join(text.split())
    if clean.upper().rstrip(".") in (NOTHING, "NA", "NONE"):
        return NOTHING
    if not 3 <= len(clean) <= _LONGEST or not clean[0].isalpha() or "{" in clean:
        raise UnusableAnswerError(f"not a sentence: {clean[:80]!r}")
    clean = clean[0].upper() + clean[1:]
    return clean if clean.endswith(".") else clean + "."
