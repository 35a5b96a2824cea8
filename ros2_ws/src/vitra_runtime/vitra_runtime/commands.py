"""What a driver judges a command message by, besides its positions."""

from __future__ import annotations

import time
from typing import Any

from vitra_runtime.timing import stamp_to_s


def judged_by(message: Any) -> dict[str, Any]:
    """Order, epoch, age, time of receipt and source of an ArmCommand or HandCommand: arguments of `on_command`."""
    return {
        "sequence": message.sequence,
        "epoch": message.epoch,
        "age_s": time.time() - stamp_to_s(message.header.stamp),
        "now_s": time.monotonic(),
        "source": message.source,
    }
