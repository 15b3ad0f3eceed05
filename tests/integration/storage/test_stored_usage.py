"""Sums of the ledger against a reckoning in Python, wherever a row is: in a sum, in a block, or in none yet."""

import random
from collections.abc import Iterator, Sequence
from datetime import date

import pytest

from orchestra_core.accounting.usage import (
    CUBES,
    FAILURES,
    OTHER,
    TIMED,
    By,
    Compared,
    UsageQuery,
    UsageRow,
    bucket,
    summed,
)
from orchestra_core.domain.outcome import Verdict
from orchestra_core.storage import rollups
from orchestra_core.storage.opening import store_at
from orchestra_core.storage.queries import Queries
from orchestra_core.storage.rollups import fold
from orchestra_core.storage.store import Entry, Row, Store
from orchestra_core.storage.sums import Unanswerable
from orchestra_core.storage.tables import RequestRow
from tests.integration.storage.ledgers import Place, request

FIRST = date(2026, 3, 1).toordinal()
DAYS = 150
FIELD = {name: number for number, name in enumerate(RequestRow.model_fields)}
COLUMN = {By.MODEL: "model_served", By.TASK: "task", By.KEY: "key", By.BACKEND: "backend"}
COLUMN |= {By.TIER_ASKED: "tier_asked", By.TIER_SERVED: "tier_served", By.DAY: "day"}


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    made = store_at(place.url).store
    made.open(0.0)
    yield made
    made.close()


@pytest.fixture
def queries(place: Place) -> Iterator[Queries]:
    made = Queries(store_at(place.url).reader)
    yield made
    made.close()


def rows(count: int, rng: random.Random, begin: int = 0) -> list[Row]:
    """Of every sort; amounts are quarters, so that sums do not depend on their order."""

    def some(top: int) -> float:
        return rng.randrange(top) / 4

    return [
        request(
            begin + number,
            day=FIRST + rng.randrange(DAYS),
            model_served=rng.choice(["small", "large", "", None]),
            task=rng.choice(["chat", "code"]),
            key=rng.choice(["ann", "ben", ""]),
            backend=rng.choice(["box", "cloud", None]),
            tier_asked=rng.choice(["", "low", "high"]),
            tier_served=rng.choice(["low", "high"]),
            verdict=rng.choice([*(verdict.value for verdict in Verdict), "success", "never heard of"]),
            attempts=rng.randrange(3),
            degraded=rng.randrange(2),
            cache=rng.choice(["", "hit", "shared"]),
            saved=rng.choice([None, some(9)]),
            tokens_in=rng.choice([0, rng.randrange(10**11)]),
            tokens_out=rng.choice([0, rng.randrange(500)]),
            tokens_cached=rng.randrange(5),
            tokens_estimated=rng.randrange(2),
            cost=rng.choice([None, 0.0, some(400)]),
            cost_best=rng.choice([None, some(900)]),
            cost_first=rng.choice([None, some(900)]),
            total_ms=some(4 * 10 ** rng.randrange(8)),
            queued_ms=rng.choice([None, some(40)]),
            loading_ms=some(40),
            first_token_ms=rng.choice([None, some(4000)]),
        )
        for number in range(count)
    ]


def reckoned(every: Sequence[Row], query: UsageQuery) -> list[UsageRow]:
    """What the answer must be."""

    def value(row: Row, by: By) -> str:
        found = row[FIELD[COLUMN[by]]]
        return date.fromordinal(int(str(found))).isoformat() if by is By.DAY else str(found or "")

    def asked(row: Row) -> bool:
        day = int(str(row[FIELD["day"]]))
        return (
            (query.since is None or day >= query.since)
            and (query.until is None or day <= query.until)
            and all(value(row, by) == wanted for by, wanted in query.where.items())
        )

    groups: dict[tuple[str, ...], list[UsageRow]] = {}
    timed = query.cube in TIMED
    for row in filter(asked, every):
        groups.setdefault(tuple(value(row, by) for by in query.by), []).append(single(row, timed=timed))
    found = [with_names(names, summed(group)) for names, group in groups.items()]
    return sorted(found, key=lambda row: (0 if By.DAY in query.by else -row.requests, row.names))


def with_names(names: tuple[str, ...], row: UsageRow) -> UsageRow:
    return UsageRow(**{**{name: getattr(row, name) for name in row.__struct_fields__}, "names": names})


