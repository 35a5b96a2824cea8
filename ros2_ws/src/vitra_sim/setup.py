from setuptools import setup

setup(
    name="vitra_sim",
    version="0.1.0",
    packages=["vitra_sim", "vitra_sim.doubles"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_sim"]),
        ("share/vitra_sim", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            "sim_world = vitra_sim.sim_world_node:main",
            "sim_camera = vitra_sim.sim_camera_node:main",
        ],
        "vitra_policy.policies": ["expert = vitra_sim.expert:make_expert_policy"],
    },
    zip_safe=True,
    license="MIT",
)
