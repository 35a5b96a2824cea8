"""A machine, a graph and an image in which nothing is wrong; tests plant one fault at a time."""

from __future__ import annotations

import mujoco
import numpy as np

from vitra_description.calibration import default_calibration
from vitra_description.postures import home, open_hand
from vitra_doctor.graph import Beat, Graph, Images, Stream, devices_of, expected_rates_hz, single_source_topics
from vitra_doctor.machine import Machine, Port, StackProcess
from vitra_sim.scene.camera import HeadCamera, scaled_intrinsics
from vitra_sim.scene.world import World

ARMS = "both"
NODES = ("executor", "retarget", "safety_supervisor", *(f"{device}_driver" for device in devices_of(ARMS)))


def machine() -> Machine:
    return Machine(
        python=(3, 12, 3),
        packages={"rclpy": "7.1.6", "numpy": "1.26.4", "pin": "3.3.1", "Robotic_Arm": "1.1.6"},
        dds_profile="fastdds.xml",
        dds_segment_bytes=32 << 20,
        shared_free_bytes=4 << 30,
        realtime_priority=60,
        governors=frozenset({"performance"}),
        cores=16,
        load=2.0,
        memory_free_bytes=32 << 30,
        disk_free_bytes=500 << 30,
        clock_synchronised=True,
        ports=(Port(8091, 70, "python -m realman_driver.sdk_process 7"),),
        processes=(StackProcess(70, "realman_driver", 5, 0, False), StackProcess(71, "vitra_control", 5, 0, False)),
    )


def stream(rate_hz: float, age_s: float = 0.004, seconds: float = 3.0) -> Stream:
    times_s = tuple(np.arange(0.0, seconds, 1.0 / rate_hz).tolist())
    return Stream(times_s, (age_s,) * len(times_s))


def images() -> Images:
    """What the simulated camera sees of a world at its start."""
    calibration = default_calibration()
    intrinsics = scaled_intrinsics(calibration.head_camera, 212, 120)
    world = World()
    camera = HeadCamera(intrinsics)
    try:
        camera.load(world.model)
        mujoco.mj_forward(world.model, world.data)
        image = camera.render(world.data)
        colour, depth_mm = image.colour.copy(), image.depth_mm.copy()
    finally:
        camera.close()
    return Images(colour, depth_mm, 4, 4, intrinsics.matrix, (212, 120))


def graph(seen: Images) -> Graph:
    streams = {topic: stream(rate_hz) for topic, rate_hz in expected_rates_hz(ARMS).items()}
    joints = {}
    devices = {}
    for side, ip in (("left", "192.168.1.19"), ("right", "192.168.1.18")):
        joints |= {f"{side}_arm": tuple(home(side)), f"{side}_hand": tuple(open_hand())}
        devices[f"{side}_arm"] = {
            "arm": f"RM_75-6F, controller generation 3, at {ip}:8080",
            "hardware_id": f"{ip}:8080",
        }
        devices[f"{side}_hand"] = {"hardware_id": f"SERIAL-{side} on /dev/ttyUSB0"}
    return Graph(
        listened_s=3.0,
        streams=streams,
        beats={name: Beat(1, "", (("robot", 100 + n),)) for n, name in enumerate(NODES)},
        publishers={topic: ["/one"] for topic in single_source_topics(ARMS)},
        devices=devices,
        driver_faults=dict.fromkeys(devices_of(ARMS), ""),
        joints_rad=joints,
        images=seen,
    )
