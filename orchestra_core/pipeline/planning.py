"""[Request Analyzer] -> [Model Selector]: from a call to ranked endpoints, or the error that says what to do."""

from collections.abc import Callable, Mapping, Sequence

from orchestra_core.clock import Clock
from orchestra_core.domain.call import Call, Profile
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.errors import (
    ContextTooLong,
    InvalidRequest,
    OrchestraError,
    Unavailable,
    UnknownModel,
)
from orchestra_core.routing.analyzer import analyze
from orchestra_core.routing.catalog import Catalog
from orchestra_core.routing.selector import decide

_RETRY_SECONDS = 5.0


class Planning:
    """Decides without waiting for anything: it reads the published endpoints and the clock."""

    def __init__(
        self,
        catalog: Catalog,
        clock: Clock,
        retry_at: Callable[[Sequence[str]], float | None],
        nothing: Callable[[], str],
    ) -> None:
        """`retry_at` is the first probe of these endpoints; `nothing` says why there is no endpoint at all."""
        self._catalog = catalog
        self._clock = clock
        self._retry_at = retry_at
        self._nothing = nothing

    def __call__(self, call: Call) -> Decision:
        """The decision; raises the error a client can act on when nothing can serve the call."""
        profile = analyze(call)
        endpoints = self._catalog.all if call.model is None else self._named(call.model)
        if not endpoints:
            raise Unavailable(self._nothing(), code="no_backend", retry_after=_RETRY_SECONDS)
        decision = decide(profile, endpoints, self._clock.monotonic(), call.id)
        if not decision.ranked:
            raise self._refusal(call, profile, decision)
        return decision

    def _named(self, model: str) -> Sequence[Endpoint]:
        if not self._catalog.all:
            return ()
        endpoints = self._catalog.serving(model)
        if not endpoints:
            near = self._catalog.nearest(model)
            hint = f"; did you mean {' or '.join(near)}?" if near else "; GET /v1/models lists what there is"
            raise UnknownModel(f"model {model[:128]!r} is not served by any backend{hint}", param="model")
        return endpoints

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
        now = self._clock.monotonic()
        retry_at = self._retry_at([found.endpoint for found in decision.rejected])
        wait = max(1.0, retry_at - now) if retry_at is not None else _RETRY_SECONDS
        reasons = "; ".join(f"{found.endpoint}: {found.detail}" for found in decision.rejected[:5])
        return Unavailable(f"no endpoint can take this now ({reasons})", retry_after=wait)
