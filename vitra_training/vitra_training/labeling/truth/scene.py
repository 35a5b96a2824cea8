"""A MuJoCo scene with hands, things and a room, posed frame by frame through mocap bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import Side
from vitra_policy.hand.skeleton import PARENTS, HandSkeleton
from vitra_policy.transforms import make_pose, quaternion_from_matrix
from vitra_sim.scene.gl import choose_backend
from vitra_training.labeling.truth.hand_mesh import HandMesh
from vitra_training.labeling.truth.skin import TEXTURE_PX, paint_skin, unwrap
from vitra_training.synthetic.objects import Shape, Thing
from vitra_training.synthetic.scene import _texture as random_texture

choose_backend()
import mujoco  # noqa: E402

Array = NDArray[np.float64]

CAMERA = "eye"
_TEXTURE_PX = 256
_MIRROR = np.diag([-1.0, 1.0, 1.0])
_ROOM = ("table", "floor", "wall", "left", "right")
_SKINS = ((0.93, 0.74, 0.62), (0.88, 0.67, 0.54), (0.78, 0.53, 0.38), (0.55, 0.35, 0.23), (0.36, 0.23, 0.16))
_FOREARM_M = 0.27


@dataclass(frozen=True, slots=True)
class Look:
    """What varies between videos besides the action."""

    skin: tuple[float, float, float]
    sleeve: tuple[float, float, float]
    sleeve_starts_m: float
    """From the wrist; beyond the forearm's length the arm is bare."""
    clutter: int

    @staticmethod
    def random(rng: np.random.Generator) -> Look:
        """Any look."""
        r, g, b = rng.uniform(0.08, 0.9, 3)
        skin = _SKINS[int(rng.integers(len(_SKINS)))]
        return Look(skin, (float(r), float(g), float(b)), float(rng.uniform(0.05, 0.3)), int(rng.integers(6, 14)))


@dataclass(frozen=True, slots=True, eq=False)
class HandShape:
    """What a hand looks like."""

    mesh: HandMesh
    """Of the right hand; the left one is its mirror image."""
    skeleton: HandSkeleton
    """Of that hand."""


class HandScene:
    """The model with its state.

    Args:
        things: what can be moved.
        hand: shape of the hands.
        sides: hands in the scene.
        fovy_rad: vertical field of view of the camera.
        look: colours and clutter.
        rng: textures and places of the clutter.
    """

    def __init__(
        self,
        things: tuple[Thing, ...],
        hand: HandShape,
        sides: tuple[Side, ...],
        fovy_rad: float,
        look: Look,
        rng: np.random.Generator,
    ) -> None:
        skeleton = hand.skeleton
        self._skeleton, self._sides = skeleton, sides
        spec = mujoco.MjSpec()
        _room(spec, rng)
        _clutter(spec, look.clutter, rng)
        for number, thing in enumerate(things):
            _thing(spec, f"thing{number}", thing)
        for side in sides:
            add_hand(spec, side, hand, look)
        eye = spec.worldbody.add_body(name=CAMERA, mocap=True)
        eye.add_camera(name=CAMERA, fovy=float(np.degrees(fovy_rad)))
        self.model = spec.compile()
        self.model.vis.map.znear = 0.01
        for name in _ROOM:
            paint(self.model, name, _muted(random_texture(rng), rng))
        if sides:
            painted = paint_skin(skeleton, look.skin, rng)
            for side in sides:
                paint(self.model, f"{side}_skin", painted)
        self.data = mujoco.MjData(self.model)
        self._mocap = {
            self.model.body(n).name: int(self.model.body(n).mocapid[0])
            for n in range(self.model.nbody) if self.model.body(n).mocapid[0] >= 0
        }  # fmt: skip
        self._things = len(things)

    def pose(self, world_from_camera: Array, thing_poses: Array, hands: Mapping[Side, tuple[Array, Array]]) -> None:
        """Place everything.

        Args:
            world_from_camera: (4, 4) optical frame.
            thing_poses: (N, 4, 4).
            hands: per side the wrist pose (4, 4) and finger angles (45,).
        """
        self._put(CAMERA, world_from_camera @ np.diag([1.0, -1.0, -1.0, 1.0]))
        for number in range(self._things):
            self._put(f"thing{number}", thing_poses[number])
        for side in self._sides:
            wrist, fingers = hands[side]
            for joint, pose in enumerate(joint_poses(self._skeleton, fingers, side)):
                self._put(f"{side}{joint}", wrist @ pose)
            shoulder = np.array([-0.05, 0.24 if side == "left" else -0.24, 0.02])
            self._put(f"{side}_arm", arm_pose(wrist[:3, 3], shoulder))
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    def _put(self, name: str, pose: Array) -> None:
        number = self._mocap[name]
        x, y, z, w = quaternion_from_matrix(pose[:3, :3])
        self.data.mocap_pos[number], self.data.mocap_quat[number] = pose[:3, 3], (w, x, y, z)


