"""Why a decision came out as it did: every part of every utility, exactly, and one sentence for people.

Because the utility is a sum, the difference between two candidates is the sum of the differences of their
terms; nothing is approximated.
"""

from collections import Counter

from orchestra_core.domain.decision import TERMS, Candidate, Decision

_GAINS = {
    "quality": "better at this",
    "time": "sooner done",
    "slo": "surer to be in time",
    "cost": "cheaper",
    "failure": "more reliable",
    "external": "without displacing other models",
    "preference": "preferred by its weight",
}
_REASONS = {
    "capability": "lack a capability",
    "model": "serve other models",
    "context": "have too short a context",
    "unreachable": "are on a backend that does not answer",
    "breaker_open": "failed too often lately",
    "cooling_down": "asked to be left alone for a while",
    "draining": "are being drained",
    "not_resident": "do not have the model loaded",
    "memory": "may not be loaded now",
    "cost": "cost more than allowed",
    "quality": "are below the wanted quality",
    "budget": "cost more than a budget leaves",
}


def explain(decision: Decision) -> dict[str, object]:
    """The whole decision as JSON-able values; the points of a candidate's terms add up to its utility."""
    ranked = decision.ranked
    return {
        "decision_id": decision.id,
        "task": decision.task.value,
        "task_inferred": decision.inferred,
        "input_tokens": decision.input_tokens,
        "requirements": _requirements(decision),
        "relaxed": decision.relaxed,
        "selected": ranked[0].endpoint if ranked else None,
        "margin": ranked[0].utility - ranked[1].utility if len(ranked) > 1 else None,
        "candidates": [_candidate(candidate) for candidate in ranked],
        "rejected": [
            {"endpoint": no.endpoint, "reason": no.reason, "detail": no.detail} for no in decision.rejected
        ],
        "sentence": sentence(decision),
    }


def sentence(decision: Decision) -> str:
    """What decided it, in one sentence: the two largest differences to the next best."""
    if not decision.ranked:
        return f"No endpoint can serve this call{_because(decision)}."
    best = decision.ranked[0]
    chosen = f"{best.model} on {best.backend}"
    if decision.relaxed:
        chosen += f" (the wanted {decision.relaxed} had to give way)"
    if len(decision.ranked) == 1:
        return f"{chosen} is the only endpoint that can serve this call{_because(decision)}."
    other = decision.ranked[1]
    rival = f"{other.model} on {other.backend}"
    if other.overloaded and not best.overloaded:
        return f"{chosen}, because {rival} is overloaded."
    gains = _gains(best, other)
    if not gains:
        return f"{chosen}, as good as {rival} and used less recently."
    return f"{chosen}: {' and '.join(gains)} than {rival}."


def _gains(best: Candidate, other: Candidate) -> list[str]:
    """At most two terms in which `best` is ahead, the larger first, with the points."""
    pairs = zip(best.values, best.weights, other.values, other.weights, strict=True)
    ahead = [mine * weight - theirs * their_weight for mine, weight, theirs, their_weight in pairs]
    order = sorted(range(len(TERMS)), key=ahead.__getitem__, reverse=True)
    return [f"{_GAINS[TERMS[i]]} (+{ahead[i]:.2f})" for i in order[:2] if ahead[i] > 0.0]


def _because(decision: Decision) -> str:
    """How many others there were, by reason; nothing if there were none."""
    counts = Counter(no.reason for no in decision.rejected)
    if not counts:
        return ""
    return ": " + ", ".join(
        f"{count} {_REASONS.get(reason, reason)}" for reason, count in counts.most_common()
    )


def _requirements(decision: Decision) -> dict[str, object]:
    wishes = decision.requirements
    return {
        "speed": wishes.speed and wishes.speed.value,
        "quality": wishes.quality and wishes.quality.value,
        "max_tokens": wishes.max_tokens,
        "max_cost": wishes.max_cost,
    }


def _candidate(candidate: Candidate) -> dict[str, object]:
    return {
        "endpoint": candidate.endpoint,
        "model": candidate.model,
        "backend": candidate.backend,
        "utility": candidate.utility,
        "overloaded": candidate.overloaded,
        "terms": [
            {"name": term.name, "value": term.value, "weight": term.weight, "points": term.points}
            for term in candidate.terms
        ],
        "predicted": {
            "seconds": candidate.seconds,
            "first_token": candidate.first_token,
            "wait": candidate.wait,
            "output_tokens": candidate.output_tokens,
            "cost": candidate.cost,
            "source": f"measured n={candidate.observations}" if candidate.observations else "prior",
        },
    }
