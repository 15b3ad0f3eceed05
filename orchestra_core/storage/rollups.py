"""Sums of requests by day, made in the database from the rows that are newer than a watermark, each row once.

rows above the watermark -> the table `fresh`, by everything, which alone reads rows -> `fine`, by what each statement
needs -> the cubes of accounting/usage.py, each from the smallest that holds its columns -> added to what `usage` and
`usage_latency` have, and the watermark moved, in one transaction. What is summed (a cube and its values) has a number
in `usage_names`: the sums of one name are side by side, day by day.

A day's sums are also added up over blocks of 4, 16, 64 and 256 days when a block is over, so that a question about a
year reads a dozen rows instead of 365. A row that comes late removes the blocks of its day; they are made again.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from orchestra_core.accounting.usage import BOUNDS, CUBES, FAILURES, OTHER, TIMED, By
from orchestra_core.storage.store import Connection

# Where each of the columns comes from that sums are told apart by; "" is no value.
COLUMNS: dict[By, str] = {
    By.MODEL: "coalesce(model_served, '')",
    By.TASK: "task",
    By.KEY: "key",
    By.BACKEND: "coalesce(backend, '')",
    By.TIER_ASKED: "tier_asked",
    By.TIER_SERVED: "tier_served",
}
# Days per block, each a multiple of the one before; the first is the day itself.
SPANS = (1, 4, 16, 64, 256)
# Rows of one step: some tens of milliseconds in which nothing else is written.
STEP_ROWS = 4096
# Of what latencies are kept: the number it is known by, and where it is from.
LATENCIES = {"total": (0, "total_ms"), "first_token": (1, "first_token_ms")}


def _count(condition: str) -> str:
    return f"sum(CASE WHEN {condition} THEN 1 ELSE 0 END)"


def _over(condition: str, value: str) -> str:
    return f"sum(CASE WHEN {condition} THEN {value} ELSE 0.0 END)"


def _verdicts() -> dict[str, str]:
    named = {f"failed_{name}": verdicts for name, verdicts in FAILURES.items()}
    known = ("success", *(verdict for verdicts in FAILURES.values() for verdict in verdicts))
    failed = {name: f"verdict IN {_listed(verdicts)}" for name, verdicts in named.items()}
    return {
        "successes": "verdict = 'success'",
        **failed,
        f"failed_{OTHER}": f"verdict NOT IN {_listed(known)}",
    }


def _listed(values: tuple[str, ...]) -> str:
    return "({})".format(", ".join(f"'{value}'" for value in values))


# Conditions on the verdict alone.
_VERDICTS = _verdicts()
_BEST = "cost IS NOT NULL AND cost_best IS NOT NULL"
_FIRST = "cost IS NOT NULL AND cost_first IS NOT NULL"
COUNTS: dict[str, str] = {
    "requests": "count(*)",
    **{name: _count(condition) for name, condition in _VERDICTS.items()},
    "fallbacks": _count("attempts > 1"),
    "degraded": "sum(degraded)",
    "cache_hits": _count("cache <> ''"),
    "tokens_in": "sum(tokens_in)",
    "tokens_out": "sum(tokens_out)",
    "tokens_cached": "sum(tokens_cached)",
    "estimated": "sum(tokens_estimated)",
    "cost_unknown": _count("cost IS NULL AND tokens_in + tokens_out > 0"),
    "saved_unknown": _count("saved IS NULL AND cache <> ''"),
    "best_requests": _count(_BEST),
    "first_requests": _count(_FIRST),
}
AMOUNTS: dict[str, str] = {
    "cost": "sum(coalesce(cost, 0.0))",
    "saved": "sum(coalesce(saved, 0.0))",
    "best_paid": _over(_BEST, "cost"),
    "best_other": _over(_BEST, "cost_best"),
    "first_paid": _over(_FIRST, "cost"),
    "first_other": _over(_FIRST, "cost_first"),
    "total_ms": "sum(total_ms)",
    "queued_ms": "sum(coalesce(queued_ms, 0.0))",
    "loading_ms": "sum(loading_ms)",
    "serving_ms": _over("tokens_out > 0", "total_ms - coalesce(queued_ms, 0.0)"),
}
SUMS = {**COUNTS, **AMOUNTS}


def bucket_of(column: str, low: int = 0, high: int = len(BOUNDS)) -> str:
    """SQL for the bucket of a duration: the number of bounds below it, found by halving."""
    if low == high:
        return str(low)
    middle = (low + high) // 2
    smaller, greater = bucket_of(column, low, middle), bucket_of(column, middle + 1, high)
    return f"CASE WHEN {column} <= {BOUNDS[middle]!r} THEN {smaller} ELSE {greater} END"


def name_of(cube: frozenset[By]) -> str:
    """How a cube is called in the tables."""
    return " ".join(column.value for column in COLUMNS if column in cube)


def total(name: str) -> str:
    """The sum of a column that is a sum already; PostgreSQL makes a decimal of the sum of whole numbers."""
    return f"CAST(sum({name}) AS BIGINT)" if name in COUNTS else f"sum({name})"


def _parents(cubes: Sequence[frozenset[By]]) -> Iterator[tuple[str, frozenset[By], str]]:
    """Each cube with the name of what it is made from, in an order in which that is there already."""
    done: dict[frozenset[By], str] = {frozenset(COLUMNS): "fine"}
    for number, cube in enumerate(sorted(cubes, key=len, reverse=True)):
        parent = min((known for known in done if cube < known), key=len)
        yield f"cube{number}", cube, done[parent]
        done[cube] = f"cube{number}"


def _names() -> list[str]:
    return [column.value for column in COLUMNS]


def _shown(cube: frozenset[By]) -> list[str]:
    """Every column, "" for those that a cube does not tell apart."""
    return [f"'{name_of(cube)}' AS cube", *(c.value if c in cube else f"'' AS {c.value}" for c in COLUMNS)]


def _fresh(rows: str) -> str:
    """By all that differs; the bucket first, because what differs most tells two rows apart soonest."""
    named = {column.value: source for column, source in COLUMNS.items()}
    buckets = {f"{kind}_bucket": _bucket_or_none(column) for kind, (_, column) in LATENCIES.items()}
    keys = {**buckets, "day": "day", **named, "verdict": "verdict"}
    # Asked of a group instead of each of its rows, they cost a fifth less of all this (measured).
    alike = {name: f"CASE WHEN {condition} THEN count(*) ELSE 0 END" for name, condition in _VERDICTS.items()}
    made = [f"{sql} AS {name}" for name, sql in (keys | SUMS | alike).items()]
    return f"SELECT {', '.join(made)} FROM requests WHERE {rows} GROUP BY {', '.join(keys.values())}"


def _bucket_or_none(column: str) -> str:
    return f"CASE WHEN {column} IS NOT NULL THEN {bucket_of(column)} END"


def _new_names() -> str:
    fine = f"SELECT DISTINCT {', '.join(_names())} FROM fresh"
    every = " UNION ".join(f"SELECT {', '.join(_shown(cube))} FROM fine" for cube in CUBES)
    columns = ", ".join(["cube", *_names()])
    return (
        f"WITH fine AS ({fine}) INSERT INTO usage_names ({columns})"
        f" SELECT {columns} FROM ({every}) AS every WHERE true ON CONFLICT DO NOTHING"
    )


def _adding(
    table: str, cubes: Sequence[frozenset[By]], fine: str, extra: tuple[str, ...], sums: dict[str, str]
) -> str:
    """Adds rows of `fine` to the sums of `table`, which has `extra` keys besides the name and the day."""
    parts, wholes = [f"fine AS ({fine})"], []
    for name, cube, parent in _parents(cubes):
        kept = [*extra, "day", *(column.value for column in COLUMNS if column in cube)]
        parts.append(
            f"{name} AS (SELECT {', '.join([*kept, *sums.values()])} FROM {parent} GROUP BY {', '.join(kept)})"
        )
        wholes.append(f"SELECT {', '.join([*_shown(cube), 'day', *extra, *sums])} FROM {name}")
    keys = ["name", "span", "day", *extra]
    same = " AND ".join(f"n.{column} = every.{column}" for column in ("cube", *_names()))
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in sums)
    # Named one by one, in this order: the names are looked up for the sums, which are few, not the other way.
    return (
        f"WITH {', '.join(parts)} INSERT INTO {table} ({', '.join([*keys, *sums])})"
        f" SELECT n.id, 1, day, {', '.join([*extra, *sums])}"
        f" FROM ({' UNION ALL '.join(wholes)}) AS every CROSS JOIN usage_names AS n WHERE {same}"
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {added}"
    )


def _usage() -> str:
    keys, added = ["day", *_names()], {name: f"{total(name)} AS {name}" for name in SUMS}
    fine = f"SELECT {', '.join([*keys, *added.values()])} FROM fresh GROUP BY {', '.join(keys)}"
    return _adding("usage", CUBES, fine, (), added)


def _latency(kind: str) -> str:
    timed = [column.value for column in COLUMNS if any(column in cube for cube in TIMED)]
    keys, sums = ["bucket", "kind", "day", *timed], {"requests": f"{total('requests')} AS requests"}
    named = [f"{kind}_bucket AS bucket", f"{LATENCIES[kind][0]} AS kind", "day", *timed, "requests"]
    whole = f"SELECT {', '.join(named)} FROM fresh WHERE {kind}_bucket IS NOT NULL"
    fine = f"SELECT {', '.join([*keys, *sums.values()])} FROM ({whole}) AS whole GROUP BY {', '.join(keys)}"
    return _adding("usage_latency", TIMED, fine, ("bucket", "kind"), sums)


_MAKE = f"CREATE TEMPORARY TABLE IF NOT EXISTS fresh AS {_fresh('1 = 0')}"
_FILL = f"INSERT INTO fresh {_fresh('seq > ? AND seq <= ?')}"
_FOLD = (_new_names(), _usage(), *map(_latency, LATENCIES))
_TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "usage": ((), tuple(SUMS)),
    "usage_latency": (("kind", "bucket"), ("requests",)),
}
# The sums of everything: one row a day.
DAYS = "FROM usage WHERE name = (SELECT id FROM usage_names WHERE cube = '') AND span = 1"


def watermark(connection: Connection) -> int:
    """The number of the last row that is in the sums."""
    return int(connection.execute("SELECT seq FROM progress WHERE name = 'usage'").fetchone()[0])


def fold(connection: Connection, limit: int = STEP_ROWS) -> int:
    """Adds at most so many of the rows that are in no sum yet; how many it were. Inside a transaction.

    The update comes first: of two engines that do this at once, one waits for the other to commit.
    """
    connection.execute("UPDATE progress SET seq = seq WHERE name = 'usage'")
    done = watermark(connection)
    newer = "SELECT seq FROM requests WHERE seq > ? ORDER BY seq LIMIT ?"
    last = connection.execute(f"SELECT max(seq) FROM ({newer}) AS newer", (done, limit)).fetchone()[0]
    if last is None:
        return 0
    connection.execute(_MAKE)
    connection.execute(_FILL, (done, last))
    for statement in _FOLD:
        connection.execute(statement)
    _forget_blocks(connection)
    rows = connection.execute(f"SELECT {total('requests')} FROM fresh").fetchone()[0]
    connection.execute("DELETE FROM fresh")
    connection.execute("UPDATE progress SET seq = ? WHERE name = 'usage'", (last,))
    return int(rows)


def _forget_blocks(connection: Connection) -> None:
    """Those of days that there is more of now. Nearly always there is no block of days so young."""
    touched = connection.execute(
        "SELECT span, day FROM usage_blocks AS b"
        " WHERE day + span > (SELECT min(day) FROM fresh) AND day <= (SELECT max(day) FROM fresh)"
        " AND EXISTS (SELECT 1 FROM fresh WHERE fresh.day BETWEEN b.day AND b.day + b.span - 1)"
    ).fetchall()
    for block in touched:
        for table, (extra, _) in _TABLES.items():
            connection.execute(
                f"DELETE FROM {table} WHERE name IN (SELECT id FROM usage_names)"
                f" AND {_kinds(extra)} span = ? AND day = ?",
                block,
            )
        connection.execute("DELETE FROM usage_blocks WHERE span = ? AND day = ?", block)


def add_block(connection: Connection) -> bool:
    """Adds up one block of days that are over, the smaller ones first; False if there is none to do."""
    newest = connection.execute(f"SELECT max(day) {DAYS}").fetchone()[0]
    if newest is None:
        return False
    for part, span in pairwise(SPANS):
        # Over since a day at least: what began before midnight may end, and be stored, long after it.
        first = f"day / {span} * {span}"
        found = connection.execute(
            f"SELECT min({first}) {DAYS} AND {first} + {span} < ?"
            f" AND {first} NOT IN (SELECT day FROM usage_blocks WHERE span = {span})",
            (newest,),
        ).fetchone()[0]
        if found is not None:
            _add_block(connection, part, span, int(found))
            return True
    return False


def _add_block(connection: Connection, part: int, span: int, day: int) -> None:
    for table, (extra, sums) in _TABLES.items():
        keys = ", ".join(["name", *extra])
        connection.execute(
            f"INSERT INTO {table} (span, day, {', '.join([keys, *sums])})"
            f" SELECT {span}, {day}, {keys}, {', '.join(total(name) for name in sums)}"
            f" FROM usage_names AS n CROSS JOIN {table} AS t"
            f" WHERE t.name = n.id AND span = {part} AND {_kinds(extra)} day >= ? AND day < ? GROUP BY {keys}",
            (day, day + span),
        )
    connection.execute("INSERT INTO usage_blocks (span, day) VALUES (?, ?)", (span, day))


def _kinds(extra: tuple[str, ...]) -> str:
    """So that the days are found by the key of the table."""
    return f"kind IN {tuple(kind for kind, _ in LATENCIES.values())} AND" if extra else ""
