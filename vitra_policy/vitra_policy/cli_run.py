"""Commands that run a checkpoint: predict, serve."""

from __future__ import annotations

import signal
import sys
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import ACTION_DIM, SIDES
from vitra_policy.errors import VitraError
from vitra_policy.policies.observation import active_hands
from vitra_policy.policies.policy import Observation, hands_array, make_example_observation
from vitra_policy.prompt import hands_of

if TYPE_CHECKING:
    from vitra_policy.mappings.translator import Translator
    from vitra_policy.policies.policy import Policy
    from vitra_policy.policies.vitra import VitraPolicy

FloatArray = NDArray[np.float64]
_MOST_DEG = 175.0


class ArgumentError(VitraError):
    """An argument that makes no sense."""


@dataclass(frozen=True, kw_only=True)
class _Run:
    checkpoint: str
    """Checkpoint directory of ours, run directory of the reference, .pt file, or Hub repository owner/name."""
    mode: Literal["fast", "parity", "onnx"] = "fast"
    """Engine: fast, parity (the reference's numbers in fp32), or onnx."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:0."""
    steps: int = 10
    """DDIM steps."""
    guidance: float = 5.0
    """Classifier-free guidance scale; 1 switches it off."""
    threads: int = 0
    """CPU threads; 0 takes half of the processor, which leaves the rest to the robot's nodes."""
    seed: int | None = None
    """Start every chunk from the same noise."""
    fp8: bool = False
    """Vision and trunk in fp8 on GPUs that can, if the actions allow it (mode fast)."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of matrix products (mode fast)."""
    graphs: Path | None = None
    """Folder that `vitra-policy export-onnx` wrote (mode onnx); without it graphs are exported anew."""
    rate_hz: float = 30.0
    """Steps per second of the chunks: the frame rate of the training data."""
    tokenizer: str | None = None
    """tokenizer.json, where the checkpoint does not bring one."""


@dataclass(frozen=True, kw_only=True)
class Predict(_Run):
    """Predict one chunk for one image; writes actions.npz and overlay.png."""

    image: Path
    """Photo of any size; turned upright by its EXIF tag."""
    instruction: str
    """Left hand: ... Right hand: ... (an idle hand is None.)"""
    fov: tuple[float, ...]
    """Full horizontal and vertical field of view of the image in degrees; one number is the horizontal one."""
    out: Path = Path("runs/predict")
    """Directory to write."""
    state: Path | None = None
    """.npy with the hands in the camera frame (102,); without it the model goes without and the image assumes one."""

    def run(self) -> None:
        """Predict and write."""
        from vitra_policy.image import load_image
        from vitra_policy.overlay import draw_overlay, hand_paths, intrinsics_from_fov

        hands = hands_of(self.instruction)
        image = load_image(self.image)
        height, width = image.shape[:2]
        fov_rad = _fov(self.fov, width, height)
        intrinsics = intrinsics_from_fov(fov_rad, width, height)
        state = None if self.state is None else _state(self.state)
        policy = _policy(self)
        policy.load()
        chunk = policy.infer(
            Observation(
                stamp_s=0.0,
                instruction=self.instruction,
                image=image,
                intrinsics=intrinsics,
                fov_rad=fov_rad,
                state=np.zeros(ACTION_DIM) if state is None else state,
                state_valid=np.zeros(2, bool) if state is None else hands_array(hands),
                hands=hands_array(hands),
            )
        )
        anchor = make_example_observation(hands=hands).state if state is None else state
        paths = hand_paths(chunk.actions, anchor, active_hands(chunk.valid))
        self.out.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {f"{path.side}_camera_from_wrist": path.camera_from_wrist for path in paths}
        arrays |= {f"{path.side}_keypoints_m": path.keypoints_m for path in paths}
        np.savez(
            self.out / "actions.npz",
            actions=chunk.actions,
            valid=chunk.valid,
            sides=np.array(SIDES),
            step_s=chunk.step_s,
            fov_rad=fov_rad,
            state=anchor,
            state_known=state is not None,
            instruction=self.instruction,
            **arrays,
        )
        from PIL import Image

        Image.fromarray(draw_overlay(image, intrinsics, paths)).save(self.out / "overlay.png")
        spent = ", ".join(f"{stage} {seconds * 1e3:.1f} ms" for stage, seconds in chunk.timing.items())
        assumed = "" if state is not None else " The hands' pose was not given: the image assumes one."
        sys.stdout.write(f"Wrote {self.out}/actions.npz and overlay.png ({spent}).{assumed}\n")


