"""Processors: a batch dimension and nothing else; the stack normalises by itself."""

from __future__ import annotations

from typing import Any

from lerobot.processor import AddBatchDimensionProcessorStep, PolicyProcessorPipeline
from lerobot.processor.converters import policy_action_to_transition, transition_to_policy_action


def make_vitra_pre_post_processors(config: Any, dataset_stats: Any = None) -> tuple[Any, Any]:
    """Pipelines before and behind the policy."""
    before = PolicyProcessorPipeline(steps=[AddBatchDimensionProcessorStep()], name="policy_preprocessor")
    behind = PolicyProcessorPipeline(
        steps=[],
        name="policy_postprocessor",
        to_transition=policy_action_to_transition,
        to_output=transition_to_policy_action,
    )
    return before, behind
