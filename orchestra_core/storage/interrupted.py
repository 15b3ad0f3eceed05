"""The row of a request whose engine ended before it did."""

from orchestra_core.domain.outcome import Verdict
from orchestra_core.storage.journal.records import Begin
from orchestra_core.storage.store import Entry
from orchestra_core.storage.tables import RequestRow

_WHY = "the engine ended before the answer was complete"
# How long it took and what it wrote nobody knows any more, and so not what it cost.
_UNKNOWN: dict[str, object] = {
    "verdict": Verdict.INTERRUPTED.value,
    "status": 0,
    "tokens_out": 0,
    "tokens_cached": 0,
    "tokens_estimated": 1,
    "queued_ms": None,
    "first_token_ms": None,
    "total_ms": 0.0,
    "attempts": 1,
    "cost": None,
    "degraded": 0,
    "error": _WHY,
    "loading_ms": 0.0,
    "cost_best": None,
    "cost_first": None,
    "cache": "",
    "saved": None,
    "continued": 0,
}
_NAMES = {
    "task_inferred": "inferred",
    "model_asked": "asked",
    "model_served": "model",
}


def interrupted(begin: Begin) -> Entry:
    """In the field order of RequestRow."""
    return Entry(
        tuple(
            _UNKNOWN[name] if name in _UNKNOWN else getattr(begin, _NAMES.get(name, name))
            for name in RequestRow.model_fields
        )
    )
