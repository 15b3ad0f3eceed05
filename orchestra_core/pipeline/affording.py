"""What budgets leave of a decision: other routes, something of less quality where that is allowed, or an error."""

from typing import Protocol

from msgspec.structs import replace

from orchestra_core.accounting.reservation import Refusal
from orchestra_core.domain.budgets import Over
from orchestra_core.domain.call import Call, Level
from orchestra_core.domain.decision import Candidate, Decision, Rejection
from orchestra_core.domain.errors import OverBudget
from orchestra_core.pipeline.purse import Purse, Refused
from orchestra_core.routing.filters import RANK


class Lesser(Protocol):
    """What there is of less than was asked for (Planning)."""

    def fallbacks(self, call: Call) -> tuple[Candidate, ...]: ...

    def below(self, call: Call) -> tuple[Candidate, ...]: ...

    def tier(self, candidate: Candidate) -> Level: ...


def within_budgets(lesser: Lesser, purse: Purse, call: Call, decision: Decision) -> Decision:
    """Raises OverBudget where nothing is left. A route of a lower tier than the one it stands in for is degraded."""
    left, refused = purse.sift(call, decision.task, decision.ranked)
    if not refused:
        return replace(decision, ranked=left)
    for account in {refusal.account for _, refusal in refused}:
        account.refused += 1
    decision = replace(decision, rejected=(*decision.rejected, *_rejections(purse, refused)))
    strict = any(refusal.account.budget.over is Over.REFUSE for _, refusal in refused)
    best = decision.ranked[0]
    wanted = lesser.tier(best)
    if decision.degraded or any(one.endpoint == best.endpoint for one in left):
        wanted = Level.LOW
    if strict:
        left = tuple(one for one in left if RANK[lesser.tier(one)] >= RANK[wanted])
    if left:
        lower = RANK[lesser.tier(left[0])] < RANK[wanted]
        return replace(decision, ranked=left, asked=f"quality {wanted}" if lower else decision.asked)
    found = None if strict or decision.degraded else _less(lesser, purse, call, decision)
    if found is None:
        raise _error(purse, refused)
    return found


def _less(lesser: Lesser, purse: Purse, call: Call, decision: Decision) -> Decision | None:
    """What may stand in for a model that was named, or is below the wanted quality, as far as there is money for it."""
    if call.model is not None:
        ranked, _ = purse.sift(call, decision.task, lesser.fallbacks(call))
        return replace(decision, ranked=ranked, asked=call.model) if ranked else None
    if decision.requirements.quality is None:
        return None
    ranked, _ = purse.sift(call, decision.task, lesser.below(call))
    return replace(decision, ranked=ranked, relaxed="quality") if ranked else None


def _rejections(purse: Purse, refused: list[Refused]) -> list[Rejection]:
    return [Rejection(one.endpoint, "budget", purse.explain(no), no.needed) for one, no in refused]


def _error(purse: Purse, refused: list[Refused]) -> OverBudget:
    """About the budget that starts anew first; one that needs a price first never does."""
    refusal = min((refusal for _, refusal in refused), key=_ends)
    return OverBudget(purse.explain(refusal), retry_after=purse.resets_in(refusal))


def _ends(refusal: Refusal) -> tuple[bool, float]:
    return refusal.worst is None, refusal.account.span.end
