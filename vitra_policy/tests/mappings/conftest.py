"""A mapping file of one's own in which everything is right; tests put one fault into it."""

from __future__ import annotations

import pytest

WHOLE = """name: own
request:
  image: {image: head, size: [224, 224]}
  state:
    state:
      - {what: arm_joints, side: right}
      - {what: gripper, side: right, closed: 1.0}
  prompt: {text: instruction}
answer:
  horizon: 16
  rate_hz: 30
  parts:
    - {what: arm_joints, side: right, scale: 1.0}
    - {what: ignored, width: 3}
"""


@pytest.fixture
def whole() -> str:
    """The text of a mapping file."""
    return WHOLE
