"""[Request Analyzer] -> [Model Selector]: from a call to ranked endpoints, or the error that says what to do."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from orchestra_core.clock import Clock
from orchestra_core.domain.call import Call, Level, Profile
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.decision import Candidate, Decision, Rejection
from orchestra_core.domain.errors import (
    ContextTooLong,
    InvalidRequest,
    OrchestraError,
    TooManyRequests,
    Unavailable,
    UnknownModel,
)
from orchestra_core.pipeline.affording import within_budgets
from orchestra_core.pipeline.purse import Purse
from orchestra_core.resilience.shedding import EVERYBODY, NOBODY
from orchestra_core.routing.analyzer import analyze
from orchestra_core.routing.catalog import Catalog
from orchestra_core.routing.selector import decide

_RETRY_SECONDS: Final = 5.0


class Fallbacks:
    """Models to try, in order, by task and by the model that they may stand in for; replaced by a reload."""

    __slots__ = ("by_model", "by_task")

    def __init__(
        self,
        by_task: Mapping[str, Sequence[str]] | None = None,
        by_model: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.by_task: Mapping[str, Sequence[str]] = by_task or {}
        self.by_model: Mapping[str, Sequence[str]] = by_model or {}

    def replace(self, by_task: Mapping[str, Sequence[str]], by_model: Mapping[str, Sequence[str]]) -> None:
        self.by_task, self.by_model = by_task, by_model


class Planning:
    """Decides without waiting for anything: it reads the published endpoints and the clock."""

    def __init__(
        self,
        catalog: Catalog,
        clock: Clock,
        retry_at: Callable[[Sequence[str]], float | None],
        nothing: Callable[[], str],
        fallbacks: Fallbacks,
        purse: Purse,
    ) -> None:
        """`retry_at` is the first probe of these endpoints; `nothing` says why there is no endpoint at all.

        Of `fallbacks` those by model are used here: what may stand in for a model that is named.
        """
        self._catalog = catalog
        self._monotonic = clock.monotonic
        self._retry_at = retry_at
        self._nothing = nothing
        self._fallbacks = fallbacks
        self._purse = purse
        # The lowest priority that is served: whoever watches memory sets it.
        self.least = EVERYBODY

    def __call__(self, call: Call) -> Decision:
        """The decision; raises the error a client can act on when nothing can serve the call."""
        if call.priority < self.least:
            raise self._shed()
        profile = analyze(call)
        endpoints = self._catalog.all if call.model is None else self._named(call.model)
        if not endpoints and not self._catalog.all:
            raise Unavailable(self._nothing(), code="no_backend", retry_after=_RETRY_SECONDS)
        decision = decide(profile, endpoints, self._monotonic(), call.id)
        if not decision.ranked and call.model is not None and call.model in self._fallbacks.by_model:
            decision = replace(decision, ranked=self.fallbacks(call), asked=call.model)
        if not decision.ranked:
            raise self._refusal(call, profile, decision)
        if self._purse.on and self._purse.concerns(decision.ranked):
            return within_budgets(self, self._purse, call, decision)
        return decision

    def fallbacks(self, call: Call) -> tuple[Candidate, ...]:
        """What may stand in for the model the call names: those configured for it, in their order."""
        found: list[Candidate] = []
        for name in self._fallbacks.by_model.get(call.model or "", ()):
            profile = analyze(replace(call, model=name))
            endpoints = self._catalog.serving(name)
            found += decide(profile, endpoints, self._monotonic(), call.id).ranked
        return tuple(found)

    def below(self, call: Call) -> tuple[Candidate, ...]:
        """What could serve it if the wanted quality gave way, best first."""
        profile = analyze(call)
        profile = replace(profile, requirements=replace(profile.requirements, quality=None))
        return decide(profile, self._catalog.all, self._monotonic(), call.id).ranked

    def tier(self, candidate: Candidate) -> Level:
        endpoint = self._catalog.get(candidate.endpoint)
        return Level.LOW if endpoint is None else endpoint.spec.tier

    def behind_breakers(self, call: Call) -> Decision | None:
        """The decision if no breaker were open, where nothing but breakers stands in the way."""
        if call.priority < self.least:
            return None
        try:
            endpoints = self._catalog.all if call.model is None else self._named(call.model)
        except UnknownModel:
            return None
        decision = decide(analyze(call), endpoints, self._monotonic(), call.id, probing=True)
        return decision if decision.ranked else None

    def _named(self, model: str) -> Sequence[Endpoint]:
        endpoints = self._catalog.serving(model)
        if endpoints or not self._catalog.all:
            return endpoints
        if model not in self._fallbacks.by_model:
            near = self._catalog.nearest(model)
            hint = f"; did you mean {' or '.join(near)}?" if near else "; GET /v1/models lists what there is"
            raise UnknownModel(f"model {model[:128]!r} is not served by any backend{hint}", param="model")
        return endpoints

    def _shed(self) -> Unavailable:
        who = "new requests" if self.least == NOBODY else "requests of low priority"
        return Unavailable(
            f"the machine is short of memory: {who} are refused until there is more",
            code="out_of_memory",
            retry_after=_RETRY_SECONDS,
        )

    def _refusal(self, call: Call, profile: Profile, decision: Decision) -> OrchestraError:
        """One error for all rejections: the one the client can do most about comes first."""
        details: Mapping[str, str] = {found.reason: found.detail for found in reversed(decision.rejected)}
        if "context" in details and not details.keys() - {"context", "capability"}:
            return ContextTooLong(f"the prompt is too long: {details['context']}", param=call.prompt_field)
        if "capability" in details and not details.keys() - {"capability", "context"}:
            wanted = ", ".join(sorted(profile.needs)) or profile.kind.value
            return InvalidRequest(
                f"no model here can do this ({wanted}): {details['capability']}", param="model"
            )
        if "cost" in details and not details.keys() - {"cost", "capability", "context", "quality"}:
            return InvalidRequest(f"max_cost is too low: {details['cost']}", param="max_cost")
        if "memory" in details and not details.keys() - {"memory", "capability", "context"}:
            return Unavailable(
                f"no model that could take this may be loaded now: {details['memory']}",
                code="not_loadable",
                retry_after=_RETRY_SECONDS,
            )
        now = self._monotonic()
        cooling = [e.cooling_until for no in decision.rejected if (e := self._cooling(no))]
        if cooling and not details.keys() - {"cooling_down", "capability", "context"}:
            wait = min(cooling) - now
            return TooManyRequests(
                f"every endpoint asked to be left alone for a while ({details['cooling_down']})",
                retry_after=wait,
            )
        retry_at = self._retry_at([found.endpoint for found in decision.rejected])
        times = [*cooling, *([] if retry_at is None else [retry_at])]
        wait = max(1.0, min(times) - now) if times else _RETRY_SECONDS
        reasons = "; ".join(f"{found.endpoint}: {found.detail}" for found in decision.rejected[:5])
        return Unavailable(f"no endpoint can take this now ({reasons})", retry_after=wait)

    def _cooling(self, rejection: Rejection) -> Endpoint | None:
        return self._catalog.get(rejection.endpoint) if rejection.reason == "cooling_down" else None
