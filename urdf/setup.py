from glob import glob

from setuptools import find_packages, setup

PACKAGE = "vitra_description"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(include=[f"{PACKAGE}*", "vitra_safety*"]),
    package_data={
        PACKAGE: ["py.typed", "urdf/*", "arms/*/*.xacro", "arms/*/*.urdf", "hands/*/*.xacro", "hands/*/*.urdf"],
        "vitra_safety": ["py.typed"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/urdf", glob(f"{PACKAGE}/urdf/*")),
    ],
    entry_points={"vitra_policy.robots": ["vitra = vitra_description.robot_kinematics:make_robot"]},
    zip_safe=False,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
)
