"""Collects the streams and makes the newest complete observation on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side
from vitra_policy.hand.hand_map import HandMap
from vitra_policy.hand.xhand_map import XHAND_MAP
from vitra_policy.policies.observation import (
    LEAST_GAP_S,
    CameraInfoError,
    HandStateEstimator,
    HandStates,
    SampleHistory,
    fov_from_intrinsics,
)
from vitra_policy.policies.policy import ARM_RAD, BASE_FROM_CAMERA, CommittedPrefix, Extra, Observation

FloatArray: TypeAlias = NDArray[np.float64]

_LAG_POLL_S = 0.002


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One camera frame, not decoded yet."""

    stamp_s: float
    stamp_ns: int
    frame_id: str
    raw: bytes | None
    """Serialised image; None when the policy does not look."""


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """What camera_info says."""

    intrinsics: FloatArray
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A frame with the hands at its time: everything but pixels, extras and prompt."""

    frame: Frame
    camera: Camera
    hands: HandStates
    complete_s: float
    """Monotonic time at which it was complete."""


@dataclass(frozen=True, slots=True)
class Decoders:
    """What reads serialised messages."""

    joints: Callable[[str, bytes], FloatArray]
    """Positions of a joint state, given the stream (``right_arm``)."""
    image: Callable[[bytes], NDArray[np.uint8]]
    """RGB image of an image."""
    extras: Callable[[bytes], Mapping[str, Extra]]
    """Extras of a simulator state."""


@dataclass(frozen=True, slots=True)
class BufferSettings:
    """What counts as an observation."""

    max_joint_age_s: float = 0.05
    """Oldest joint sample that counts."""
    needs_extras: bool = False
    """There is no observation without extras."""
    hand_map: HandMap = XHAND_MAP
    """Of the robot's hands."""


class ObservationBuffer:
    """Newest frame and joint histories, filled by subscriptions and emptied by the worker.

    Messages stay serialised until an observation needs them: of 200 joint messages per second a policy at 10 Hz
    decodes ten.

    Args:
        sides: arms and hands the robot has.
        camera_from_wrist: see `HandStateEstimator`.
        base_from_camera: (4, 4), becomes an extra.
        decoders: of the serialised messages.
        settings: what counts as an observation.
        fetch: brings in joints and extras that wait elsewhere; called before each look at them.
    """

    def __init__(
        self,
        sides: Collection[Side],
        camera_from_wrist: Callable[[Side, FloatArray], FloatArray],
        base_from_camera: FloatArray,
        decoders: Decoders,
        settings: BufferSettings | None = None,
        fetch: Callable[[ObservationBuffer], None] | None = None,
    ) -> None:
        settings = settings or BufferSettings()

        def history(stream: str, gap_s: float) -> SampleHistory[bytes]:
            return SampleHistory(lambda raw: decoders.joints(stream, raw), gap_s=gap_s)

        self._histories = {
            f"{side}_{part}": history(f"{side}_{part}", gap_s) for side in sides for part, gap_s in LEAST_GAP_S.items()
        }
        self._estimator = HandStateEstimator(
            camera_from_wrist,
            {side: self._histories[f"{side}_arm"] for side in sides},
            {side: self._histories[f"{side}_hand"] for side in sides},
            settings.max_joint_age_s,
            settings.hand_map,
        )
        self._base_from_camera = base_from_camera
        self._decode_image, self._decode_extras = decoders.image, decoders.extras
        self._needs_extras, self._fetch = settings.needs_extras, fetch
        self.all_hands: NDArray[np.bool_] = np.array([side in sides for side in SIDES])
        """(2,) those the robot has."""
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._camera: Camera | None = None
        self._extras: bytes | None = None
        self.problem = "no data yet"
        """Why the last `next` gave nothing."""

    def add_frame(self, frame: Frame) -> None:
        """Take a camera frame."""
        with self._changed:
            self._frame = frame
            self._changed.notify_all()

    @property
    def newest(self) -> Frame | None:
        """The newest frame, used or not."""
        return self._frame

    def set_camera(self, camera: Camera) -> None:
        """Take what camera_info says."""
        self._camera = camera

    def add_joints(self, stream: str, stamp_s: float, raw: bytes) -> None:
        """Take a joint state.

        Args:
            stream: Such as `right_arm`.
            stamp_s: When the joints were measured, ROS time.
            raw: The message, CDR.
        """
        with self._changed:
            self._histories[stream].add(stamp_s, raw)

    def set_extras(self, raw: bytes) -> None:
        """Take the simulator's state."""
        self._extras = raw

    def next(self, last: Frame | None, needed: NDArray[np.bool_], timeout_s: float) -> Sighting | None:
        """The newest frame other than `last`, once the joints have caught up with it.

        Args:
            last: the frame that was used before.
            needed: (2,) hands that are to move; their chunk is anchored at the measured hand, so it must be known.
            timeout_s: how long to wait.

        Returns:
            None when there is none within the timeout; `problem` says why.
        """
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while True:
                ready = self._look(last, needed)
                left_s = deadline_s - time.monotonic()
                if ready is not None or left_s <= 0:
                    return ready
                lagging = self._frame is not None and self._frame is not last
                self._changed.wait(min(left_s, _LAG_POLL_S) if lagging else left_s)

    def observe(
        self, sighting: Sighting, instruction: str, hands: NDArray[np.bool_], committed: CommittedPrefix | None
    ) -> Observation:
        """The observation of a sighting.

        Args:
            sighting: An image and the joints at its time.
            instruction: What the robot is to do.
            hands: Which hands act (2,), left first.
            committed: Steps that will be executed whatever the policy answers, or None.

        Raises:
            VitraError: an image or camera_info that cannot be used.
        """
        frame, camera = sighting.frame, sighting.camera
        image = None if frame.raw is None else self._decode_image(frame.raw)
        if image is not None and image.shape[:2] != (camera.height_px, camera.width_px):
            raise CameraInfoError(
                f"The image is {image.shape[1]}x{image.shape[0]} but camera_info speaks of "
                f"{camera.width_px}x{camera.height_px}; both must come from one camera profile."
            )
        extras: dict[str, Any] = {BASE_FROM_CAMERA: self._base_from_camera}
        extras |= {ARM_RAD[side]: joints for side, joints in sighting.hands.arms_rad.items()}
        if self._extras is not None:
            extras.update(self._decode_extras(self._extras))
        return Observation(
            stamp_s=frame.stamp_s,
            instruction=instruction,
            image=image,
            intrinsics=camera.intrinsics,
            fov_rad=fov_from_intrinsics(camera.intrinsics, camera.width_px, camera.height_px),
            state=sighting.hands.state,
            state_valid=sighting.hands.valid,
            hands=hands,
            committed=committed,
            extras=extras,
        )

    def _look(self, last: Frame | None, needed: NDArray[np.bool_]) -> Sighting | None:
        frame, camera = self._frame, self._camera
        if frame is None or frame is last:
            self.problem = "no camera image" if frame is None else "no new camera image"
            return None
        if camera is None:
            self.problem = "no camera_info"
            return None
        if self._fetch:
            self._fetch(self)
        if self._needs_extras and self._extras is None:
            self.problem = "no sim/state"
            return None
        states = self._estimator.at(frame.stamp_s)
        wanted = [side for side, flag in zip(SIDES, needed, strict=True) if flag]
        lacking = {stream: why for stream, why in states.missing.items() if stream.split("_")[0] in wanted}
        if lacking:
            self.problem = ", ".join(f"{stream}/joint_states: {why}" for stream, why in lacking.items())
            return None
        return Sighting(frame, camera, states, time.monotonic())
