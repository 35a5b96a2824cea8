"""Collected demonstrations: one npz file an episode, as `python -m vitra_sim.collect` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from vitra_policy.places import pieces_left, yaw_of
from vitra_policy.transforms import invert_pose, transform_points
from vitra_training.datasets.errors import DatasetError

Array = NDArray[np.float64]


class DemonstrationError(DatasetError):
    """A demonstration that cannot be read or is of another robot."""


@dataclass(frozen=True, slots=True, eq=False)
class Demonstration:
    """One episode, looked at T times.

    Attributes:
        path: Its file.
        seed: Of its scene.
        task: Name of the task.
        instruction: What was asked.
        named: Colour and kind of the object that the instruction names.
        side: Index of the hand that acts, 0 left, 1 right.
        success: Whether it succeeded.
        state: (T, 102) hands in the camera frame.
        actions: (T, 16, 102) the expert's chunk at each look.
        fov_rad: (2,) field of view.
        step_s: Duration of a step.
        target_in_camera: (T, 4, 4) pose of the object of the task, which is the first.
        box_in_camera: (3,) centre of the box, which is the last.
        target_half_m: (3,) half extents of that object.
        target_yaw_rad: (T,) its turn about the vertical.
        pieces_in_camera: (T, 3) where pieces are left to pour or sweep; None in a task without any.
        jpegs: T encoded images.
    """

    path: Path
    seed: int
    task: str
    instruction: str
    named: tuple[str, str]
    side: int
    success: bool
    state: NDArray[np.float32]
    actions: NDArray[np.float32]
    fov_rad: Array
    step_s: float
    target_in_camera: Array
    box_in_camera: Array
    target_half_m: Array
    target_yaw_rad: Array
    pieces_in_camera: Array | None
    jpegs: tuple[NDArray[np.uint8], ...]

    def __len__(self) -> int:
        """How many looks."""
        return len(self.state)

    def image(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB at a look.

        Raises:
            DemonstrationError: it cannot be decoded.
        """
        decoded = cv2.imdecode(self.jpegs[index], cv2.IMREAD_COLOR)
        if decoded is None:
            raise DemonstrationError(
                f"{self.path}: image {index} cannot be decoded. Delete the file and collect again."
            )
        return np.ascontiguousarray(decoded[..., ::-1])


def find_demonstrations(folders: tuple[Path, ...]) -> list[Path]:
    """Files of all episodes below some folders, in order.

    Raises:
        DemonstrationError: there are none.
    """
    found = [path for folder in folders for path in sorted(folder.rglob("*.npz"))]
    if not found:
        where = ", ".join(map(str, folders))
        raise DemonstrationError(
            f"No demonstrations below {where}. Make some: python -m vitra_sim.collect {folders[0]}"
        )
    return found


def read_demonstration(path: Path) -> Demonstration:
    """Read one episode.

    Raises:
        DemonstrationError: the file is damaged or not an episode.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            data: dict[str, Any] = {key: file[key] for key in file.files}
        camera_from_base = invert_pose(data["base_from_camera"])
        base_from_object = data["base_from_object"].astype(np.float64)
        poses = camera_from_base @ base_from_object
        pieces = pieces_left([str(name) for name in data["names"]], base_from_object, data["sizes_m"][-1])
        ends = data["jpeg_end"]
        return Demonstration(
            path=path,
            seed=int(data["seed"]),
            task=str(data["task"]),
            instruction=str(data["instruction"]),
            named=_colour_and_kind(str(data["names"][0])),
            side=0 if str(data["side"]) == "left" else 1,
            success=bool(data["success"]),
            state=data["state"],
            actions=data["actions"],
            fov_rad=data["fov_rad"],
            step_s=float(data["step_s"]),
            target_in_camera=poses[:, 0],
            box_in_camera=poses[0, -1, :3, 3],
            target_half_m=data["sizes_m"][0],
            target_yaw_rad=yaw_of(base_from_object[:, 0]).astype(np.float64),
            pieces_in_camera=None if pieces is None else transform_points(camera_from_base, pieces),
            jpegs=tuple(np.split(data["jpeg"], ends[:-1])),
        )
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        raise DemonstrationError(f"{path} is no demonstration of vitra_sim.collect: {error!r}. Delete it.") from error


def _colour_and_kind(name: str) -> tuple[str, str]:
    colour, _, kind = name.rpartition("_")
    return colour, kind
