import mujoco
import numpy as np
import pytest

from vitra_description.calibration import default_calibration
from vitra_policy.transforms import invert_pose
from vitra_sim.realtime.replay_view import ReplayView
from vitra_sim.realtime.runner import RealTimePhysics
from vitra_sim.realtime.trace import StateTrace
from vitra_sim.scene.camera import HeadCamera, scaled_intrinsics
from vitra_sim.scene.scene import BOX_NAME
from vitra_sim.scene.world import World

SIZE = (424, 240)


@pytest.fixture(scope="module")
def rendered():
    calibration = default_calibration()
    world = World("place_cube_in_box", 0)
    camera = HeadCamera(scaled_intrinsics(calibration.head_camera, *SIZE))
    camera.load(world.model)
    image = camera.render(world.data)
    colour, depth_mm = image.colour.copy(), image.depth_mm.copy()
    camera.close()
    return world, calibration, camera.intrinsics, colour, depth_mm


def project(calibration, intrinsics, point_m):
    camera = invert_pose(calibration.base_from_head_camera) @ np.array([*point_m, 1.0])
    u, v, w = intrinsics.matrix @ camera[:3]
    return round(u / w), round(v / w), camera[2]


def test_objects_appear_where_calibration_and_intrinsics_put_them(rendered):
    world, calibration, intrinsics, colour, _ = rendered
    u, v, _ = project(calibration, intrinsics, world.object_poses()["red_cube"][:3, 3])
    red, green, blue = (int(c) for c in colour[v, u])
    assert red > 2 * green
    assert red > 2 * blue


def test_depth_is_the_distance_along_the_optical_axis_in_millimetres(rendered):
    world, calibration, intrinsics, _, depth_mm = rendered
    box = np.array(world.layout.box.position_m) + [0, 0, world.layout.box.wall_m]
    u, v, z_m = project(calibration, intrinsics, box)
    assert depth_mm.dtype == np.uint16
    assert depth_mm[v, u] == pytest.approx(z_m * 1e3, abs=2.0)


def test_the_box_is_named_in_the_model(rendered):
    world, *_ = rendered
    assert world.model.body(BOX_NAME).id > 0


def test_another_image_size_keeps_the_horizontal_field_of_view():
    nominal = default_calibration().head_camera
    scaled = scaled_intrinsics(nominal, *SIZE)
    assert scaled.width_px / scaled.fx_px == pytest.approx(nominal.width_px / nominal.fx_px)
    assert (scaled.cx_px, scaled.cy_px) == (212, 120)


def test_a_recorded_run_can_be_looked_at_from_outside(tmp_path):
    trace = StateTrace(tmp_path / "trace.npz")
    physics = RealTimePhysics(World("place_can_in_box", 0), on_tick=trace.add)
    physics.tick()
    physics._swap(World("place@seen#1", 1))
    physics.tick()
    for _ in range(10):
        physics.tick()
    trace.save()
    with ReplayView(tmp_path / "trace.npz", (160, 120)) as view:
        first, last = view.at(0.0), view.at(1e12)
    assert first.shape == (120, 160, 3)
    assert first.std() > 10
    assert np.abs(first.astype(int) - last.astype(int)).max() > 50  # other objects


def test_a_model_can_be_replaced_by_one_of_another_size():
    camera = HeadCamera(scaled_intrinsics(default_calibration().head_camera, 64, 48))
    images = []
    for task in ("place_cube_in_box", "place_mug_in_box"):
        world = World(task, 0)
        camera.load(world.model)
        mujoco.mj_forward(world.model, world.data)
        images.append(camera.render(world.data).colour.copy())
    camera.close()
    assert not np.array_equal(*images)
