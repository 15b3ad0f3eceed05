"""The store as the journal uses it, on SQLite and on PostgreSQL: groups with the mark of where they came from."""

import re
from collections.abc import Iterator

import pytest

from orchestra_core.storage import keys
from orchestra_core.storage.failures import RowFault, StoreUnusable
from orchestra_core.storage.opening import store_at
from orchestra_core.storage.queries import Queries
from orchestra_core.storage.sqlite.rows import GROUP
from orchestra_core.storage.store import Entry, Mark, Row, Store
from orchestra_core.trust.keys import ApiKey
from tests.integration.storage.ledgers import Place, attempt, request, values

HERE = Mark("journal", 3, 4096)


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


def test_a_group_and_its_mark_are_stored_together(store: Store, place: Place) -> None:
    """Requests, attempts, decisions and texts are there, the mark tells how far the journal was read."""
    entries = [
        Entry(request(n), [attempt(n)], b"why", f"question {n}" if n % 2 else None) for n in range(100)
    ]
    assert store.mark("journal") is None
    assert store.write(entries, HERE) == 100
    assert store.mark("journal") == HERE
    assert [place.count(table) for table in ("requests", "attempts", "decisions", "texts")] == [
        100,
        100,
        100,
        50,
    ]


def test_every_field_survives_the_way(store: Store, queries: Queries) -> None:
    """What is read of a request, its attempts, decision and texts is what was written."""
    row = request(1, attempts=2, cost=0.1 + 0.2, error="naïve 🎻 \"quoted\"\n'x' \\ %s ?", cost_best=1e-9)
    decision = bytes(range(256))
    store.write([Entry(row, [attempt(1, 1), attempt(1, 2)], decision, "Frage", "Antwort\n")])
    found = queries.recorded("req-00000001")
    assert found is not None
    assert values(found.request) == row
    assert [type(value) for value in values(found.request)] == [type(value) for value in row]
    assert [values(each) for each in found.attempts] == [attempt(1, 1), attempt(1, 2)]
    assert (found.decision, found.prompt, found.answer) == (decision, "Frage", "Antwort\n")
    assert queries.recorded("never") is None


def test_large_groups_are_stored_as_they_are(store: Store, queries: Queries) -> None:
    """Whatever their rows have in common: the same as the group before, another value, or none any more."""
    every: list[Row] = []
    for differs in ({}, {"tokens_in": 1}, {}, {"error": "lost", "tokens_in": 2}, {"model_asked": None}):
        rows = [request(len(every) + n, **(differs if n % 3 else {})) for n in range(2 * GROUP + 3)]
        assert store.write([Entry(row) for row in rows]) == len(rows)
        every += rows
    assert [values(row) for row in reversed(queries.recent(len(every)))] == every
    assert store.write([Entry(row) for row in every[:GROUP]]) == 0


def test_of_a_single_attempt_the_request_tells(store: Store, queries: Queries, place: Place) -> None:
    """`all_attempts` has one row per attempt, though a request with one has none in `attempts`."""
    row = request(1, queued_ms=100.0, first_token_ms=400.0, total_ms=1100.0, error=None)
    store.write([Entry(row), Entry(request(2, attempts=2), [attempt(2, 1), attempt(2, 2)])])
    found = queries.recorded("req-00000001")
    assert found is not None
    (only,) = found.attempts
    assert (only.n, only.endpoint, only.verdict, only.message) == (1, "stub/stub-model", "success", "")
    assert (only.seconds, only.first_token, only.cost) == pytest.approx((1.0, 0.3, 0.5))
    assert (place.count("attempts"), place.count("all_attempts")) == (2, 3)


def test_a_row_that_cannot_be_stored_leaves_the_mark_where_it_was(store: Store, place: Place) -> None:
    """The whole group is undone; one by one everything else is stored, and only then the mark moves."""
    entries = [Entry(request(1)), Entry(request(2), (), b"why", "\ud800"), Entry(request(3))]
    with pytest.raises(RowFault):
        store.write(entries, HERE)
    assert (store.mark("journal"), place.count()) == (None, 0)
    fresh, faults = store.write_each(entries, HERE)
    assert (fresh, len(faults), store.mark("journal")) == (2, 1, HERE)
    assert (place.count(), place.count("decisions")) == (2, 0)