def arm_pose(wrist_m: Array, shoulder_m: Array) -> Array:
    """Pose (4, 4) of the forearm between points (3,): z runs from the wrist towards the elbow of a hanging arm."""
    z = (shoulder_m - wrist_m) / np.linalg.norm(shoulder_m - wrist_m)
    x = np.cross([0.0, 0.0, 1.0], z)
    x /= np.linalg.norm(x)
    return make_pose(wrist_m, np.stack([x, np.cross(z, x), z], axis=1))


def joint_poses(skeleton: HandSkeleton, fingers_rad: Array, side: Side) -> list[Array]:
    """Poses (4, 4) wrist_from_joint of the 16 joints.

    Args:
        skeleton: Of the right hand.
        fingers_rad: (45,) in right-hand convention.
        side: Which hand.
    """
    turned = skeleton.joint_rotations(fingers_rad)
    places = [np.zeros(3)]
    for joint in range(1, 16):
        parent = PARENTS[joint]
        places.append(places[parent] + turned[parent] @ (skeleton.joints_m[joint] - skeleton.joints_m[parent]))
    if side == "left":
        return [make_pose(_MIRROR @ p, _MIRROR @ R @ _MIRROR) for p, R in zip(places, turned, strict=True)]
    return [make_pose(p, R) for p, R in zip(places, turned, strict=True)]


def _room(spec: Any, rng: np.random.Generator) -> None:
    spec.worldbody.add_light(
        pos=[rng.uniform(-0.5, 0.8), rng.uniform(-1, 1), rng.uniform(1.2, 2.2)], dir=[0.1, 0, -1],
        type=mujoco.mjtLightType.mjLIGHT_POINT, diffuse=[float(rng.uniform(0.6, 0.95))] * 3, castshadow=True,
    )  # fmt: skip
    spec.visual.headlight.ambient = [float(rng.uniform(0.35, 0.55))] * 3
    spec.visual.headlight.diffuse = [float(rng.uniform(0.25, 0.45))] * 3
    far, wide = float(rng.uniform(0.8, 1.1)), float(rng.uniform(0.5, 0.9))
    walls = {
        "table": ([far / 2 + 0.05, 0, -0.02], [far / 2 - 0.02, wide, 0.02]),
        "floor": ([1.2, 0, -0.77], [2.5, 3, 0.02]),
        "wall": ([2.6, 0, 0.7], [0.02, 3, 1.6]),
        "left": ([1.0, 2.2, 0.7], [2.5, 0.02, 1.6]),
        "right": ([1.0, -2.2, 0.7], [2.5, 0.02, 1.6]),
    }
    for name, (place, size) in walls.items():
        spec.add_texture(
            name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
            width=_TEXTURE_PX, height=_TEXTURE_PX, rgb1=[0.5, 0.5, 0.5],
        )  # fmt: skip
        material = spec.add_material(name=name, texrepeat=[1.0, 1.0], texuniform=False, specular=0.1, shininess=0.1)
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
        # A flat box shows its texture once on each face.
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, pos=place, size=size, material=name)


def paint(model: Any, name: str, image: NDArray[np.uint8]) -> None:
    """Replace a texture of a model.

    Args:
        model: The compiled model.
        name: Of the texture.
        image: (H, W, 3) RGB of the texture's size.
    """
    texture = model.texture(name)
    start = int(texture.adr[0])
    model.tex_data[start : start + image.size] = image.reshape(-1)


