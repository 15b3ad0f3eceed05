"""Reading the ledger: each call opens its own read-only connection, so any thread may ask at any time."""

from pathlib import Path

import msgspec
from sqlalchemy import Engine, Integer, cast, create_engine, func
from sqlalchemy import select as select_columns
from sqlalchemy.pool import NullPool
from sqlmodel import Session, col, select

from orchestra_core.domain.history import History, Hour, Use
from orchestra_core.domain.outcome import Verdict
from orchestra_core.storage.sqlite import connect_reader
from orchestra_core.storage.tables import AttemptRow, RequestRow

# Of a longer history the latest part tells most; reading so much takes a few tenths of a second.
_HOURLY_ROWS = 200_000
_SINGLE_ROWS = 5_000


class ModelTotals(msgspec.Struct, frozen=True):
    """Sums over all recorded requests served by one model; `cost` leaves out requests of unknown price."""

    model: str
    requests: int
    successful: int
    tokens_in: int
    tokens_out: int
    cost: float
    seconds: float


class Queries:
    """Blocking: call through a thread. sqlalchemy.exc.OperationalError while the file is unreadable."""

    def __init__(self, path: Path) -> None:
        self._engine: Engine = create_engine(
            "sqlite://", creator=lambda: connect_reader(path), poolclass=NullPool
        )

    def recent(
        self,
        limit: int = 100,
        *,
        before: float | None = None,
        model: str | None = None,
        verdict: str | None = None,
    ) -> list[RequestRow]:
        """Newest first; `before` (Unix seconds, exclusive) asks for the page after the last row's `at`."""
        wanted = select(RequestRow)
        if before is not None:
            wanted = wanted.where(RequestRow.at < before)
        if model is not None:
            wanted = wanted.where(RequestRow.model_served == model)
        if verdict is not None:
            wanted = wanted.where(RequestRow.verdict == verdict)
        with Session(self._engine) as session:
            return list(session.exec(wanted.order_by(col(RequestRow.at).desc()).limit(limit)))

    def request(self, request_id: str) -> tuple[RequestRow, list[AttemptRow]] | None:
        """One request with its attempts in order; None if it is not (or not yet) in the file."""
        attempts = select(AttemptRow).where(AttemptRow.request_id == request_id).order_by(col(AttemptRow.n))
        with Session(self._engine) as session:
            found = session.get(RequestRow, request_id)
            return None if found is None else (found, list(session.exec(attempts)))

    def totals_by_model(self) -> list[ModelTotals]:
        """Most used first; requests no model served are left out."""
        good = func.sum(col(RequestRow.verdict) == Verdict.SUCCESS.value)
        wanted = (
            select_columns(
                col(RequestRow.model_served),
                func.count(),
                good,
                func.sum(col(RequestRow.tokens_in)),
                func.sum(col(RequestRow.tokens_out)),
                func.coalesce(func.sum(col(RequestRow.cost)), 0.0),
                func.sum(col(RequestRow.total_ms)) / 1000,
            )
            .where(col(RequestRow.model_served).is_not(None))
            .group_by(col(RequestRow.model_served))
            .order_by(func.count().desc())
        )
        with Session(self._engine) as session:
            return [ModelTotals(*row) for row in session.execute(wanted)]

    def history(self, since: float) -> History:
        """The uses of models from `since` (Unix seconds) on; of very many, the latest."""
        at, model = col(RequestRow.at), col(RequestRow.model_served)
        # A request that nobody served has an empty name.
        served = (
            select_columns(at, model, col(RequestRow.key)).where(at >= since, model > "").order_by(at.desc())
        )
        part = served.limit(_HOURLY_ROWS).subquery()
        hour = cast(part.c.at / 3600, Integer)
        hourly = select_columns(part.c.model_served, hour, func.count()).group_by(part.c.model_served, hour)
        with Session(self._engine) as session:
            hours = tuple(Hour(*row) for row in session.execute(hourly))
            uses = [Use(at, key, model) for at, model, key in session.execute(served.limit(_SINGLE_ROWS))]
        return History(hours, tuple(reversed(uses)))
