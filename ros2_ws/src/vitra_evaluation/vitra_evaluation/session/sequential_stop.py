"""Whether a declared sequential comparison has come to its end; tells nothing else about the running counts."""

from __future__ import annotations

from enum import StrEnum

from vitra_evaluation.blinding.blinding_key import open_blinding_key
from vitra_evaluation.session.attempt import Outcome
from vitra_evaluation.session.folder import Session
from vitra_evaluation.stats.sequential import Decision, SequentialPlan


class Verdict(StrEnum):
    """What may be known before the seal is opened."""

    NOT_DECLARED = "not declared"
    GO_ON = "go on"
    FINISHED = "finished"

    @property
    def is_final(self) -> bool:
        """Whether the session ends here."""
        return self is Verdict.FINISHED


def paired_outcomes(session: Session, first: str, second: str) -> tuple[list[bool], list[bool]]:
    """Outcomes of two policies in the blocks in which both have a trial that counts, in order.

    Args:
        session: With its results.
        first: Name of a policy.
        second: Name of the other.
    """
    names = open_blinding_key(session.folder).names
    counted = session.store.counted()
    blocks: dict[int, dict[str, bool]] = {}
    for slot in session.schedule.slots:
        if slot.index in counted:
            result = counted[slot.index].result
            assert result is not None
            blocks.setdefault(slot.block, {})[names[slot.alias]] = result.outcome is Outcome.SUCCESS
    pairs = [(b[first], b[second]) for _, b in sorted(blocks.items()) if first in b and second in b]
    return [a for a, _ in pairs], [b for _, b in pairs]


def session_decision(session: Session) -> Verdict:
    """Decision of the plan's sequential comparison so far."""
    spec = session.plan.sequential
    if spec is None:
        return Verdict.NOT_DECLARED
    first, second = (policy.name for policy in session.plan.policies)
    plan = SequentialPlan(spec.alpha, max_pairs=sum(cell.trials for cell in session.plan.cells))
    found = plan.decide(*paired_outcomes(session, first, second))
    return Verdict.FINISHED if found is Decision.DIFFERENT else Verdict.GO_ON
