"""Nodes do not take names that their base uses: Python would not tell, and the base would call the wrong thing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from rclpy.lifecycle import LifecycleNode

SOURCES = Path(__file__).parents[1] / "ros2_ws/src"
BASE = SOURCES / "vitra_runtime/vitra_runtime/node.py"
MEANT_TO_BE_FILLED = {"__init__", "setup", "start", "halt", "teardown", "depart", "linger_s"}


def members(class_: ast.ClassDef) -> set[str]:
    """Names of the methods, and of the attributes that methods set."""
    nodes = list(ast.walk(class_))
    methods = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    attributes = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
    return methods | attributes


def classes(path: Path) -> list[ast.ClassDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]


BASE_MEMBERS = set(dir(LifecycleNode)).union(*(members(c) for c in classes(BASE) if c.name == "StackNode"))
NODES = {
    c.name: c
    for path in sorted(SOURCES.glob("*/*/*_node.py")) + sorted(SOURCES.glob("*/*/node.py"))
    for c in classes(path)
    if any(ast.unparse(base).startswith("StackNode[") for base in c.bases)
}


def test_the_nodes_are_found() -> None:
    assert {"ExecutorNode", "PolicyNode", "RealmanDriverNode", "SafetySupervisorNode"} <= set(NODES), sorted(NODES)


@pytest.mark.parametrize("name", NODES)
def test_a_node_leaves_the_names_of_its_base_alone(name: str) -> None:
    assert members(NODES[name]) & BASE_MEMBERS <= MEANT_TO_BE_FILLED
