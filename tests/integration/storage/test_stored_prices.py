"""Prices in the database: what was known when, in SQLite and in PostgreSQL."""

from collections.abc import Iterator

import pytest

from orchestra_core.domain.price import Price, Source
from orchestra_core.storage import prices as table
from orchestra_core.storage.opening import store_at
from orchestra_core.storage.store import Store
from tests.integration.storage.ledgers import Place

LISTED = Price(
    0.1, 2.0, 0.01, request=0.005, above=((200_000, Price(0.2, 4.0)),), currency="EUR", source=Source.PUBLISHED,
    since=1_750_000_000.0, origin="a list, m",
)  # fmt: skip
OURS = Price(second=0.001)


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    made = store_at(place.url).store
    made.open(0.0)
    yield made
    made.close()


def test_a_price_comes_back_as_it_was(store: Store) -> None:
    """With every part of it, in the order of time, and unknown where it was unknown."""
    rows = [("b/m", 10.0, LISTED), ("b/m", 20.5, None), ("c/m", 5.0, OURS)]
    store.run(lambda connection: table.insert(connection, rows))
    store.run(lambda connection: table.insert(connection, [("b/m", 30.0, OURS)]))
    found = store.run(lambda connection: table.history(connection, "b/m"))
    assert found == [(10.0, LISTED), (20.5, None), (30.0, OURS)]
    assert found[0][1] is not None
    assert found[0][1].plain is False
    assert store.run(table.latest) == {"b/m": OURS, "c/m": OURS}
    assert store.run(lambda connection: table.history(connection, "x/m")) == []


def test_the_last_word_of_a_moment_wins(store: Store) -> None:
    """Writing the same again, as after a commit whose answer was lost, changes nothing."""
    for price in (LISTED, OURS, OURS):
        store.run(lambda connection, price=price: table.insert(connection, [("b/m", 1.0, price)]))
    assert store.run(lambda connection: table.history(connection, "b/m")) == [(1.0, OURS)]
    store.run(lambda connection: table.insert(connection, []))
    store.run(lambda connection: table.insert(connection, [("b/m", 2.0, None)]))
    assert store.run(table.latest) == {"b/m": None}
