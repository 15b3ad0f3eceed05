"""Which answers may be kept: only whole ones, of the model that was asked, without anything odd on their way."""

from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.outcome import Outcome

_WHOLE = frozenset({"stop", "tool_calls", "function_call"})


def refusal(call: Call, outcome: Outcome, *, degraded: bool, continued: bool, several: bool) -> str:
    """Why an answer must not be given again, "" where it may.

    An answer that a backend calls cut by length is whole if it is as long as the client allowed: asked again it would
    be cut at the same place. If it is shorter, or nobody counted, then it was the model's context that cut it, which
    another endpoint may have more of. `several` answers are whole if none of them is cut at all.
    """
    why = ""
    if not outcome.ok:
        why = "failed"
    elif degraded:
        why = "degraded"
    elif continued:
        why = "continued"
    elif call.kind is not Kind.EMBEDDING and not _is_whole(call, outcome, several):
        why = "filtered" if outcome.finish == "content_filter" else "cut"
    return why


def _is_whole(call: Call, outcome: Outcome, several: bool) -> bool:
    """A backend that does not say why its answer ended may have cut it."""
    if outcome.finish in _WHOLE:
        return True
    if outcome.finish != "length" or several or call.max_tokens is None:
        return False
    return not outcome.usage.estimated and outcome.usage.completion >= call.max_tokens
