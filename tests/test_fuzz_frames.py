"""A share of `make fuzz`: damaged messages end no reader."""

from __future__ import annotations

import pytest
from fuzz_frames import main


def test_damaged_messages_end_no_reader(capsys: pytest.CaptureFixture[str]) -> None:
    result = main(["--frames", "1500", "--no-progress"])
    assert result["taken"] > 50
    assert result["calibrations_refused"] > 5
    assert "rate_hz" in capsys.readouterr().out
