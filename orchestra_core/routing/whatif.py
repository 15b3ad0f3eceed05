"""What would have changed a decision: how far a single fact had to be another, everything else as it was.

Exact, because a decision keeps what it was reckoned from: with a change its endpoint comes out ahead of the chosen
one, or passes the filter that held it back; with a little less it does not.
"""

from collections.abc import Callable, Sequence
from math import erfc, floor, log, log2, log10, sqrt

import msgspec
from msgspec.structs import replace

from orchestra_core.domain.call import Level, Requirements
from orchestra_core.domain.decision import TERMS, Candidate, Decision, Rejection, total
from orchestra_core.routing.preferences import Weights, preset
from orchestra_core.routing.selector import LEAST_SPREAD, SHORTEST

# Not counted as an answer to "how fast": no model answers within it.
_FASTEST = 1e-3
# Who came after these is not asked about.
_RIVALS = 8
# Beyond this a weight is no preference any more.
_HEAVIEST = 1000.0
_UNSET = "unset"
_NO_FLOOR = (None, Level.LOW)
# What lets an endpoint pass that a filter held back; {needed} is exact, {backend} and {endpoint} are its names.
_ALLOWED = {
    "context": "a context of {needed:.0f} tokens instead, or a shorter prompt or max_tokens, would have let it pass",
    "cost": "max_cost={needed:.12g} would have let it pass",
    "quality": "quality={needed} would have let it pass",
    "budget": "a budget of {needed:.12g} would have let it pass",
    "cooling_down": "it would have passed {needed:.3g} s later",
    "breaker_open": "a closed breaker would have let it pass: ai-orchestra breaker reset {endpoint}",
    "draining": "a backend that is not drained would have let it pass: ai-orchestra resume {backend}",
    "unreachable": "a backend that answers would have let it pass: ai-orchestra doctor",
    "model": "asking for its model, or for auto, would have let it pass",
    "not_resident": "a model that is loaded would have let it pass: load it on {backend}",
    "memory": "room for its model would have let it pass",
    "capability": "nothing but another model there would have let it pass",
}


class Change(msgspec.Struct, frozen=True):
    """One fact that decided against an endpoint. `needed` is the value from which on it would not have.

    `what` is seconds, cost, quality, failure, external, weight or speed for those that were ranked (then the endpoint
    would have been chosen), or `overloaded`; else the code of the filter, and the endpoint would have passed that one:
    others behind it, and its utility, are not known. None: no number would do.
    """

    endpoint: str
    what: str
    now: float | str | None
    needed: float | str | None
    sentence: str


def whatif(decision: Decision) -> tuple[Change, ...]:
    """For the next best, in the order of the ranking, other wishes, and everybody who was rejected."""
    found: list[Change] = []
    if decision.ranked and not decision.asked:
        # Models that stand in for another are ranked by the configuration, not by these terms.
        for rival in decision.ranked[1 : 1 + _RIVALS]:
            found += _terms(decision, decision.ranked[0], rival)
        found += _wishes(decision)
    return (*found, *(_passed(no) for no in decision.rejected))


# -- single terms --------------------------------------------------------------------------------------


class _Fact(msgspec.Struct, frozen=True):
    """A number behind a term: `values` are the terms if it were another; `best` is as far as it can go."""

    what: str
    now: float
    best: float
    values: Callable[[float], dict[str, float]]
    say: Callable[[float], str]


def _terms(decision: Decision, chosen: Candidate, rival: Candidate) -> list[Change]:
    if rival.overloaded:
        said = "it has too many calls for its slots: it comes after all others, whatever its terms"
        return [Change(rival.endpoint, "overloaded", None, None, said)]
    scale = preset(decision.requirements)
    facts = [*_seconds(decision, rival, scale), _cost(decision, rival, scale), *_others(rival, scale)]
    return [change for fact in facts if (change := _change(chosen, rival, fact)) is not None]


def _seconds(decision: Decision, rival: Candidate, scale: Weights) -> list[_Fact]:
    now = rival.seconds

    def timed(seconds: float) -> dict[str, float]:
        return _timed(decision, rival, seconds, scale)

    if not _reckoned(decision, rival, scale):
        return []
    return [
        _Fact(
            "seconds",
            now,
            _FASTEST,
            timed,
            lambda s: f"{now - s:.3g} s faster: {s:.6g} s instead of {now:.6g} s",
        )
    ]


def _timed(decision: Decision, candidate: Candidate, seconds: float, scale: Weights) -> dict[str, float]:
    """The terms that depend on the duration, as the selector reckons them."""
    limit = scale.slo_seconds
    if decision.remaining is not None:
        limit = max(min(limit, decision.remaining), SHORTEST)
    late = 0.5 * erfc(log(limit / seconds) / sqrt(2.0 * candidate.variance + LEAST_SPREAD))
    return {"time": log2(1.0 + seconds / scale.time_reference), "slo": late}


def _cost(decision: Decision, rival: Candidate, scale: Weights) -> _Fact:
    now = _value(rival, "cost") * scale.cost_reference
    tokens = decision.input_tokens + rival.output_tokens

    def say(cost: float) -> str:
        per = f" ({cost * 1e6 / tokens:.4g} per million tokens)" if tokens else ""
        if rival.cost is None:
            return f"a known cost of {cost:.6g}{per} instead of an unknown one"
        return f"a cost of {cost:.6g}{per} instead of {now:.6g}"

    return _Fact("cost", now, 0.0, lambda cost: {"cost": cost / scale.cost_reference}, say)


