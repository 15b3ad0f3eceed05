"""The ledger's tables. The domain does not know them; rows arrive as plain tuples in these field orders.

Ids should rise with time: an index of random ids costs about 2.5 times the CPU per row (measured).
"""

from sqlalchemy import Table
from sqlmodel import Field, SQLModel


class RequestRow(SQLModel, table=True):
    """One finished request. `at` is Unix seconds, `*_ms` milliseconds, `cost` in the configured currency.

    `tokens_estimated` tells counts we made ourselves from counts the backend reported. `first_token_ms` is
    None where no token came; `cost` is None where the model has no known price. `key` is the id of the API key
    it came with, else the address. `day` is the proleptic ordinal of the local day it began on. `cost_best` and
    `cost_first` are what the same tokens would have cost on the best and on the first model that could have served
    it, `saved` what an answer from the cache would have cost again. `cache` is "", "hit" or "shared".
    """

    __tablename__ = "requests"

    id: str = Field(primary_key=True)
    at: float = Field(index=True)
    surface: str
    kind: str
    task: str
    task_inferred: bool
    model_asked: str | None = None
    model_served: str | None = None
    backend: str | None = None
    verdict: str
    status: int
    streamed: bool
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_estimated: bool = False
    queued_ms: float | None = None
    first_token_ms: float | None = None
    total_ms: float
    attempts: int = 0
    cost: float | None = None
    degraded: bool = False
    decision_id: str | None = None
    error: str | None = None
    key: str = ""
    day: int = 0
    tier_asked: str = ""
    tier_served: str = ""
    loading_ms: float = 0.0
    cost_best: float | None = None
    cost_first: float | None = None
    cache: str = ""
    saved: float | None = None
    continued: bool = False


class KeyRow(SQLModel, table=True):
    """One API key, of which only the SHA-256 is kept. Times are Unix seconds; scopes are separated by spaces."""

    __tablename__ = "keys"

    id: str = Field(primary_key=True)
    name: str
    digest: str = Field(unique=True)
    scopes: str
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    created: float
    last_used: float | None = None
    revoked: float | None = None
    expires: float | None = None


class AttemptRow(SQLModel, table=True):
    """One try of a request at one endpoint; `n` counts from 1. Times in seconds since it was sent."""

    __tablename__ = "attempts"

    request_id: str = Field(primary_key=True)
    n: int = Field(primary_key=True)
    endpoint: str
    verdict: str
    status: int
    seconds: float
    first_token: float | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    message: str = ""
    cost: float | None = None
    tokens_estimated: bool = False


def table_of(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]
