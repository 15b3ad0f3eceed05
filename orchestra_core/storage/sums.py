"""Answers to questions about usage: the sums that were made, and the rows that are in none yet, in one moment."""

from collections.abc import Iterator
from datetime import date
from itertools import chain, groupby
from typing import Any, NamedTuple

from orchestra_core.accounting.usage import FAILURES, OTHER, TIMED, By, Compared, UsageQuery, UsageRow
from orchestra_core.storage.rollups import (
    COLUMNS,
    DAYS,
    LATENCIES,
    SPANS,
    SUMS,
    bucket_of,
    name_of,
    total,
    watermark,
)
from orchestra_core.storage.store import Connection

_FAILED = (*FAILURES, OTHER)
_ROWS = {**COLUMNS, By.DAY: "day"}
Names = tuple[str, ...]
Histogram = dict[int, int]


class Unanswerable(ValueError):
    """Nothing was summed that way; see CUBES in accounting/usage.py."""


class Part(NamedTuple):
    """Blocks of `span` days, the first of which begins on `first` and the last one on `last`."""

    span: int
    first: int
    last: int


def usage(connection: Connection, query: UsageQuery, *, latency: bool = True) -> list[UsageRow]:
    """One row for each combination that occurs: in order where days are told apart, else the most used first.

    Unanswerable where nothing was summed that way. `connection` must be reading one moment.
    """
    source = _Source(connection, query)
    histograms = {kind: source.histograms(kind) if latency else {} for kind in LATENCIES}
    found = [
        _row(names, sums, {kind: counts.get(names, {}) for kind, counts in histograms.items()}, query)
        for names, sums in source.sums()
    ]
    return sorted(found, key=lambda row: (0 if By.DAY in query.by else -row.requests, row.names))


