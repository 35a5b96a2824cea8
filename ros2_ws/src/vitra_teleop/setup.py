from setuptools import setup

setup(
    name="vitra_teleop",
    version="0.1.0",
    packages=["vitra_teleop", "vitra_teleop.inputs"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_teleop"]),
        ("share/vitra_teleop", ["package.xml"]),
    ],
    zip_safe=True,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
    entry_points={
        "console_scripts": [
            "teleop = vitra_teleop.teleop_node:main",
            "operator_double = vitra_teleop.operator_double_node:main",
            "keyboard = vitra_teleop.keyboard_node:main",
            "replay_episode = vitra_teleop.replay_episode_node:main",
        ]
    },
)
