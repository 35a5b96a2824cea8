from setuptools import setup

setup(
    name="vitra_retarget",
    version="0.1.0",
    packages=["vitra_retarget"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_retarget"]),
        ("share/vitra_retarget", ["package.xml"]),
    ],
    zip_safe=True,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
    entry_points={
        "console_scripts": [
            "retarget = vitra_retarget.retarget_node:main",
        ]
    },
)