@dataclass(frozen=True, kw_only=True)
class Serve(_Run):
    """Serve a checkpoint or any other policy over a websocket; GET /healthz answers 200 once it is warm.

    Our own clients (policy:=remote) are answered in full. Every other client that speaks openpi's wire format, openpi's
    own among them, is answered in the terms of a mapping (docs/neighbours.md).
    """

    checkpoint: str = ""
    """Checkpoint directory of ours, run directory of the reference, .pt file, or Hub repository owner/name."""
    policy: str = "vitra"
    """Policy by name; others than vitra take their options from --option."""
    option: tuple[str, ...] = ()
    """Options of another policy, each key=value, e.g. bag=runs/demo/bag."""
    mapping: str = "openpi-generic"
    """Terms in which other people's clients ask: a name, or a path ending in .yaml."""
    calibration: str = "sim"
    """Calibration file, where the mapping speaks of arm joints or of the arm's or robot's base."""

    host: str = "127.0.0.1"
    """Address to listen on; the default is reachable from this machine only."""
    port: int = 8000
    """TCP port; 0 takes a free one."""
    api_key: str = ""
    """Ask clients for this key."""

    def run(self) -> None:
        """Serve until interrupted.

        Raises:
            SystemExit: with 0, when `kill`, systemd or a container ends it (SIGTERM), as they are meant to.
        """
        from vitra_policy.serving.server import PolicyServer

        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        translator = _translator(self.mapping, self.calibration)
        policy = self._any_policy()
        policy.warm_up()
        try:  # the policy is closed last: the server may be answering with it until it has stopped
            with PolicyServer(policy, self.host, self.port, self.api_key, translator) as server:
                sys.stdout.write(f"Serving {policy.metadata.policy_id} on ws://{self.host}:{server.port}\n")
                sys.stdout.flush()
                server.wait()
        finally:
            policy.close()

    def _any_policy(self) -> Policy:
        from vitra_policy.policies.registry import create_policy, parse_options

        if self.policy != "vitra":
            if self.checkpoint:
                raise ArgumentError(f"--checkpoint is for --policy vitra; give options of '{self.policy}' by --option.")
            return create_policy(self.policy, parse_options(self.option))
        if not self.checkpoint or self.option:
            raise ArgumentError("--policy vitra needs --checkpoint, and takes its options by their own names.")
        return _policy(self)


def _translator(name: str, calibration: str) -> Translator:
    from vitra_policy.mappings.mapping import load_mapping
    from vitra_policy.mappings.translator import Translator
    from vitra_policy.policies.robot import find_robot

    mapping = load_mapping(name)
    return Translator(mapping, find_robot(calibration) if mapping.needs_robot else None)


def _policy(run: _Run) -> VitraPolicy:
    from vitra_policy.policies.vitra import make_vitra_policy

    return make_vitra_policy(  # the launch file's own way in: the same options, the same refusals
        run.checkpoint,
        run.mode,
        run.device,
        steps=str(run.steps),
        guidance=str(run.guidance),
        threads=str(run.threads),
        seed="" if run.seed is None else str(run.seed),
        rate_hz=str(run.rate_hz),
        fp8=str(run.fp8).lower(),
        dtype=run.dtype,
        graphs="" if run.graphs is None else str(run.graphs),
        tokenizer=run.tokenizer or "",
    )


def _fov(degrees: tuple[float, ...], width_px: int, height_px: int) -> FloatArray:
    """(2,) radians; one number is horizontal and the pixels are taken for square."""
    if len(degrees) not in (1, 2) or not all(0 < angle < _MOST_DEG for angle in degrees):
        raise ArgumentError(
            f"--fov {' '.join(map(str, degrees))}: give one or two angles in degrees, 0 to {_MOST_DEG:.0f}."
        )
    horizontal = np.deg2rad(degrees[0])
    if len(degrees) == 2:
        return np.array([horizontal, np.deg2rad(degrees[1])])
    return np.array([horizontal, 2 * np.arctan(np.tan(horizontal / 2) * height_px / width_px)])


def _state(path: Path) -> FloatArray:
    try:
        state = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ArgumentError(f"Cannot read the state {path}: {error}. It must be a .npy file.") from error
    if not isinstance(state, np.ndarray) or state.shape != (ACTION_DIM,) or state.dtype.kind not in "iuf":
        raise ArgumentError(f"The state in {path} must be an array of real numbers of shape ({ACTION_DIM},).")
    return np.asarray(state, dtype=np.float64)
