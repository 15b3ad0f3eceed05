"""A page of the requests, newest first. Blocking: call through a thread."""

from orchestra_core.accounting.listing import Page, Place, Wanted
from orchestra_core.storage.store import Connection
from orchestra_core.storage.tables import RequestRow

# Rows that are looked at for one page: a filter that few rows pass must not read all of a large ledger at once.
SEARCHED = 50_000
_NAMES = tuple(RequestRow.model_fields)
_TRUTHS = tuple(name for name, field in RequestRow.model_fields.items() if field.annotation is bool)
_ORDER = "ORDER BY at DESC, seq DESC"
_COLUMNS = {"model": "model_served", "backend": "backend", "key": "key", "task": "task", "verdict": "verdict"}
_FAILED = "verdict NOT IN ('success', 'cancelled')"


def page(connection: Connection, wanted: Wanted, searched: int = SEARCHED) -> Page:
    """`searched` rows are looked at in the range that is left, whether they pass the filters or not."""
    where, values = _range(wanted)
    filters, given = _filters(wanted)
    end: Place | None = None
    if filters:
        found = connection.execute(
            f"SELECT at, seq FROM requests{_all(where)} {_ORDER} LIMIT 1 OFFSET ?", (*values, searched - 1)
        ).fetchone()
        if found is not None:
            end = Place(*found)
            where, values = [*where, "(at, seq) >= (?, ?)"], [*values, end.at, end.number]
    rows = connection.execute(
        f"SELECT seq, {', '.join(_NAMES)} FROM requests{_all([*where, *filters])} {_ORDER} LIMIT ?",
        (*values, *given, wanted.limit + 1),
    ).fetchall()
    if len(rows) > wanted.limit:
        last = rows[wanted.limit - 1]
        end = Place(last[1 + _NAMES.index("at")], last[0])
    return Page(tuple(_told(row[1:]) for row in rows[: wanted.limit]), end)


def _all(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _range(wanted: Wanted) -> tuple[list[str], list[object]]:
    where, values = list[str](), list[object]()
    if wanted.since is not None:
        where, values = ["at >= ?"], [wanted.since]
    if wanted.until is not None:
        where, values = [*where, "at < ?"], [*values, wanted.until]
    if wanted.after is not None:
        where, values = [*where, "(at, seq) < (?, ?)"], [*values, wanted.after.at, wanted.after.number]
    return where, values


def _filters(wanted: Wanted) -> tuple[list[str], list[object]]:
    where, values = list[str](), list[object]()
    for name, column in _COLUMNS.items():
        value = getattr(wanted, name)
        if value is not None:
            where.append(f"{column} = ?")
            values.append(value)
    if wanted.degraded is not None:
        where.append("degraded = ?")
        values.append(int(wanted.degraded))
    if wanted.cache is not None:
        where.append("cache <> ''" if wanted.cache else "cache = ''")
    if wanted.failed is not None:
        where.append(_FAILED if wanted.failed else f"NOT {_FAILED}")
    return where, values


def _told(row: tuple[object, ...]) -> dict[str, object]:
    told = dict(zip(_NAMES, row, strict=True))
    return told | {name: bool(told[name]) for name in _TRUTHS}