@pytest.mark.parametrize(
    "bad",
    [
        request(5, error="\ud800"),
        request(5, tokens_in=2**70),
        request(5, surface=None),
        request(5, error=object()),
        request(5)[:-1],
        None,
    ],
)
def test_only_the_bad_row_is_left_out(store: Store, place: Place, bad: tuple[object, ...]) -> None:
    """Whatever is wrong with one, its neighbours are written and it is a reason."""
    entries = [Entry(request(1)), Entry(bad), Entry(request(2))]
    with pytest.raises(RowFault):
        store.write(entries)
    fresh, faults = store.write_each(entries)
    assert (fresh, len(faults), place.count()) == (2, 1, 2)


def test_a_zero_in_a_text_loses_no_request(store: Store, queries: Queries) -> None:
    """PostgreSQL has no such character; there another stands in its place."""
    entries = [Entry(request(1, model_asked="a\0b"), [attempt(1)], None, "x\0"), Entry(request(2))]
    try:
        fresh, faults = store.write(entries, HERE), []
    except RowFault:
        fresh, faults = store.write_each(entries, HERE)
    assert (fresh, faults) == (2, [])
    found = queries.recorded("req-00000001")
    assert found is not None
    assert re.fullmatch("a[\0\ufffd]b", str(found.request.model_asked))
    assert re.fullmatch("x[\0\ufffd]", str(found.prompt))


def test_what_is_written_again_is_not_new(store: Store, queries: Queries) -> None:
    """A journal that is folded in a second time adds nothing, and the first stays."""
    assert store.write([Entry(request(1), [attempt(1)], b"first")], HERE) == 1
    later = Mark("journal", 4, 0)
    twice = Entry(request(2))
    assert store.write([Entry(request(1), [attempt(1)], b"second"), twice, twice], later) == 1
    assert store.write_each([Entry(request(1)), Entry(request(3))], later) == (1, [])
    assert store.mark("journal") == later
    found = queries.recorded("req-00000001")
    assert found is not None
    assert found.decision == b"first"


def test_a_newer_schema_is_refused_and_untouched(store: Store, place: Place) -> None:
    """A database of a later version is not written to, neither at the start nor when it is met later."""
    store.close()
    place.outside.execute("INSERT INTO schema_version VALUES (99, 0)")
    fresh = store_at(place.url).store
    with pytest.raises(StoreUnusable, match="has schema 99, this version knows"):
        fresh.check()
    with pytest.raises(StoreUnusable, match="has schema 99"):
        fresh.open(0.0)
    fresh.close()


def test_two_begin_the_same_database(place: Place) -> None:
    """Whoever comes second finds the tables made."""
    first, second = store_at(place.url).store, store_at(place.url).store
    for store in (first, second, first):
        store.check()
        store.open(0.0)
    assert first.write([Entry(request(1))]) == 1
    assert second.write([Entry(request(1)), Entry(request(2))]) == 1
    first.close()
    second.close()


def test_keys_are_kept(store: Store, place: Place) -> None:
    """Made, used, revoked and read, through the store and without one; a name is no key twice."""
    assert keys.stored_keys(place.url) == []
    one = ApiKey("1", "ann", "digest", (), 5, None, created=1.0, expires=11.5)
    store.run(lambda connection: keys.insert(connection, one))
    with pytest.raises(RowFault):
        store.run(lambda connection: keys.insert(connection, one))
    store.run(lambda connection: keys.touch(connection, {"1": 7.0}))
    store.run(lambda connection: keys.touch(connection, {"1": 3.0}))
    assert store.run(lambda connection: keys.revoke(connection, "1", 9.0))
    assert not store.run(lambda connection: keys.revoke(connection, "2", 9.0))
    (found,) = keys.stored_keys(place.url)
    assert (found.name, found.requests_per_minute, found.last_used, found.revoked) == ("ann", 5, 7.0, 9.0)
    assert found.expires == 11.5
    assert store.run(keys.read) == [found]
    assert keys.KeyTable(place.url, 0.0).run(keys.read) == [found]
