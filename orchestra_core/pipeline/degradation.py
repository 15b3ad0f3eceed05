"""[Degradation]: where a request may go when what it asked for fails, and how the answer then says so."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.decision import Candidate, Decision
from orchestra_core.domain.outcome import Outcome
from orchestra_core.domain.sink import Serving
from orchestra_core.domain.text import safe_text
from orchestra_core.pipeline.planning import Fallbacks, Planning
from orchestra_core.resilience.retry import Option
from orchestra_core.routing.fallback import order


class Alternatives:
    """Everything a request may be sent to, in the order to try it."""

    def __init__(
        self,
        planning: Planning,
        find: Callable[[str], Endpoint | None],
        fallbacks: Fallbacks,
    ) -> None:
        self._planning = planning
        self._find = find
        self._fallbacks = fallbacks

    def ranked(self, decision: Decision) -> list[Option]:
        """What the decision ranked, as far as it is still there; models configured for the task come first."""
        configured = self._fallbacks.by_task.get(decision.task.value, ())
        return self._options(order(decision.ranked, configured), decision.asked or _floor(decision))

    def all(self, call: Call, decision: Decision) -> list[Option]:
        """Then the models configured for the one that was named; for `auto`, what is below the wanted quality."""
        options = self.ranked(decision)
        if call.model is not None:
            if not decision.asked:
                options += self._options(self._planning.fallbacks(call), call.model)
            return options
        wanted = decision.requirements.quality
        if wanted is not None and decision.relaxed is None:
            known = {candidate.endpoint for candidate in decision.ranked}
            below = [c for c in self._planning.below(call) if c.endpoint not in known]
            options += self._options(below, f"quality {wanted}", last=True)
        return options

    def now(self, option: Option) -> Option | None:
        """The same place as the catalog has it now, which a reload may have made anew; None: it is gone."""
        endpoint = self._find(option.endpoint.id)
        if endpoint is None or endpoint is option.endpoint:
            return None if endpoint is None else option
        return replace(option, endpoint=endpoint)

    def _options(self, candidates: Sequence[Candidate], asked: str, *, last: bool = False) -> list[Option]:
        found = ((candidate, self._find(candidate.endpoint)) for candidate in candidates)
        return [Option(c, endpoint, asked, last) for c, endpoint in found if endpoint is not None]


def _floor(decision: Decision) -> str:
    return "" if decision.relaxed is None else f"{decision.relaxed} {decision.requirements.quality}"


def serving(option: Option, decision: Decision, number: int, failed: Outcome | None) -> Serving:
    """Who answers; a degraded answer says what was asked for, what is served, and why."""
    candidate, asked = option.candidate, option.asked
    if not asked:
        return Serving(candidate.model, candidate.backend, decision.id, number, False, decision)
    why = "nothing that has it can take a request now"
    for no in decision.rejected:
        if no.reason == "budget":
            why = no.detail
            break
    if failed is not None:
        why = f"{failed.endpoint} failed ({safe_text(failed.message)[:200] or failed.verdict})"
    reason = f"Asked for {asked}, served by {candidate.model} on {candidate.backend}: {why}."
    return Serving(candidate.model, candidate.backend, decision.id, number, True, decision, asked, reason)