def _muted(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A texture with the colours of furniture rather than of paint."""
    grey = image.mean(axis=-1, keepdims=True)
    return np.asarray(grey + rng.uniform(0.1, 0.6) * (image - grey), dtype=np.uint8)


def _clutter(spec: Any, count: int, rng: np.random.Generator) -> None:
    """Things that stand around on table and floor."""
    kinds = (mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_ELLIPSOID)
    for _ in range(count):
        size = rng.uniform(0.02, 0.09, 3)
        on_table = rng.random() < 0.6
        x, y = (
            (rng.uniform(0.65, 0.85), rng.uniform(-0.6, 0.6))
            if on_table
            else (rng.uniform(1.2, 2.3), rng.uniform(-1.5, 1.5))
        )
        size = size if on_table else size * 3
        kind = kinds[int(rng.integers(3))]
        height = size[1] if kind == mujoco.mjtGeom.mjGEOM_CYLINDER else size[2]
        spec.worldbody.add_geom(
            type=kind, size=size, pos=[x, y, height + (0.0 if on_table else -0.75)],
            rgba=[*rng.uniform(0.05, 0.95, 3), 1.0], euler=[0, 0, float(rng.uniform(0, 3))],
        )  # fmt: skip


def _thing(spec: Any, name: str, thing: Thing) -> None:
    body = spec.worldbody.add_body(name=name, mocap=True)
    half = thing.half_extents_m
    colour = [*(np.array(thing.colour) / 255), 1.0]
    if thing.kind.shape is Shape.BALL:
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[half[0], 0, 0], rgba=colour)
    elif thing.kind.shape is Shape.CYLINDER:
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=[half[0], half[2], 0], rgba=colour)
        if thing.kind.hollow:
            dark = [*(np.array(thing.colour) / 255 * 0.5), 1.0]
            body.add_geom(type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=[half[0] * 0.85, half[2] + 5e-4, 0], rgba=dark)
    else:
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=half, rgba=colour)


def add_hand(spec: Any, side: Side, hand: HandShape, look: Look) -> None:
    """Add a hand as a skin over 16 mocap bodies `{side}0` to `{side}15`, and its forearm as `{side}_arm`.

    Args:
        spec: The MuJoCo model to be.
        side: Which hand.
        hand: Its shape.
        look: Its colours; `paint` gives the skin its texture once the model is compiled.
    """
    mesh, skeleton = unwrap(hand.mesh), hand.skeleton
    mirror = _MIRROR if side == "left" else np.eye(3)
    for joint in range(16):
        spec.worldbody.add_body(name=f"{side}{joint}", mocap=True)
    skin = spec.add_skin(name=f"{side}_skin")
    faces = mesh.faces[:, ::-1] if side == "left" else mesh.faces
    skin.vert, skin.face = (mesh.vertices_m @ mirror).ravel().tolist(), faces.ravel().tolist()
    skin.texcoord = mesh.atlas.ravel().tolist()
    spec.add_texture(
        name=f"{side}_skin", type=mujoco.mjtTexture.mjTEXTURE_2D, builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
        width=TEXTURE_PX, height=TEXTURE_PX, rgb1=list(look.skin),
    )  # fmt: skip
    material = spec.add_material(name=f"{side}_skin", specular=0.25, shininess=0.3)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = f"{side}_skin"
    skin.material = f"{side}_skin"
    used = [joint for joint in range(16) if (mesh.weights[:, joint] > 1e-3).any()]
    skin.bodyname = [f"{side}{joint}" for joint in used]
    skin.bindpos = (skeleton.joints_m[used] @ mirror).ravel().tolist()
    skin.bindquat = [1.0, 0, 0, 0] * len(used)
    rows = [np.flatnonzero(mesh.weights[:, joint] > 1e-3) for joint in used]
    skin.vertid = [row.tolist() for row in rows]
    skin.vertweight = [mesh.weights[row, joint].tolist() for row, joint in zip(rows, used, strict=True)]
    arm = spec.worldbody.add_body(name=f"{side}_arm", mocap=True)
    bare = [*look.skin, 1.0]
    arm.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[0, 0, 0.012, 0, 0, _FOREARM_M], size=[0.028, 0, 0], rgba=bare
    )
    if look.sleeve_starts_m < _FOREARM_M:
        arm.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CAPSULE, fromto=[0, 0, look.sleeve_starts_m + 0.03, 0, 0, _FOREARM_M + 0.05],
            size=[0.042, 0, 0], rgba=[*look.sleeve, 1.0],
        )  # fmt: skip
