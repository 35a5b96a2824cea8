from setuptools import setup

setup(
    name="vitra_runtime",
    version="0.1.0",
    packages=["vitra_runtime"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_runtime"]),
        ("share/vitra_runtime", ["package.xml"]),
    ],
    zip_safe=True,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
)
