from setuptools import setup

setup(
    name="vitra_camera",
    version="0.1.0",
    packages=["vitra_camera"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_camera"]),
        ("share/vitra_camera", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            "head_camera = vitra_camera.head_camera_node:main",
            "calibration_publisher = vitra_camera.calibration_node:main",
        ]
    },
    zip_safe=True,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
)
