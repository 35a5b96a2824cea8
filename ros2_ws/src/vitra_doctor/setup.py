from setuptools import setup

setup(
    name="vitra_doctor",
    version="0.1.0",
    packages=["vitra_doctor", "vitra_doctor.checks"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_doctor"]),
        ("share/vitra_doctor", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": ["doctor = vitra_doctor.doctor_node:main", "vitra-doctor = vitra_doctor.cli_node:main"]
    },
    zip_safe=True,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
)
