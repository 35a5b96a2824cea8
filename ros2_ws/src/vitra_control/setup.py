from setuptools import setup

setup(
    name="vitra_control",
    version="0.1.0",
    packages=["vitra_control"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_control"]),
        ("share/vitra_control", ["package.xml"]),
    ],
    zip_safe=True,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
    entry_points={
        "console_scripts": [
            "executor = vitra_control.executor_node:main",
            "safety_supervisor = vitra_control.supervisor_node:main",
        ]
    },
)
