from setuptools import setup

setup(
    name="vitra_recorder",
    version="0.1.0",
    packages=["vitra_recorder"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_recorder"]),
        ("share/vitra_recorder", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["recorder = vitra_recorder.recorder_node:main"]},
    zip_safe=True,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
)
