"""What is too old or too much goes, with all that belongs to it and in small steps; sums stay."""

import random
from collections.abc import Iterator

import pytest

from orchestra_core.accounting.usage import By, UsageQuery
from orchestra_core.storage.opening import store_at
from orchestra_core.storage.queries import Queries
from orchestra_core.storage.retention import STEP_ROWS, Retention, prune
from orchestra_core.storage.store import Entry, Store
from tests.integration.storage.ledgers import Place, attempt, request

DAY = 86_400.0
NOW = 1_800_000_000.0
TABLES = ("requests", "attempts", "decisions", "texts")


def written(store: Store, ages: list[float]) -> None:
    """A request of each age in days, with everything a request can have."""
    store.write(
        [
            Entry(
                request(number, at=NOW - age * DAY, day=740_000 - int(age)),
                [attempt(number, n) for n in (1, 2)],
                random.Random(number).randbytes(200),
                "question",
            )
            for number, age in enumerate(ages)
        ]
    )


def kept_up(store: Store) -> list[bool]:
    """What each step said, until there is no more to do."""
    said = []
    while not said or said[-1]:
        said.append(store.upkeep(NOW))
    return said


@pytest.fixture
def queries(place: Place) -> Iterator[Queries]:
    made = Queries(store_at(place.url).reader)
    yield made
    made.close()


def test_what_is_too_old_goes(place: Place, queries: Queries) -> None:
    """Requests with their attempts, decisions and texts; of the sums nothing."""
    store = store_at(place.url, retention=Retention(days=30.0)).store
    store.open(0.0)
    ages = [float(age) for age in range(60)]
    written(store, ages)
    kept_up(store)
    assert [place.count(table) for table in TABLES] == [31, 62, 31, 31]
    (row,) = queries.usage(UsageQuery())
    assert (row.requests, row.cost) == (60, 30.0)
    assert len(queries.usage(UsageQuery((By.DAY,)))) == 60
    store.close()


def test_many_go_in_small_steps(place: Place) -> None:
    """A step removes some hundred, so that whoever has something to write does not wait long."""
    store = store_at(place.url, retention=Retention(days=1.0)).store
    store.open(0.0)
    written(store, [5.0] * (2 * STEP_ROWS + 100) + [0.0])
    counts = []
    while store.upkeep(NOW):
        counts.append(place.count())
    assert counts[-2:] == [STEP_ROWS + 101, 101]
    assert place.count() == 1
    store.close()


def test_nothing_goes_that_is_in_no_sum(place: Place, queries: Queries) -> None:
    """A request that comes late, and is too old already, is summed before it is removed."""
    store = store_at(place.url, retention=Retention(days=1.0)).store
    store.open(0.0)
    written(store, [5.0, 0.0])
    assert not store.run(lambda connection: prune(connection, Retention(days=1.0), NOW, lambda: 0))
    assert place.count() == 2
    kept_up(store)
    store.write([Entry(request(7, at=NOW - 9 * DAY, day=739_991))])
    kept_up(store)
    assert place.count() == 1
    assert queries.usage(UsageQuery())[0].requests == 3
    store.close()


def test_the_oldest_go_when_it_is_too_much(place: Place, queries: Queries) -> None:
    """As many as it takes for the rest to fit, and no more; the numbers of rows go on where they were."""
    store = store_at(place.url).store
    store.open(0.0)
    written(store, [100.0 - number / 100 for number in range(6000)])
    kept_up(store)
    store.close()
    limit = 3_000_000
    store = store_at(place.url, retention=Retention(max_bytes=limit)).store
    store.open(0.0)
    assert kept_up(store)[-1] is False
    left = place.count()
    assert STEP_ROWS <= left < 5000
    assert place.rows("SELECT min(id), max(id) FROM requests") == [(f"req-{6000 - left:08d}", "req-00005999")]
    assert kept_up(store) == [False]
    assert place.count() == left
    store.close()
    gone = store_at(place.url, retention=Retention(max_bytes=1)).store
    gone.open(0.0)
    kept_up(gone)
    assert place.count() == 0
    gone.write([Entry(request(9000))])
    kept_up(gone)
    assert queries.usage(UsageQuery())[0].requests == 6001
    gone.close()


def test_the_size_is_told(place: Place, queries: Queries) -> None:
    """Of everything, as it is on the disk."""
    store = store_at(place.url).store
    store.open(0.0)
    before = queries.size()
    written(store, [1.0] * 3000)
    assert queries.size() > before + 1_000_000
    store.close()
