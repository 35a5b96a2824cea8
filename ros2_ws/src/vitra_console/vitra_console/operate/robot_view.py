"""What the console knows about the robot, and how it tells it: messages in, plain words and numbers out."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from vitra_console.operate import words
from vitra_description.limits import ARM_LIMITS

_FRESH_S = 2.0
_STATE_OK = 1
_LIMITS = list(zip(ARM_LIMITS.lower_rad.tolist(), ARM_LIMITS.upper_rad.tolist(), strict=True))
_LEVELS = {b"\x00": "ok", b"\x01": "warning", b"\x02": "error", b"\x03": "stale"}


class RobotView:
    """The newest message of every kind, and the page made of them; safe to use from several threads.

    Args:
        sides: the arms that are driven.
        clock: monotonic seconds.
    """

    def __init__(self, sides: tuple[str, ...], clock: Callable[[], float] = time.monotonic) -> None:
        self.sides, self._clock = sides, clock
        self._lock = threading.Lock()
        self._heard: dict[str, tuple[float, Any]] = {}
        self._diagnostics: dict[str, tuple[float, Any]] = {}
        self._beats: dict[str, tuple[float, Any]] = {}
        self._frames_s: deque[float] = deque(maxlen=60)
        self._chunks_s: deque[float] = deque(maxlen=60)
        self.stops = 0
        self.speed_percent: int | None = None
        self.speed_share = 1.0
        self.run: dict[str, Any] = {"running": False, "instruction": "", "result": ""}
        self._message: tuple[str, bool] = ("", True)

    def hear(self, what: str, message: Any) -> None:
        """Keep the newest message of a kind (`safety`, `executor`, `right_arm`, `right_arm/joints`, `chunk`, ...)."""
        with self._lock:
            before = self._heard.get(what)
            self._heard[what] = (self._clock(), message)
            if what == "safety" and message.state == 2 and (before is None or before[1].state != 2):
                self.stops += 1
            elif what == "chunk":
                self._chunks_s.append(self._clock())

    def hear_frame(self, arrival_s: float) -> None:
        """A camera image came."""
        with self._lock:
            self._frames_s.append(arrival_s)

    def hear_beat(self, message: Any) -> None:
        """A heartbeat."""
        with self._lock:
            self._beats[message.node.lstrip("/")] = (self._clock(), message)

    def hear_diagnostics(self, array: Any) -> None:
        """A DiagnosticArray."""
        with self._lock:
            for status in array.status:
                self._diagnostics[status.name] = (self._clock(), status)

    def say(self, text: str, *, ok: bool = True) -> None:
        """Show a message to the operator."""
        with self._lock:
            self._message = (text, ok)

    @property
    def safety_state(self) -> int | None:
        """The supervisor's state, None before it was heard."""
        found = self._heard.get("safety")
        return None if found is None else int(found[1].state)

    def why_no_run_goes_on(self) -> str:
        """Why no run can be under way, whether or not its end was told; empty if one can."""
        if self.safety_state != words.ARMED:
            return "stopped"
        heard_s = self._beats["policy"][0] if "policy" in self._beats else None
        if heard_s is None or self._clock() - heard_s > _FRESH_S:
            return "the policy node is silent"
        return ""

    @property
    def sim(self) -> Any:
        """The newest SimState, None on a real robot."""
        found = self._heard.get("sim")
        return None if found is None else found[1]

    def newest(self, what: str, within_s: float = _FRESH_S) -> Any:
        """The newest message of a kind, None if it is older than that."""
        found = self._heard.get(what)
        return None if found is None or self._clock() - found[0] > within_s else found[1]

    def page(self) -> dict[str, Any]:
        """The whole state of the page as plain data."""
        with self._lock:
            text, ok = self._message
            return {
                "robot": ("Simulated robot" if "sim" in self._heard else "Robot")
                + f", {' and '.join(self.sides)} arm{'s' * (len(self.sides) > 1)}",
                "safety": self._safety(),
                "arms": [self._arm(side) for side in self.sides],
                "executor": self._executor(),
                "policy": self._policy(),
                "record": self._record(),
                "sim": self._sim(),
                "camera_hz": self._rate_hz(self._frames_s),
                "speed": self._speed(),
                "diagnostics": self._ailments(),
                "message": text,
                "message_ok": ok,
            }

    def _safety(self) -> dict[str, Any]:
        said = self.newest("safety", 3.0)
        if said is None:
            return {"state": "unknown", "headline": words.HEADLINES["unknown"], "cause": "", "mend": "",
                    "missing": ["the safety supervisor is silent"]}  # fmt: skip
        state = words.SAFETY.get(int(said.state), "unknown")
        cause, mend = words.stop_words(said.stop_cause, said.stop_source, said.stop_detail)
        return {
            "state": state,
            "headline": words.HEADLINES[state],
            "cause": " ".join([cause, *self._faults()]) if state == "stopped" else "",
            "mend": mend if state == "stopped" else "",
            "missing": list(said.not_ready),
        }

    def _faults(self) -> list[str]:
        """What devices say themselves; the supervisor may only know that they stopped."""
        said = [self.newest(f"{side}_{part}") for side in self.sides for part in ("arm", "hand")]
        words_of = [s.fault or (s.stop_cause if s.state == "latched" else "") for s in said if s is not None]
        # That the permit is gone is what every stop does, and not why.
        own = dict.fromkeys(text for text in words_of if text and not text.startswith("permit_"))
        return [f"{text[:1].upper()}{text[1:]}." for text in own]

    def _arm(self, side: str) -> dict[str, Any]:
        parts = {}
        for part in ("arm", "hand"):
            said = self.newest(f"{side}_{part}")
            state = "silent" if said is None else words.DEVICE.get(said.state, said.state)
            why = "" if said is None else said.fault or (said.stop_cause if said.state == "latched" else "")
            parts[part] = f"{state}: {why}" if why else state
        joints = self.newest(f"{side}_arm/joints", 1.0)
        degrees, warning = [], "joints unknown"
        if joints is not None:
            degrees = [round(q * 57.29578, 1) for q in joints.position]
            warning = words.joint_warning(joints.name, joints.position, _LIMITS)
        return {"side": side, **parts, "joints_deg": degrees, "warning": warning}

    def _executor(self) -> dict[str, Any]:
        said = self.newest("executor", 1.0)
        if said is None:
            return {"words": "silent", "limit": "", "moving": False}
        return {
            "words": words.EXECUTOR.get(int(said.state), "unknown"),
            "limit": said.limit if said.in_limit else "",
            "moving": int(said.state) in (words.TRACKING, words.HOMING, words.TRAJECTORY),
        }

    def _policy(self) -> dict[str, Any]:
        chunk, instruction = self.newest("chunk", 1.0), self._heard.get("instruction")
        executor = self.newest("executor", 1.0)
        late = round(1e3 * executor.observation_to_setpoint_s) if executor is not None else 0
        return {
            **self.run,
            "there": "policy" in self._beats,
            "instruction": instruction[1].data if instruction else self.run["instruction"],
            "chunk_hz": self._rate_hz(self._chunks_s) if chunk is not None else 0.0,
            "inference_ms": round(1e3 * chunk.inference_s) if chunk is not None else 0,
            "delay_ms": late,
        }

    def _record(self) -> dict[str, Any]:
        said = self.newest("episode", 5.0)
        if said is None:
            return {"there": False, "recording": False}
        return {
            "there": True,
            "recording": bool(said.state == 1),
            "elapsed": words.duration(said.elapsed_s),
            "path": said.path,
            "saved": int(said.saved),
            "dropped": int(said.dropped),
            "warnings": list(said.warnings),
        }

    def _sim(self) -> dict[str, Any] | None:
        said = self.newest("sim")
        if said is None:
            return None
        return {
            "task": said.task,
            "judged": "done" if said.success else "failed: the object is lost" if said.failed else "not done yet",
            "real_time_factor": round(said.real_time_factor, 2),
        }

    def _speed(self) -> dict[str, Any]:
        fastest = 0.0
        for side in self.sides:
            joints = self.newest(f"{side}_arm/joints", 1.0)
            if joints is not None and len(joints.velocity):
                fastest = max(fastest, *(abs(v) for v in joints.velocity))
        limit = self.speed_percent
        return {
            "limit_percent": None if limit is None else round(limit * self.speed_share),
            "share_percent": round(100 * self.speed_share),
            "now_deg_s": round(fastest * 57.29578),
        }

    def _ailments(self) -> list[dict[str, str]]:
        now_s, rows = self._clock(), []
        for name, (heard_s, beat) in sorted(self._beats.items()):
            if now_s - heard_s > _FRESH_S:
                rows.append({"name": name, "level": "error", "message": f"silent for {now_s - heard_s:.0f} s"})
            elif beat.state != _STATE_OK:
                rows.append({"name": name, "level": "error" if beat.state == 2 else "warning", "message": beat.detail})
        for name, (heard_s, status) in sorted(self._diagnostics.items()):
            level = "stale" if now_s - heard_s > 5.0 else _LEVELS.get(bytes(status.level), "error")
            rows.append({"name": name, "level": level, "message": status.message})
        order = {"error": 0, "stale": 1, "warning": 2, "ok": 3}
        return sorted(rows, key=lambda row: order[row["level"]])

    def _rate_hz(self, times_s: deque[float]) -> float:
        now_s = self._clock()
        recent = [t for t in times_s if now_s - t < 2.0]
        return round((len(recent) - 1) / (recent[-1] - recent[0]), 1) if len(recent) > 2 else 0.0
