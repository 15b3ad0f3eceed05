"""How many bytes the ledger takes in PostgreSQL."""

from orchestra_core.storage.store import Connection

# Of the newest rows: what rows are like now.
_SAMPLE = 500
# A row's entries in the indexes and its share of what is left free in pages.
_AROUND_ROW = 250


def on_disk(connection: Connection) -> int:
    """All tables and indexes; of removed rows the space stays and is used again."""
    found = connection.execute(
        "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
        " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    )
    return int(found.fetchone()[0])


def used(connection: Connection) -> int:
    """What the rows there are take, about: the files do not shrink when rows are removed, so they cannot tell."""
    found = connection.execute(
        f"WITH newest AS (SELECT r, r.id FROM requests AS r ORDER BY seq DESC LIMIT {_SAMPLE})"
        " SELECT coalesce(avg(pg_column_size(r) + coalesce(pg_column_size(d), 0)"
        " + coalesce(pg_column_size(t), 0)), 0)::bigint FROM newest"
        " LEFT JOIN decisions AS d ON d.request_id = newest.id"
        " LEFT JOIN texts AS t ON t.request_id = newest.id"
    )
    of_one = int(found.fetchone()[0]) + _AROUND_ROW
    rows = connection.execute("SELECT coalesce(max(seq) - min(seq) + 1, 0) FROM requests").fetchone()[0]
    sums = "SELECT pg_total_relation_size('usage') + pg_total_relation_size('usage_latency')"
    return int(rows) * of_one + int(connection.execute(sums).fetchone()[0])
