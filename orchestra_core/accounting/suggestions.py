"""What the sums suggest to do: pure rules over rows, each with the numbers it rests on and the way to act.

A rule speaks up only where its numbers are too large for chance, and says nothing about money nobody knows.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from orchestra_core.accounting.report import failed, known_cost
from orchestra_core.accounting.usage import By, UsageRow, summed

_RANK = {"low": 0, "medium": 1, "high": 2}
# Fewer requests than these are no habit, and make no rate.
_HABIT = 20
_RATED = 50
# An endpoint stands out with so many times the error rate of all others, and by so much.
_TIMES = 3.0
_MORE = 0.05
# A local model does a task as well if it fails at most so much more often.
_AS_WELL = 0.02
# Of the time that answers took, spent on loading the model or on waiting for a slot.
_WAITED = 0.25
_MOST = 12

TIERS = (By.TIER_ASKED, By.TIER_SERVED, By.MODEL, By.TASK)
ENDPOINTS = (By.BACKEND, By.MODEL)


class Evidence(msgspec.Struct, frozen=True):
    """Rows of the same days: `tiers` by TIERS, `endpoints` by ENDPOINTS. `local` are the backends on our machines."""

    tiers: tuple[UsageRow, ...] = ()
    endpoints: tuple[UsageRow, ...] = ()
    local: frozenset[str] = frozenset()


class Suggestion(msgspec.Struct, frozen=True):
    """`rule` is a stable code, `about` the model or endpoint; `numbers` is all it rests on, `act` how to follow it."""

    rule: str
    about: str
    sentence: str
    numbers: dict[str, float | int | str]
    act: str


def suggestions(evidence: Evidence) -> list[Suggestion]:
    """Those that concern the most requests first, at most a dozen."""
    # Nobody served requests without a model: no advice about a model helps them.
    tiers = [row for row in evidence.tiers if row.names[2]]
    endpoints = [row for row in evidence.endpoints if all(row.names)]
    found = [
        *_over_served(tiers),
        *_error_prone(endpoints),
        *_paid_for_what_is_free(tiers, _at_home(endpoints, evidence.local)),
        *_unpriced(endpoints),
        *_loads_often(endpoints),
        *_crowded(endpoints),
    ]
    return sorted(found, key=lambda one: -float(one.numbers["requests"]))[:_MOST]


def _over_served(rows: Iterable[UsageRow]) -> Iterator[Suggestion]:
    """A model of a higher tier than was asked for."""
    for row in rows:
        asked, served, model, task = row.names
        if row.requests < _HABIT or not _RANK.get(asked, 9) < _RANK.get(served, 0):
            continue
        yield Suggestion(
            "over_served",
            model,
            f"{model} answered {row.requests} {task} requests at tier {served} that asked for {asked}",
            {"requests": row.requests, "tokens_out": row.tokens_out, **_money(row)},
            f"have a model of tier {asked} for it; `ai-orchestra select --task {task} --quality {asked}` "
            "says what is chosen now, and why",
        )


def _error_prone(rows: Sequence[UsageRow]) -> Iterator[Suggestion]:
    """An endpoint that fails far more often than all others together."""
    tallies = [_tally(row) for row in rows]
    all_tried, all_failed = sum(tried for tried, _ in tallies), sum(count for _, count in tallies)
    for row, (tried, count) in zip(rows, tallies, strict=True):
        elsewhere = all_tried - tried
        if tried < _RATED or elsewhere < _RATED:
            continue
        rate, others = count / tried, (all_failed - count) / elsewhere
        if rate < others + _MORE or rate < _TIMES * others:
            continue
        endpoint = "/".join(row.names)
        yield Suggestion(
            "error_prone",
            endpoint,
            f"{endpoint} failed {rate:.1%} of {tried} requests, all others {others:.1%} of {elsewhere}",
            {"requests": tried, "failed": count, "error_rate": rate, "others_error_rate": others},
            f"`ai-orchestra requests --backend {row.names[0]} --failed` lists them; "
            f"`ai-orchestra drain {row.names[0]}` keeps requests away",
        )


def _paid_for_what_is_free(rows: Sequence[UsageRow], at_home: frozenset[str]) -> Iterator[Suggestion]:
    """A model that was paid for where a local one did the same task as well for nothing."""
    for task, models in sorted(_by_task(rows).items()):
        free = [(m, own) for m, own in models.items() if m in at_home and _is_free(own)]
        for model, own in models.items():
            offers = [] if model in at_home else [_offer(own, name, local) for name, local in free]
            best = max(filter(None, offers), key=lambda offer: offer[0].cost, default=None)
            if best is None:
                continue
            paid, name, local = best
            yield Suggestion(
                "paid_for_what_is_free",
                model,
                f"{model} was paid {paid.cost:.9g} for {paid.requests} {task} requests; {name}, which costs nothing, "
                f"did {local.successes} of {local.requests} such requests well",
                {
                    "requests": paid.requests,
                    "cost": paid.cost,
                    "local_model": name,
                    "local_requests": local.requests,
                    "local_successes": local.successes,
                },
                f"ask for {task} with max_cost 0, or give the backend of {name} a higher weight in [[backends]]",
            )


def _offer(own: list[UsageRow], name: str, local: list[UsageRow]) -> tuple[UsageRow, str, UsageRow] | None:
    """What was paid for that a local model may do too: nobody who asked for a better tier is counted."""
    tier = max(_RANK.get(row.names[1], -1) for row in local)
    paid = summed(row for row in own if _RANK.get(row.names[0], -1) <= tier)
    done = summed(local)
    if paid.requests < _HABIT or paid.cost <= 0.0 or done.requests < _HABIT:
        return None
    (tried, bad), (tried_here, bad_here) = _tally(paid), _tally(done)
    if not tried or not tried_here or bad_here / tried_here > bad / tried + _AS_WELL:
        return None
    return paid, name, done


def _unpriced(rows: Iterable[UsageRow]) -> Iterator[Suggestion]:
    """Requests whose cost nobody knows."""
    for row in rows:
        if row.cost_unknown:
            model = row.names[1]
            yield Suggestion(
                "unpriced",
                "/".join(row.names),
                f"what {row.cost_unknown} requests to {model} cost is not known, so no budget can count it",
                {"requests": row.cost_unknown, "tokens_in": row.tokens_in, "tokens_out": row.tokens_out},
                f'set cost_per_million_input and cost_per_million_output in [models."{model}"]',
            )


def _loads_often(rows: Iterable[UsageRow]) -> Iterator[Suggestion]:
    """A model whose loading is much of what people wait for."""
    for row in rows:
        share = _share(row.loading_ms, row)
        if share >= _WAITED:
            model = row.names[1]
            yield Suggestion(
                "loads_often",
                "/".join(row.names),
                f"{share:.0%} of the time that {row.requests} requests to {model} took was loading it",
                {"requests": row.requests, "loading_seconds": row.loading_ms / 1000, "share": share},
                f'keep it loaded: pinned = true in [models."{model}"]',
            )


def _crowded(rows: Iterable[UsageRow]) -> Iterator[Suggestion]:
    """An endpoint that people wait for, other than for its loading."""
    for row in rows:
        queued = max(0.0, row.queued_ms - row.loading_ms)
        share = _share(queued, row)
        if share >= _WAITED:
            endpoint = "/".join(row.names)
            yield Suggestion(
                "crowded",
                endpoint,
                f"{share:.0%} of the time that {row.requests} requests to {endpoint} took was waiting for a slot",
                {"requests": row.requests, "queued_seconds": queued / 1000, "share": share},
                f"serve {row.names[1]} from another backend too, or raise slots of {row.names[0]} in [[backends]]",
            )


def _share(milliseconds: float, row: UsageRow) -> float:
    return milliseconds / row.total_ms if row.requests >= _HABIT and row.total_ms > 0.0 else 0.0


def _tally(row: UsageRow) -> tuple[int, int]:
    """How many requests could have succeeded, and how many of these failed; not by their own or the client's doing."""
    own = row.failures.get("request", 0)
    return row.requests - row.failures.get("cancelled", 0) - own, failed(row) - own


def _money(row: UsageRow) -> dict[str, float | int | str]:
    cost = known_cost(row)
    return {} if cost is None else {"cost": cost}


def _at_home(rows: Iterable[UsageRow], local: frozenset[str]) -> frozenset[str]:
    """Models that nobody else served."""
    away = {row.names[1] for row in rows if row.names[0] not in local}
    return frozenset(row.names[1] for row in rows) - away


def _by_task(rows: Iterable[UsageRow]) -> dict[str, dict[str, list[UsageRow]]]:
    tasks: dict[str, dict[str, list[UsageRow]]] = {}
    for row in rows:
        tasks.setdefault(row.names[3], {}).setdefault(row.names[2], []).append(row)
    return tasks


def _is_free(rows: Iterable[UsageRow]) -> bool:
    return not any(row.cost or row.cost_unknown for row in rows)
