"""Whether a simulated backend takes a request, and the words it refuses with."""

from orchestra_core.domain.catalog import Residency
from orchestra_core.simulation.memory import Resident
from orchestra_core.simulation.spec import BackendSpec
from orchestra_core.simulation.trace import Denial, FaultKind, InjectedFault, Request, Why


def deny_model(name: str, models: dict[str, Resident], reachable: bool) -> Denial | None:
    """Why nothing at all can be done with this model now, or None."""
    if not reachable:
        return Denial(Why.DOWN, "simulated backend is down")
    if name not in models:
        return Denial(Why.UNKNOWN_MODEL, f'model "{name}" not found')
    return None


def _deny_by(fault: InjectedFault) -> Denial | None:
    if fault.kind is FaultKind.BLACKHOLE:
        return Denial(Why.UNAVAILABLE, "simulated service unavailable")
    if fault.kind is FaultKind.ERROR and fault.at_once:
        return Denial(Why.ERROR, "simulated error")
    return None


def deny_request(
    request: Request, model: Resident, spec: BackendSpec, fault: InjectedFault | None, before: int | None
) -> Denial | None:
    """Why this request cannot be served by a model that exists, or None; `before` wait already, None: it starts."""
    if fault is not None and (denial := _deny_by(fault)) is not None:
        return denial
    if request.embedding and "embedding" not in model.spec.capabilities:
        return Denial(Why.UNSUPPORTED, f'"{request.model}" does not support embeddings')
    if request.prompt_tokens >= model.spec.context:
        message = (
            f"the prompt of {request.prompt_tokens} tokens does not fit the context of {model.spec.context}"
        )
        return Denial(Why.CONTEXT, message)
    if spec.autoload or model.residency is Residency.READY:
        full = before is not None and spec.queue_limit is not None and before >= spec.queue_limit
        return QUEUE_FULL if full else None
    if model.residency is Residency.ABSENT:
        return Denial(Why.NOT_LOADED, f'model "{request.model}" is not loaded')
    return Denial(Why.LOADING, "Loading model")


# Ollama's own words, two spaces included.
QUEUE_FULL = Denial(Why.QUEUE_FULL, "server busy, please try again.  maximum pending requests exceeded")
