from pathlib import Path

import pytest

pytest.importorskip("rclpy")

from vitra_runtime.parameters import markdown_table  # noqa: E402
from vitra_sim import sim_camera_node, sim_world_node  # noqa: E402
from vitra_sim.tasks.tasks import TASKS  # noqa: E402

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()


@pytest.mark.parametrize("node", [sim_world_node, sim_camera_node], ids=lambda n: n.__name__)
def test_the_readme_lists_the_parameters_as_they_are(node):
    assert markdown_table(node.Parameters) in README


def test_the_tasks_the_readme_names_exist():
    for name in ("place_mug_in_box_left", "place_can_in_box"):
        assert name in README
        assert name in TASKS