class _Source:
    """Everything that a query is about, as SQL: parts of the sums, and the rows above the watermark."""

    def __init__(self, connection: Connection, query: UsageQuery) -> None:
        cube = query.cube
        if cube is None:
            raise Unanswerable(f"usage is not summed by {' and '.join(sorted(query.columns))} together")
        self._connection = connection
        self._since, self._until = _range(query)
        self._by = query.by
        self._where = [(by, value) for by, value in query.where.items() if by is not By.DAY]
        self._cube, self._timed = name_of(cube), cube in TIMED
        self._parts = list(self._covered())
        self._mark = watermark(connection)

    def _covered(self) -> Iterator[Part]:
        """The days asked for, in as few runs of blocks as can be; days themselves where they are told apart."""
        oldest, newest = self._connection.execute(f"SELECT min(day), max(day) {DAYS}").fetchone()
        if oldest is None:
            return iter(())
        first = oldest if self._since is None else max(oldest, self._since)
        last = newest if self._until is None else min(newest, self._until)
        made = set[tuple[int, int]]()
        if By.DAY not in self._by:
            made.update(self._connection.execute("SELECT span, day FROM usage_blocks").fetchall())
        return cover(first, last, made)

    def sums(self) -> Iterator[tuple[Names, dict[str, Any]]]:
        """Names and sums by the names of SUMS."""
        for row in self._ask("usage", SUMS):
            if row[-1] is not None:  # of no rows at all
                yield (
                    tuple(map(str, row[: len(self._by)])),
                    dict(zip(SUMS, row[len(self._by) :], strict=True)),
                )

    def histograms(self, kind: str) -> dict[Names, Histogram]:
        """Requests by bucket, for each combination of names."""
        (number, column), found = LATENCIES[kind], dict[Names, Histogram]()
        if not self._timed:
            return found
        conditions = (f"kind = {number}", f"{column} IS NOT NULL")
        for *names, at, requests in self._ask(
            "usage_latency", {"requests": "count(*)"}, conditions, bucket_of(column)
        ):
            found.setdefault(tuple(map(str, names)), {})[at] = requests
        return found

    def _ask(
        self,
        table: str,
        sums: dict[str, str],
        conditions: tuple[str, str] = ("1 = 1", "1 = 1"),
        bucket: str = "",
    ) -> list[Any]:
        """`conditions` on the table and on rows; `bucket` is how it is made of a row, a column of the table."""
        keys = [*(by.value for by in self._by), *(["bucket"] if bucket else [])]
        made = [*(_ROWS[by] for by in self._by), *([bucket] if bucket else [])]
        parts, stored, values = self._stored(table, keys, sums, conditions[0])
        rows = [f"{sql} AS {name}" for name, sql in (*zip(keys, made, strict=True), *sums.items())]
        fresh, more = self._fresh(f"SELECT {', '.join(rows)} FROM requests WHERE {conditions[1]}", made)
        wanted = ", ".join([*keys, *(total(name) for name in sums)])
        grouped = f" GROUP BY {', '.join(keys)}" if keys else ""
        statement = f"{parts} SELECT {wanted} FROM ({stored} UNION ALL {fresh}) AS every{grouped}"
        return self._connection.execute(statement, [*values, *more]).fetchall()

    def _stored(
        self, table: str, keys: list[str], sums: dict[str, str], condition: str
    ) -> tuple[str, str, list[object]]:
        """The parts as a table, what is to be selected from it, and the values of both.

        Name by name, each over all parts: in this order they lie in the index, so that nothing is sorted.
        """
        parts = self._parts or [Part(1, 1, 0)]
        few = By.DAY not in self._by and "bucket" not in keys
        shown = [f"{total(name)} AS {name}" for name in sums] if few else list(sums)
        grouped = f" GROUP BY {', '.join(f'n.{column.value}' for column in COLUMNS)}" if few else ""
        same = "".join(f" AND {by.value} = ?" for by, _ in self._where)
        return (
            f"WITH parts (size, low, high) AS (VALUES {', '.join(['(?, ?, ?)'] * len(parts))})",
            f"SELECT {', '.join([*keys, *shown])} FROM usage_names AS n CROSS JOIN parts CROSS JOIN {table} AS s"
            f" WHERE cube = ? AND s.name = n.id AND span = size AND day >= low AND day <= high"
            f" AND {condition}{same}{grouped}",
            [*chain.from_iterable(parts), self._cube, *(value for _, value in self._where)],
        )

    def _fresh(self, select: str, made: list[str]) -> tuple[str, list[object]]:
        limits = (("day >= ?", self._since), ("day <= ?", self._until))
        given: list[tuple[str, object]] = [(f"{_ROWS[by]} = ?", value) for by, value in self._where]
        given += [(sql, value) for sql, value in limits if value is not None]
        same = "".join(f" AND {sql}" for sql, _ in given)
        grouped = f" GROUP BY {', '.join(made)}" if made else ""
        return f"{select} AND seq > ?{same}{grouped}", [self._mark, *(value for _, value in given)]


def _range(query: UsageQuery) -> tuple[int | None, int | None]:
    only = query.where.get(By.DAY)
    if only is None:
        return query.since, query.until
    day = date.fromisoformat(only).toordinal()
    return max(day, query.since or day), min(day, query.until or day)


def cover(first: int, last: int, made: set[tuple[int, int]]) -> Iterator[Part]:
    """The days from `first` to `last`, each once, in the largest blocks (span, first day) that were made, in runs."""

    def blocks() -> Iterator[tuple[int, int]]:
        day = first
        while day <= last:
            span = max(
                size for size in SPANS if size == 1 or (day + size - 1 <= last and (size, day) in made)
            )
            yield span, day
            day += span

    for span, run in groupby(blocks(), key=lambda block: block[0]):
        days = [day for _, day in run]
        yield Part(span, days[0], days[-1])


def _row(names: Names, sums: dict[str, Any], latency: dict[str, Histogram], query: UsageQuery) -> UsageRow:
    failed = {name: sums[f"failed_{name}"] for name in _FAILED}
    plain = {name: sums[name] for name in SUMS if name in UsageRow.__struct_fields__}
    return UsageRow(
        names=tuple(_shown(by, name) for by, name in zip(query.by, names, strict=True)),
        failures={name: count for name, count in failed.items() if count},
        best=Compared(sums["best_requests"], sums["best_paid"], sums["best_other"]),
        first=Compared(sums["first_requests"], sums["first_paid"], sums["first_other"]),
        total=latency["total"],
        first_token=latency["first_token"],
        **plain,
    )


def _shown(by: By, name: str) -> str:
    return date.fromordinal(int(name)).isoformat() if by is By.DAY else name
