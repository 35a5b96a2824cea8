from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="vitra_evaluation",
    version="0.1.0",
    packages=find_packages(include=["vitra_evaluation*"]),
    package_data={"vitra_evaluation.console": ["static/*"], "vitra_evaluation.study": ["static/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_evaluation"]),
        ("share/vitra_evaluation", ["package.xml"]),
        ("share/vitra_evaluation/plans", sorted(str(p) for p in Path("plans").glob("*.yaml"))),
    ],
    entry_points={
        "console_scripts": [
            "vitra-eval = vitra_evaluation.cli:main",
            "vitra-study = vitra_evaluation.study.cli:main",
        ],
        "vitra_policy.policies": [
            "blinded_policy = vitra_evaluation.blinding.blinded_policy:make_blinded_policy",
            "perturbed_expert = vitra_evaluation.blinding.perturbed_expert:make_perturbed_expert",
        ],
    },
    zip_safe=True,
    maintainer="VITRA stack maintainers",
    maintainer_email="maintainers@vitra-stack.example.org",
    license="MIT",
)
