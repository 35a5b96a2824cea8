from setuptools import find_packages, setup

setup(
    name="vitra_sim",
    version="0.1.0",
    packages=find_packages(include=["vitra_sim*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_sim"]),
        ("share/vitra_sim", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            "sim_world = vitra_sim.sim_world_node:main",
            "sim_camera = vitra_sim.sim_camera_node:main",
        ],
        "vitra_policy.policies": ["expert = vitra_sim.expert.expert:make_expert_policy"],
    },
    zip_safe=True,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
)
