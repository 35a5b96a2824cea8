from pathlib import Path

from setuptools import setup

setup(
    name="vitra_evaluation",
    version="0.1.0",
    packages=["vitra_evaluation", "vitra_evaluation.console", "vitra_evaluation.stats", "vitra_evaluation.study"],
    package_data={"vitra_evaluation.console": ["static/*"], "vitra_evaluation.study": ["static/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/vitra_evaluation"]),
        ("share/vitra_evaluation", ["package.xml"]),
        ("share/vitra_evaluation/plans", sorted(str(p) for p in Path("plans").glob("*.yaml"))),
    ],
    entry_points={
        "console_scripts": [
            "vitra-eval = vitra_evaluation.cli:main",
            "vitra-study = vitra_evaluation.study_cli:main",
        ],
        "vitra_policy.policies": [
            "switchboard = vitra_evaluation.switchboard:make_switchboard",
            "handicapped_expert = vitra_evaluation.handicap:make_handicapped_expert",
        ],
    },
    zip_safe=True,
    license="MIT",
)
