from setuptools import find_packages, setup

setup(
    name="vitra_console",
    version="0.1.0",
    packages=find_packages(include=["vitra_console*"]),
    package_data={"vitra_console.web": ["static/*"], "vitra_console.operate": ["static/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_console"]),
        ("share/vitra_console", ["package.xml"]),
    ],
    zip_safe=False,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
    entry_points={
        "console_scripts": [
            "console = vitra_console.console_node:main",
            "robot_state = vitra_console.robot_state_node:main",
        ]
    },
)
