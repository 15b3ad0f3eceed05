"""PostgreSQL that stops, comes back, is shared, is not there, or is not what it should be."""

import signal
import threading
from pathlib import Path

import pytest

from orchestra_core.storage.failures import StoreError, StoreUnavailable, StoreUnusable
from orchestra_core.storage.ledger import Ledger
from orchestra_core.storage.opening import store_at
from orchestra_core.storage.postgres.migrations import WRITING
from orchestra_core.storage.queries import Queries
from orchestra_core.storage.store import Entry, Store
from tests.fakes.postgres_server import PostgresServer
from tests.integration.storage.ledgers import PATIENCE, QUICK, Problems, request, run

WITHOUT_DRIVER = """
import sys
sys.modules["psycopg"] = None
from orchestra_core.storage.failures import StoreError
from orchestra_core.storage.opening import store_at
try:
    store_at("postgresql://db/orchestra")
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGQUIT], ids=["orderly", "at once"])
async def test_stopped_and_started_under_load_it_loses_nothing(
    postgres: PostgresServer, tmp_path: Path, sign: signal.Signals
) -> None:
    """Requests go on and are recorded meanwhile; every one is there once, and the operator is told both times."""
    problems, url = Problems(), postgres.database()
    ledger = Ledger(url, on_problem=problems, policy=QUICK, journal=tmp_path / "journal")
    ledger.open()
    recorded, going = 0, threading.Event()

    def load() -> None:
        nonlocal recorded
        while not going.wait(0.0005):
            ledger.record(request(recorded))
            recorded += 1

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for _ in range(3):
            assert ledger.wait_settled(ledger.stats().written + 100, PATIENCE)
            problems.said.clear()
            postgres.stop(sign)
            problems.wait(lambda text: url.partition("@/")[2].partition("?")[0] in text)
            postgres.start()
            problems.wait(lambda text: text == "")
    finally:
        going.set()
        thread.join()
        if not postgres.running:
            postgres.start()
    assert ledger.flush(PATIENCE)
    assert ledger.stats().dropped == 0
    with postgres.connect(url) as outside:
        ids = outside.execute("SELECT id FROM ai_orchestra.requests ORDER BY id").fetchall()
    assert ids == [(request(number)[0],) for number in range(recorded)]
    await ledger.close()


async def test_an_engine_starts_before_its_database(postgres: PostgresServer, tmp_path: Path) -> None:
    """Nobody waits for it: what is recorded is stored when it comes."""
    url = postgres.database()
    postgres.stop()
    problems = Problems()
    ledger = Ledger(url, on_problem=problems, policy=QUICK, journal=tmp_path / "journal")
    try:
        ledger.open()
        ledger.record(request(1))
        problems.wait(bool)
    finally:
        postgres.start()
    assert ledger.flush(PATIENCE)
    assert [row.id for row in ledger.recent()] == ["req-00000001"]
    await ledger.close()


def test_readers_come_back_too(postgres: PostgresServer) -> None:
    """A connection that was kept and is dead is made anew without a word."""
    url = postgres.database()
    store, reader = store_at(url)
    store.open(0.0)
    store.write([Entry(request(1))])
    queries = Queries(reader)
    assert len(queries.recent()) == 1
    postgres.stop()
    try:
        with pytest.raises(StoreUnavailable):
            queries.recent()
    finally:
        postgres.start()
    assert len(queries.recent()) == 1
    postgres.stop()
    postgres.start()
    assert len(queries.recent()) == 1
    queries.close()
    store.close()


def test_rows_are_numbered_in_the_order_of_commits(postgres: PostgresServer) -> None:
    """Who writes while another has not committed waits for that: what is summed up to a number is complete."""
    url = postgres.database()
    store = store_at(url).store
    store.open(0.0)
    written = threading.Event()

    def write() -> None:
        store.write([Entry(request(2))])
        written.set()

    with postgres.connect(url) as other, postgres.connect(url) as looking:
        thread = threading.Thread(target=write)
        with other.transaction():
            other.execute("SELECT pg_advisory_xact_lock(%s)", (WRITING,))
            thread.start()
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while looking.execute(waiting).fetchone() != (1,):
                assert not written.is_set()
        thread.join(PATIENCE)
    assert written.is_set()
    store.close()


def refused(url: str, kind: type[StoreError]) -> str:
    store = store_at(url).store
    with pytest.raises(kind) as caught:
        opened(store)
    assert type(caught.value) is kind
    assert "hunter2" not in caught.value.message
    return caught.value.message


def opened(store: Store) -> None:
    try:
        store.check()
        store.open(0.0)
    finally:
        store.close()


def test_what_is_wrong_with_it_is_said(postgres: PostgresServer) -> None:
    """Nobody listens, there is no such database, it cannot hold every text; never with the password."""
    assert "127.0.0.1:1/x" in refused("postgresql://u:hunter2@127.0.0.1:1/x", StoreUnavailable)
    there = postgres.url("nothing").replace("orchestra@", "orchestra:hunter2@")
    assert '"nothing" does not exist' in refused(there, StoreUnavailable)
    assert "create it with UTF8" in refused(postgres.database("SQL_ASCII"), StoreUnusable)


def test_one_who_may_not_make_tables_is_told(postgres: PostgresServer) -> None:
    """A matter of rights is no reason to try again for ever without a word."""
    url = postgres.database()
    with postgres.connect(url) as outside:
        outside.execute("DROP ROLE IF EXISTS guest")
        outside.execute("CREATE ROLE guest LOGIN")
    assert "permission denied" in refused(url.replace("orchestra@", "guest@"), StoreUnusable)


def test_without_the_driver_the_extra_is_named(tmp_path: Path) -> None:
    """The error says what to install."""
    done = run(WITHOUT_DRIVER, tmp_path / "x")
    assert "pip install 'ai-orchestra[postgres]'" in done.stdout, done.stderr


def test_nothing_temporary_is_kept_in_a_connection(postgres: PostgresServer) -> None:
    """What sums are made in is dropped each time: the server never vacuums it, so it would grow for ever."""
    store = store_at(postgres.database()).store
    store.open(0.0)
    try:
        store.write([Entry(request(number)) for number in range(3)])
        store.upkeep(0.0)
        assert store.run(lambda link: link.execute("SELECT sum(requests) FROM usage").fetchone()[0]) > 3
        found = "SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND pg_table_is_visible(oid)"
        assert store.run(lambda link: link.execute(found).fetchone()) == (0,)
    finally:
        store.close()
