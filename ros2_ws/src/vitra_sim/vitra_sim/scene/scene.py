"""The whole simulated world as one MuJoCo spec: robot, table, box, objects, light, cameras."""

from __future__ import annotations

import mujoco
import numpy as np

from vitra_description.calibration import Calibration
from vitra_sim.scene.appearance import Appearance, Pattern, texture
from vitra_sim.scene.layout import TABLE_CENTRE_M, TABLE_HALF_EXTENTS_M, TABLE_HEIGHT_M, Box, Layout
from vitra_sim.scene.robot_model import robot_spec, set_contact
from vitra_sim.scene.shapes import add_object

PHYSICS_STEP_S = 0.0025
STEPS_PER_TICK = 2
TICK_S = PHYSICS_STEP_S * STEPS_PER_TICK
"""The 200 Hz control tick of the arm controllers."""

THIRD_PERSON_CAMERA = "third_person"
BOX_NAME, TABLE_NAME = "box", "table"


def build_scene(layout: Layout, calibration: Calibration | None = None, *, looks: bool = False) -> mujoco.MjModel:
    """Compile the world of a layout; deterministic.

    Args:
        layout: what stands where.
        calibration: mounting of the robot; None takes the simulator's.
        looks: see `robot_spec`.
    """
    spec = robot_spec(calibration, looks=looks)
    spec.option.timestep = PHYSICS_STEP_S
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10.0
    _add_room(spec, layout.look)
    _add_table(spec, layout)
    _add_box(spec, layout.box)
    for placed in layout.objects:
        add_object(spec, placed)
    return spec.compile()


def _add_room(spec: mujoco.MjSpec, look: Appearance) -> None:
    spec.compiler.discardvisual = False  # the URDF asks to discard its visuals; here it would take the sky
    spec.add_texture(
        name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=look.sky_rgb[0], rgb2=look.sky_rgb[1], width=64, height=384,
    )  # fmt: skip
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [look.ambient] * 3, [0.35] * 3
    spec.visual.headlight.specular = [0.05] * 3
    spec.visual.map.znear, spec.visual.map.zfar = 0.02, 12.0
    spec.stat.extent, spec.stat.center = 1.0, [0.4, 0, 0.9]
    light = spec.worldbody.add_light(name="lamp", pos=look.lamp_position_m, dir=[0.0, 0.25, -1.0])
    light.diffuse, light.castshadow = [look.lamp, look.lamp, 0.95 * look.lamp], True
    floor = spec.worldbody.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[3, 3, 0.1], rgba=[*look.floor_rgb, 1]
    )
    set_contact(floor, robot=False)
    eye, look_at = np.array([1.40, -1.00, 1.50]), np.array([0.27, -0.05, 0.93])
    spec.worldbody.add_camera(name=THIRD_PERSON_CAMERA, pos=eye, quat=_looking_at(eye, look_at), fovy=45)


def _add_table(spec: mujoco.MjSpec, layout: Layout) -> None:
    centre = [*TABLE_CENTRE_M, TABLE_HEIGHT_M - TABLE_HALF_EXTENTS_M[2]]
    top = spec.worldbody.add_geom(
        name=TABLE_NAME, type=mujoco.mjtGeom.mjGEOM_BOX, pos=centre, size=TABLE_HALF_EXTENTS_M, rgba=layout.table_rgba
    )
    set_contact(top, robot=False)
    if layout.look.table is not Pattern.PLAIN:
        _cover(spec, top, layout.look)


def _cover(spec: mujoco.MjSpec, geom: mujoco.MjsGeom, look: Appearance) -> None:
    """Put the look's texture onto a geom."""
    pixels = texture(look)
    image = spec.add_texture(name="table_cover", type=mujoco.mjtTexture.mjTEXTURE_2D)
    image.height, image.width, image.nchannel, image.data = *pixels.shape[:2], 3, pixels.tobytes()
    material = spec.add_material(name="table_cover", texrepeat=[1, 1], texuniform=False)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "table_cover"
    geom.material, geom.rgba = "table_cover", [1, 1, 1, 1]


def _add_box(spec: mujoco.MjSpec, box: Box) -> None:
    body = spec.worldbody.add_body(name=BOX_NAME, pos=box.position_m)
    (x, y), height, wall = box.inner_half_m, box.height_m / 2, box.wall_m / 2
    panels = [([0, 0, wall], [x, y, wall])]
    panels += [([s * (x + wall), 0, height], [wall, y + 2 * wall, height]) for s in (-1, 1)]
    panels += [([0, s * (y + wall), height], [x, wall, height]) for s in (-1, 1)]
    for position, size in panels:
        geom = body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, pos=position, size=size, rgba=box.rgba)
        set_contact(geom, robot=False)
        if box.is_mat:
            geom.contype = geom.conaffinity = 0


def _looking_at(eye: np.ndarray, look_at: np.ndarray) -> np.ndarray:
    z = (eye - look_at) / np.linalg.norm(eye - look_at)
    x = np.cross([0, 0, 1], z)
    x /= np.linalg.norm(x)
    quaternion = np.empty(4)
    mujoco.mju_mat2Quat(quaternion, np.stack([x, np.cross(z, x), z], axis=1).ravel())
    return quaternion
