from setuptools import setup

setup(
    name="vitra_calibration",
    version="0.1.0",
    packages=["vitra_calibration"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_calibration"]),
        ("share/vitra_calibration", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["vitra-calibrate = vitra_calibration.cli_node:main"]},
    zip_safe=True,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
)