def single(row: Row, *, timed: bool) -> UsageRow:
    """The sums over one request."""
    one = {name: row[number] for name, number in FIELD.items()}
    verdict, cost, cache = str(one["verdict"]), one["cost"], one["cache"] != ""
    group = next((name for name, members in FAILURES.items() if verdict in members), OTHER)
    good = verdict == "success"
    queued = one["queued_ms"] or 0.0

    def compared(name: str) -> Compared:
        other = one[name]
        return Compared(1, cost, other) if cost is not None and other is not None else Compared()

    return UsageRow(
        requests=1,
        successes=int(good),
        failures={} if good else {group: 1},
        fallbacks=int(one["attempts"] > 1),
        degraded=one["degraded"],
        cache_hits=int(cache),
        tokens_in=one["tokens_in"],
        tokens_out=one["tokens_out"],
        tokens_cached=one["tokens_cached"],
        estimated=one["tokens_estimated"],
        cost=cost or 0.0,
        cost_unknown=int(cost is None and one["tokens_in"] + one["tokens_out"] > 0),
        saved=one["saved"] or 0.0,
        saved_unknown=int(cache and one["saved"] is None),
        best=compared("cost_best"),
        first=compared("cost_first"),
        total_ms=one["total_ms"],
        queued_ms=queued,
        loading_ms=one["loading_ms"],
        serving_ms=one["total_ms"] - queued if one["tokens_out"] else 0.0,
        total={bucket(one["total_ms"]): 1} if timed else {},
        first_token={bucket(one["first_token_ms"]): 1} if timed and one["first_token_ms"] is not None else {},
    )


def questions(rng: random.Random) -> Iterator[UsageQuery]:
    """Every way of asking: each set of columns whole, by days, between days, and with a part of it as a filter."""
    for cube in CUBES:
        by = tuple(sorted(cube))
        yield UsageQuery(by)
        yield UsageQuery((*by, By.DAY), since=FIRST + 100)
        first = FIRST + rng.randrange(DAYS)
        yield UsageQuery(by, since=first, until=first + rng.randrange(DAYS))
        yield UsageQuery(by[1:], where=dict.fromkeys(by[:1], "low"))
        yield UsageQuery(by[:1], where=dict.fromkeys(by[1:], "small"))
    yield UsageQuery((By.MODEL,), where={By.DAY: date.fromordinal(FIRST + 3).isoformat()})
    yield UsageQuery((By.TASK,), since=FIRST + DAYS)
    yield UsageQuery((By.TASK,), until=FIRST - 1)


def test_sums_are_exact_wherever_the_rows_are(store: Store, queries: Queries) -> None:
    """Before anything was summed, half way, all of it in blocks, and with late rows for days that were over."""
    rng = random.Random(5)
    every: list[Row] = []
    for number, steps in enumerate((0, 1, 60, 0, 60)):
        more = rows(120, rng, number * 1000)
        store.write([Entry(row) for row in more])
        every += more
        for _ in range(steps):
            store.upkeep(0.0)
        for query in rng.sample(list(questions(rng)), 20):
            assert queries.usage(query) == reckoned(every, query), query


def test_a_row_is_summed_once_and_in_small_steps(store: Store, queries: Queries, place: Place) -> None:
    """However often it is done, and whatever is undone in between; nothing is left to do in the end."""
    rng = random.Random(6)
    every = rows(300, rng)
    store.write([Entry(row) for row in every])

    def broken(connection: object) -> None:
        assert fold(connection, 50) == 50  # type: ignore[arg-type]  # SQLite's own connection
        raise KeyError

    with pytest.raises(KeyError):
        store.run(broken)
    assert store.run(lambda connection: [fold(connection, 120) for _ in range(4)]) == [120, 120, 60, 0]
    store.write([Entry(row) for row in every])
    while store.upkeep(0.0):
        pass
    assert place.rows(f"SELECT sum(requests) {rollups.DAYS}") == [(300,)]
    assert place.count("usage_blocks") > 2
    assert queries.usage(UsageQuery()) == reckoned(every, UsageQuery())


def test_what_was_not_summed_is_refused(store: Store, queries: Queries) -> None:
    """The error names the columns; it is no empty answer."""
    store.write([Entry(request(1))])
    with pytest.raises(Unanswerable, match="backend and key"):
        queries.usage(UsageQuery((By.KEY,), where={By.BACKEND: "box"}))


def test_nothing_was_used(place: Place, store: Store, queries: Queries) -> None:
    """Neither in a database that was never written nor in an empty one."""
    fresh = Queries(store_at(place.url + "x" if place.url.startswith("sqlite") else place.url).reader)
    for one in (queries, fresh):
        assert one.usage(UsageQuery()) == []
        assert one.usage(UsageQuery((By.DAY, By.MODEL))) == []
        assert one.spent(FIRST) == 0.0
    fresh.close()


def test_what_was_spent_is_known_by_scope(store: Store, queries: Queries) -> None:
    """From a day on, of all and of one key; what is unknown counts as nothing."""
    known = [("ann", 1.5, 0), ("ann", None, 1), ("ben", 2.0, 1), ("ann", 4.0, 2), ("ann", 0.25, 1)]
    entries = [
        Entry(request(n, key=key, cost=cost, day=FIRST + day)) for n, (key, cost, day) in enumerate(known)
    ]
    store.write(entries[:2])
    store.upkeep(0.0)
    store.write(entries[2:])
    assert queries.spent(FIRST) == 7.75
    assert queries.spent(FIRST + 1) == 6.25
    assert queries.spent(FIRST, FIRST + 1, {By.KEY: "ann"}) == 1.75
