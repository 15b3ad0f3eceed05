"""Reading the ledger, from any thread. Blocking: call through a thread."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from sqlmodel import SQLModel

from orchestra_core.accounting.listing import Page, Wanted
from orchestra_core.accounting.usage import By, UsageQuery, UsageRow
from orchestra_core.domain.history import History, Hour, Use
from orchestra_core.storage.failures import StoreEmpty
from orchestra_core.storage.listing import page
from orchestra_core.storage.store import Reader
from orchestra_core.storage.sums import usage
from orchestra_core.storage.tables import AttemptRow, RequestRow

R = TypeVar("R", bound=SQLModel)
# Of a longer history the latest part tells most; reading so much takes a few tenths of a second.
_HOURLY_ROWS = 200_000
_SINGLE_ROWS = 5_000
_REQUEST = ", ".join(RequestRow.model_fields)
_ATTEMPT = ", ".join(AttemptRow.model_fields)


class ModelTotals(msgspec.Struct, frozen=True):
    """Sums over all recorded requests served by one model; `cost` leaves out requests of unknown price."""

    model: str
    requests: int
    successful: int
    tokens_in: int
    tokens_out: int
    cost: float
    seconds: float


class Recorded(msgspec.Struct, frozen=True):
    """Everything that is stored of one request; `attempts` in order, also where it took only one."""

    request: RequestRow
    attempts: list[AttemptRow]
    decision: bytes | None
    prompt: str | None
    answer: str | None


class Queries:
    """Every method raises StoreUnavailable while the database cannot be read."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def recent(
        self,
        limit: int = 100,
        *,
        before: float | None = None,
        model: str | None = None,
        verdict: str | None = None,
    ) -> list[RequestRow]:
        """Newest first; `before` (Unix seconds, exclusive) asks for the page after the last row's `at`."""
        wanted = (("at < ?", before), ("model_served = ?", model), ("verdict = ?", verdict))
        given = [(sql, value) for sql, value in wanted if value is not None]
        where = " AND ".join(["1 = 1", *(sql for sql, _ in given)])
        values = (*(value for _, value in given), limit)
        with self._reader.reading() as connection:
            rows = connection.execute(
                f"SELECT {_REQUEST} FROM requests WHERE {where} ORDER BY at DESC, seq DESC LIMIT ?", values
            ).fetchall()
        return [made(RequestRow, row) for row in rows]

    def request(self, request_id: str) -> tuple[RequestRow, list[AttemptRow]] | None:
        """One request with its attempts in order, none where it took one; None if it is not (or not yet) there."""
        found = self._recorded(request_id, "attempts")
        return None if found is None else (found.request, found.attempts)

    def recorded(self, request_id: str) -> Recorded | None:
        """All there is of one request; None if it is not (or not yet) there."""
        return self._recorded(request_id, "all_attempts")

    def _recorded(self, request_id: str, attempts: str) -> Recorded | None:
        given = (request_id,)
        with self._reader.reading() as connection:
            request = connection.execute(f"SELECT {_REQUEST} FROM requests WHERE id = ?", given).fetchone()
            if request is None:
                return None
            tries = connection.execute(
                f"SELECT {_ATTEMPT} FROM {attempts} WHERE request_id = ? ORDER BY n", given
            ).fetchall()
            decision = connection.execute("SELECT body FROM decisions WHERE request_id = ?", given).fetchone()
            texts = connection.execute(
                "SELECT prompt, answer FROM texts WHERE request_id = ?", given
            ).fetchone()
        return Recorded(
            made(RequestRow, request),
            [made(AttemptRow, row) for row in tries],
            None if decision is None else bytes(decision[0]),
            *(texts or (None, None)),
        )

    def page(self, wanted: Wanted) -> Page:
        """Requests by what is wanted of them; none where nothing was ever written."""
        try:
            with self._reader.reading() as connection:
                return page(connection, wanted)
        except StoreEmpty:
            return Page((), None)

    def totals_by_model(self) -> list[ModelTotals]:
        """Most used first; requests no model served are left out."""
        with self._reader.reading() as connection:
            rows = connection.execute(
                "SELECT model_served, count(*), sum(CASE WHEN verdict = 'success' THEN 1 ELSE 0 END),"
                " CAST(sum(tokens_in) AS BIGINT), CAST(sum(tokens_out) AS BIGINT),"
                " coalesce(sum(cost), 0.0), sum(total_ms) / 1000"
                " FROM requests WHERE model_served IS NOT NULL GROUP BY model_served ORDER BY count(*) DESC"
            ).fetchall()
        return [ModelTotals(*row) for row in rows]

    def history(self, since: float) -> History:
        """The uses of models from `since` (Unix seconds) on; of very many, the latest. Empty where nothing is."""
        # A request that nobody served has an empty name.
        served = "FROM requests WHERE at >= ? AND model_served > '' ORDER BY at DESC LIMIT ?"
        try:
            with self._reader.reading() as connection:
                hours = connection.execute(
                    "SELECT model_served, hour, count(*) FROM (SELECT model_served,"
                    f" CAST(at AS BIGINT) / 3600 AS hour {served}) AS latest"
                    " GROUP BY model_served, hour",
                    (since, _HOURLY_ROWS),
                ).fetchall()
                uses = connection.execute(
                    f"SELECT at, key, model_served {served}", (since, _SINGLE_ROWS)
                ).fetchall()
        except StoreEmpty:
            return History()
        return History(tuple(Hour(*row) for row in hours), tuple(Use(*row) for row in reversed(uses)))

    def usage(self, query: UsageQuery, *, latency: bool = True) -> list[UsageRow]:
        """See sums.usage; nothing where nothing was ever written. `latency` False leaves out the histograms."""
        try:
            with self._reader.reading() as connection:
                return usage(connection, query, latency=latency)
        except StoreEmpty:
            return []

    def spent(self, since: int, until: int | None = None, where: Mapping[By, str] | None = None) -> float:
        """The known cost of what began on these local days (`date.toordinal()`, inclusive), all or of one
        model, task or key."""
        rows = self.usage(UsageQuery(since=since, until=until, where=dict(where or {})), latency=False)
        return sum(row.cost for row in rows)

    def size(self) -> int:
        """Bytes that the database takes."""
        return self._reader.size()

    def close(self) -> None:
        self._reader.close()


def made(model: type[R], row: Sequence[Any]) -> R:
    """A row read in field order; databases have no truth values of their own."""
    values = zip(model.model_fields.items(), row, strict=True)
    return model(
        **{name: bool(value) if field.annotation is bool else value for (name, field), value in values}
    )
