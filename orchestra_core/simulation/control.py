"""The control endpoint of a simulated backend: what state it is in, and what fault is asked for."""

import msgspec

from orchestra_core.simulation.reading import BadBody, read
from orchestra_core.simulation.service_model import ServiceModel
from orchestra_core.simulation.trace import FaultKind, InjectedFault


def read_fault(body: bytes) -> InjectedFault:
    """The fault described by a JSON body; raises BadBody.

    `refuse` needs `seconds` here, as nobody could reach the backend any more to repair it.
    """
    fault = read(body, InjectedFault)
    if fault.after_tokens < 0 or fault.factor <= 0 or (fault.seconds is not None and fault.seconds <= 0):
        raise BadBody("after_tokens must not be negative, seconds and factor must be positive")
    if not 0 < fault.probability <= 1:
        raise BadBody("probability must be above 0 and at most 1")
    if fault.kind is FaultKind.REFUSE and fault.seconds is None:
        raise BadBody("refuse needs seconds: a backend that refuses connections cannot be told to stop")
    return fault


def state(model: ServiceModel) -> dict[str, object]:
    """What a simulated backend is doing, for demonstrations and tests."""
    return {
        "simulated": True,
        "name": model.spec.name,
        "running": model.running,
        "waiting": model.waiting,
        "memory": model.spec.memory,
        "memory_used": model.memory_used,
        "foreign": model.memory.foreign,
        "fault": None if model.fault is None else msgspec.to_builtins(model.fault),
        "models": {
            name: {"residency": one.residency, "running": one.running, "waiting": len(one.waiting)}
            for name, one in model.memory.models.items()
        },
    }