def _others(rival: Candidate, scale: Weights) -> list[_Fact]:
    quality, failure = _value(rival, "quality"), _value(rival, "failure")
    external = _value(rival, "external") * scale.time_reference
    weight = 2.0 ** _value(rival, "preference")
    return [
        _Fact(
            "quality",
            quality,
            1.0,
            lambda q: {"quality": q},
            lambda q: f"quality {q:.6g} instead of {quality:.6g}",
        ),
        _Fact(
            "failure",
            failure,
            0.0,
            lambda p: {"failure": p},
            lambda p: f"failing {p:.4%} of the time instead of {failure:.4%}",
        ),
        _Fact(
            "external",
            external,
            0.0,
            lambda s: {"external": s / scale.time_reference},
            lambda s: f"delaying other models by {s:.6g} s instead of {external:.6g} s",
        ),
        _Fact(
            "weight",
            weight,
            _HEAVIEST,
            lambda w: {"preference": log2(w)},
            lambda w: f"weight {w:.6g} for its backend instead of {weight:.6g}",
        ),
    ]


def _value(candidate: Candidate, term: str) -> float:
    return candidate.values[TERMS.index(term)]


def _change(chosen: Candidate, rival: Candidate, fact: _Fact) -> Change | None:
    needed = _nearest(lambda value: _utility(rival, fact.values(value)) > chosen.utility, fact.now, fact.best)
    if needed is None:
        return None
    return Change(
        rival.endpoint, fact.what, fact.now, needed, fact.say(_outward(needed, fact.now, fact.best))
    )


def _utility(candidate: Candidate, instead: dict[str, float]) -> float:
    """Its utility with other values for some terms, added up as the selector does."""
    values = zip(TERMS, candidate.values, candidate.weights, strict=True)
    return total(weight * instead.get(name, value) for name, value, weight in values)


def _nearest(ahead: Callable[[float], bool], now: float, best: float) -> float | None:
    """The value nearest to `now` that does, by halving; None if even the best one does not."""
    if ahead(now) or not ahead(best):
        return None
    short, enough = now, best
    while (middle := (short + enough) / 2) not in (short, enough):
        if ahead(middle):
            enough = middle
        else:
            short = middle
    return enough


def _outward(needed: float, now: float, best: float) -> float:
    """Rounded so that the change is one of three digits and still large enough."""
    distance = abs(needed - now)
    if distance == 0.0:
        return needed
    step = 10.0 ** (floor(log10(distance)) - 2)
    distance = (floor(distance / step) + 1) * step
    return max(best, now - distance) if needed < now else min(best, now + distance)


# -- other wishes --------------------------------------------------------------------------------------


def _wishes(decision: Decision) -> list[Change]:
    """Which other wish for speed or quality would have led elsewhere, where that can be told for sure."""
    found: list[Change] = []
    wishes = decision.requirements
    for what, levels in (("speed", (None, *Level)), ("quality", _qualities(decision))):
        now: Level | None = getattr(wishes, what)
        for level in levels:
            other: Requirements = replace(wishes, **{what: level})
            first = _first(decision, other) if level is not now else None
            if first is not None and first != decision.ranked[0].endpoint:
                said = f"{what}={level or _UNSET} instead of {now or _UNSET} would have chosen it"
                found.append(Change(first, what, now or _UNSET, level or _UNSET, said))
    return found


def _qualities(decision: Decision) -> Sequence[Level | None]:
    """Levels that let the same endpoints pass as the one wished for did.

    Others would add endpoints whose utility nobody has reckoned, or take some away whose tier is not known here.
    """
    floored = any(no.reason == "quality" for no in decision.rejected)
    return () if floored or decision.relaxed else _NO_FLOOR


def _first(decision: Decision, wishes: Requirements) -> str | None:
    """Who would have been chosen with other wishes; None if that was decided by more than utility."""
    scale, mine = preset(wishes), preset(decision.requirements)
    signed, weights = scale.signed(), mine.signed()
    rivals = [c for c in decision.ranked if not c.overloaded]
    if not all(c.weights == weights and _reckoned(decision, c, mine) for c in rivals):
        return None
    points = sorted(((_under(decision, c, mine, scale, signed), c.endpoint) for c in rivals), reverse=True)
    tied = len(points) > 1 and points[0][0] == points[1][0]
    return None if tied else points[0][1]


def _reckoned(decision: Decision, candidate: Candidate, scale: Weights) -> bool:
    """Whether the terms that depend on time are what we make of them, and not another version's."""
    terms = dict(zip(TERMS, candidate.values, strict=True))
    return _timed(decision, candidate, candidate.seconds, scale).items() <= terms.items()


def _under(
    decision: Decision, candidate: Candidate, mine: Weights, scale: Weights, signed: tuple[float, ...]
) -> float:
    """Utility with the weights and references of other wishes."""
    terms = dict(zip(TERMS, candidate.values, strict=True))
    terms |= _timed(decision, candidate, candidate.seconds, scale)
    terms["cost"] = terms["cost"] * mine.cost_reference / scale.cost_reference
    terms["external"] = terms["external"] * mine.time_reference / scale.time_reference
    return total(weight * terms[name] for name, weight in zip(TERMS, signed, strict=True))


# -- filters -------------------------------------------------------------------------------------------


def _passed(no: Rejection) -> Change:
    template = _ALLOWED.get(no.reason, "")
    if not template or (no.needed is None and "{needed" in template):
        return Change(no.endpoint, no.reason, None, None, no.detail)
    backend = no.endpoint.partition("/")[0]
    said = template.format(needed=no.needed, backend=backend, endpoint=no.endpoint)
    return Change(no.endpoint, no.reason, None, no.needed, said)
