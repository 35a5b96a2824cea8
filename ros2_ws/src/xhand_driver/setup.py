from setuptools import setup

setup(
    name="xhand_driver",
    version="0.1.0",
    packages=["xhand_driver"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/xhand_driver"]),
        ("share/xhand_driver", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["xhand_driver = xhand_driver.node:main"]},
    zip_safe=True,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
)
