"""The services that whoever operates a graph calls: consoles and programs."""

from __future__ import annotations

from typing import Any

from rcl_interfaces.srv import SetParameters
from std_srvs.srv import Trigger

from vitra_msgs.srv import Rearm, SetInstruction, SimReset

OPERATING_SERVICES: dict[str, Any] = {
    "safety_supervisor/rearm_from": Rearm,
    "safety_supervisor/stop": Trigger,
    "executor/home": Trigger,
    "executor/set_parameters": SetParameters,
    "policy/set_instruction": SetInstruction,
    "policy/stop": Trigger,
    "recorder/start": Trigger,
    "recorder/stop": Trigger,
    "recorder/save": Trigger,
    "recorder/discard": Trigger,
    "sim/reset": SimReset,
}
"""Type of each by its name. Make clients when the program starts: the answer to a client just made may be lost."""
