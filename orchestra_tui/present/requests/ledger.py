"""What the engine tells of requests, as far as it is shown: rows, pages, and the report of one. None is not known."""

import msgspec

from orchestra_core.domain.running import RunningView


class Ended(msgspec.Struct, frozen=True):
    """A row of the ledger; names and units are the API's."""

    id: str
    at: str
    verdict: str = ""
    status: int = 0
    surface: str = ""
    kind: str = ""
    task: str = ""
    task_inferred: bool = False
    model_asked: str | None = None
    model: str | None = None
    backend: str | None = None
    streamed: bool = False
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_estimated: bool = False
    queued_ms: float | None = None
    loading_ms: float | None = None
    first_token_ms: float | None = None
    total_ms: float = 0.0
    attempts: int = 0
    cost: float | None = None
    saved: float | None = None
    cache: str | None = None
    degraded: bool = False
    continued: bool = False
    decision_id: str | None = None
    error: str | None = None
    key: str = ""

    @property
    def failed(self) -> bool:
        return self.verdict not in ("success", "cancelled")


class Page(msgspec.Struct, frozen=True):
    """Newest first. `next` is the cursor of older ones; `pending` have ended and are not in the ledger yet. `only` says
    which ones these are, where they are not all."""

    requests: tuple[Ended, ...] = ()
    next: str | None = None
    pending: int = 0
    currency: str = ""
    timestamp: str = ""
    only: str = ""


class Running(msgspec.Struct, frozen=True):
    """Those that came first first; `total` says how many there are."""

    requests: tuple[RunningView, ...] = ()
    total: int = 0


class Attempt(msgspec.Struct, frozen=True):
    """Seconds since it was sent."""

    n: int
    endpoint: str
    verdict: str = ""
    status: int = 0
    seconds: float = 0.0
    first_token: float | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    message: str = ""
    cost: float | None = None


class Term(msgspec.Struct, frozen=True):
    name: str
    points: float


class Predicted(msgspec.Struct, frozen=True):
    seconds: float | None = None
    first_token: float | None = None
    wait: float | None = None
    output_tokens: float | None = None
    cost: float | None = None
    source: str = ""


class Candidate(msgspec.Struct, frozen=True):
    endpoint: str
    utility: float
    terms: tuple[Term, ...] = ()
    predicted: Predicted = Predicted()
    overloaded: bool = False


class Rejected(msgspec.Struct, frozen=True):
    endpoint: str
    reason: str = ""
    detail: str = ""


class Decision(msgspec.Struct, frozen=True):
    sentence: str = ""
    candidates: tuple[Candidate, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    requirements: dict[str, str | float | None] = {}
    margin: float | None = None


class Change(msgspec.Struct, frozen=True):
    """One fact that would have changed the decision."""

    endpoint: str
    sentence: str


class Report(msgspec.Struct, frozen=True):
    """Everything of one request. `prompt` and `answer` only where they are stored, and may be read."""

    request: Ended
    attempts: tuple[Attempt, ...] = ()
    decision: Decision | None = None
    what_if: tuple[Change, ...] = ()
    prompt: str | None = None
    answer: str | None = None
    currency: str = ""
