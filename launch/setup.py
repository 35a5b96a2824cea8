from pathlib import Path

from setuptools import setup


def files(pattern: str) -> list[str]:
    return sorted(str(path) for path in Path().glob(pattern))


setup(
    name="vitra_bringup",
    version="0.1.0",
    packages=["vitra_bringup", "vitra_bringup.faults", "vitra_launch"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_bringup"]),
        ("share/vitra_bringup", ["package.xml"]),
        ("share/vitra_bringup/launch", files("*.launch.xml")),
        ("share/vitra_bringup/config", files("config/*.*")),
        ("share/vitra_bringup/config/calibration", files("config/calibration/*.yaml")),
    ],
    zip_safe=True,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
    entry_points={
        "console_scripts": [
            "vitra-launch = vitra_launch.launcher:main",
            "vitra-demo = vitra_bringup.demo:main",
            "vitra-sim = vitra_bringup.sim_session:main",
            "vitra-operate = vitra_bringup.operate:main",
            "vitra-view = vitra_bringup.view:main",
            "vitra-teleop-demo = vitra_bringup.teleop_demo:main",
        ],
        "vitra_policy.policies": [
            "sway = vitra_bringup.faults.sway_policy:make_sway_policy",
            "reflex = vitra_bringup.reflex_policy:make_reflex_policy",
        ],
    },
)
