from setuptools import setup

setup(
    name="vitra_inference",
    version="0.1.0",
    packages=["vitra_inference"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_inference"]),
        ("share/vitra_inference", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["policy_node = vitra_inference.policy_node:main"]},
    zip_safe=True,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
)
