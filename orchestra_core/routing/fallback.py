"""Where to go next when the best endpoint fails before its first token."""

from collections.abc import Sequence

from orchestra_core.domain.decision import Candidate


def order(ranked: Sequence[Candidate], fallbacks: Sequence[str]) -> tuple[Candidate, ...]:
    """Every candidate once, in the order to try them; `fallbacks` are names of models as configured.

    The best stays first. Then come the configured models in their order, then what is on another backend than
    the best, since a backend mostly fails as a whole, then the rest; within each by rank.
    """
    if len(ranked) <= 2:
        return tuple(ranked)
    best = ranked[0]
    places = {model: place for place, model in reversed(list(enumerate(fallbacks)))}
    last = len(fallbacks)

    def key(candidate: Candidate) -> tuple[int, bool]:
        return places.get(candidate.model, last), candidate.backend == best.backend

    return (best, *sorted(ranked[1:], key=key))
