"""Requests as an engine tells of them, made by hand: some run, some ended, one is explained; and the audit log."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from orchestra_core.domain.running import RunningView
from orchestra_tui.engine import EngineError
from orchestra_tui.present.happenings.entry import Audit, Done
from orchestra_tui.present.requests.ledger import (
    Attempt,
    Candidate,
    Change,
    Decision,
    Ended,
    Page,
    Predicted,
    Rejected,
    Report,
    Running,
    Term,
)

NOW = "2026-03-02T13:00:00.000Z"
TERMS = ("quality", "time", "slo", "cost", "failure", "external", "preference")


def ended(number: int, **changes: Any) -> Ended:
    """Of the same number always the same row; a higher one came later."""
    plain = Ended(
        id=f"req-1a20789a127-{number:06x}",
        at=f"2026-03-02T12:{number // 60 % 60:02d}:{number % 60:02d}.{number % 1000:03d}Z",
        verdict="success",
        status=200,
        surface="openai",
        kind="chat",
        task="conversation",
        task_inferred=True,
        model_asked="auto",
        model="llama3.2:3b",
        backend="box1",
        streamed=True,
        tokens_in=120,
        tokens_out=48,
        queued_ms=12.0,
        loading_ms=0.0,
        first_token_ms=240.0,
        total_ms=1980.0,
        attempts=1,
        cost=0.00042,
        decision_id=f"dec-{number}",
        key="1f2e3d4c",
    )
    return msgspec.structs.replace(plain, **changes)


def running(number: int, **changes: Any) -> RunningView:
    plain = RunningView(
        id=f"req-1a20789a127-{number:06x}",
        at=f"2026-03-02T12:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
        age_ms=3200.0,
        key="1f2e3d4c",
        key_name="team",
        surface="openai",
        kind="chat",
        task="conversation",
        model_asked="auto",
        stream=True,
        state="streaming",
        model="llama3.2:3b",
        backend="box1",
        endpoints=("box1/llama3.2:3b",),
        attempts=1,
        tokens_out=34,
        first_token_ms=310.0,
        decision_id=f"dec-{number}",
    )
    return msgspec.structs.replace(plain, **changes)


# One of every sort; the oldest first.
ENDED = (
    ended(
        1200, verdict="failed", status=502, error="box2/llama3.2:3b: the backend answered 500", tokens_out=0,
        first_token_ms=None, attempts=3, queued_ms=900.0, cost=0.0, backend="box2",
    ),
    ended(1205, cache="hit", backend=None, attempts=0, cost=0.0, saved=0.002, queued_ms=3.0,
          first_token_ms=3.0, total_ms=3.0),
    ended(1210, verdict="cancelled", status=499, error="cancelled by an operator: too long", tokens_out=7),
    ended(1215, degraded=True, model="qwen2.5-coder:7b", model_asked="gpt-5-mini", task="code_generation"),
    ended(1220, continued=True, attempts=2),
    ended(1225, cost=None, model="llama-3.3-70b-instruct-fp8", backend="gpu-a", surface="native"),
    ended(1230, key="10.0.0.17", queued_ms=4100.0, loading_ms=3900.0, first_token_ms=4600.0,
          total_ms=9100.0),
)  # fmt: skip
LIVE = (
    running(2460, age_ms=12_400.0, tokens_out=417),
    running(
        2465, state="queued", position=2, note="queued, position 2", endpoints=("gpu-a/llama-3.3-70b-instruct-fp8",),
        model="llama-3.3-70b-instruct-fp8", backend="gpu-a", attempts=0, tokens_out=None,
        first_token_ms=None, key="10.0.0.17", key_name=None,
    ),
    running(
        2470, state="loading", position=1, note="loading qwen2.5-coder:7b 40 % (3 s), position 1",
        endpoints=("box2/qwen2.5-coder:7b",), model="qwen2.5-coder:7b", backend="box2", attempts=0,
        tokens_out=None, first_token_ms=None, surface="native",
    ),
)  # fmt: skip


def page(*rows: Ended, after: str | None = None) -> Page:
    """As the engine tells it: newest first."""
    newest = tuple(sorted(rows, key=lambda row: (row.at, row.id), reverse=True))
    return Page(newest, after, 0, "USD", NOW)


def live(*views: RunningView) -> Running:
    return Running(views, len(views))


def candidate(endpoint: str, *points: float, overloaded: bool = False) -> Candidate:
    terms = tuple(Term(name, value) for name, value in zip(TERMS, points, strict=True))
    told = Predicted(2.1, 0.24, 0.0, 130.0, 0.0006, "measured n=44")
    return Candidate(endpoint, sum(points), terms, told, overloaded)


def report(row: Ended, **changes: Any) -> Report:
    """With a decision between two endpoints, a third that could not take it, and what would have changed it."""
    decision = Decision(
        sentence="llama3.2:3b on box1: sooner done (+0.61) and cheaper (+0.12) than llama3.2:3b on box2.",
        candidates=(
            candidate("box1/llama3.2:3b", 0.9, -0.4, -0.05, -0.1, -0.01, 0.0, 0.25),
            candidate("box2/llama3.2:3b", 0.9, -1.01, -0.11, -0.22, -0.02, -0.001, 0.0, overloaded=True),
        ),
        rejected=(Rejected("lab/tiny:1b", "quality", "its quality is low, and medium was asked for"),),
        requirements={"speed": None, "quality": "medium", "max_tokens": 200, "max_cost": None},
        margin=1.051,
    )
    plain = Report(
        row,
        decision=decision,
        what_if=(
            Change("box2/llama3.2:3b", "1.2 s instead of 3.4 s would have been fast enough"),
            Change("lab/tiny:1b", "quality=low would have let it pass"),
        ),
        currency="USD",
    )
    return msgspec.structs.replace(plain, **changes)


RETRIED = report(
    ENDED[0],
    attempts=(
        Attempt(1, "gpu-a/llama3.2:3b", "unreachable", 0, 0.1, None, message="cannot connect to gpu-a"),
        Attempt(2, "box1/llama3.2:3b", "timeout", 0, 0.8, None, message="no first token within 0.8 s"),
        Attempt(3, "box2/llama3.2:3b", "failed", 500, 1.08, None, message="the backend answered 500"),
    ),
)

ACTIONS = (
    Done(
        "2026-03-02T12:40:58.000Z", "req-1-000009", "00000002", "operator", "10.0.0.5", "POST",
        "/api/v1/requests/req-1a20789a127-0004ce/cancel", 202, "done",
        "ai-orchestra cancel req-1a20789a127-0004ce",
    ),
    Done(
        "2026-03-02T12:40:30.000Z", "req-1-000008", "00000001", "user", "10.0.0.4", "POST",
        "/api/v1/breakers/box2%2Fnomic-embed-text/trip", 403, "refused",
        "ai-orchestra breaker trip box2/nomic-embed-text --reason 'a test'",
    ),
    Done("2026-03-02T12:40:10.000Z", refused=41, most="10.0.0.9: 41"),
    Done(
        "2026-03-02T12:39:00.000Z", "req-1-000002", "", "owner", "unix:1000", "POST", "/api/v1/reload", 200,
        "done", "ai-orchestra config reload",
    ),
)  # fmt: skip


class RequestWorld:
    """What an engine would answer about its requests; `rows` and `live` are the test's to change."""

    def __init__(self) -> None:
        self.rows = list(ENDED)
        self.live = list(LIVE)
        self.tells_running = True
        self.reports = {RETRIED.request.id: RETRIED}
        self.actions = ACTIONS

    def answer(self, path: str, query: Mapping[str, str]) -> Running | Page | Report | Audit | None:
        """None: nothing is known of that."""
        if path == "/api/v1/audit":
            begin = int(query.get("before", "0"))
            end = begin + int(query["limit"])
            return Audit(self.actions[begin:end], str(end) if end < len(self.actions) else None)
        if path == "/api/v1/requests":
            if "running" not in query:
                return self._page(query)
            if not self.tells_running:
                raise EngineError("unknown parameter 'running'", "invalid_request")
            return live(*self.live)
        identity = unquote(path.removeprefix("/api/v1/requests/"))
        row = next((row for row in self.rows if row.id == identity), None)
        return None if row is None else self.reports.get(identity) or report(row)

    def end(self, identity: str, **changes: Any) -> None:
        """A request that runs has ended."""
        view = next((view for view in self.live if view.id == identity), None)
        if view is None:
            raise EngineError(f"request {identity} has ended already", "not_running")
        self.live.remove(view)
        number = int(identity.rpartition("-")[2], 16)
        self.rows.append(ended(number, model=view.model, backend=view.backend, **changes))

    def cancel(self, identity: str) -> None:
        self.end(identity, verdict="cancelled", status=499, error="cancelled by an operator")

    def _page(self, query: Mapping[str, str]) -> Page:
        rows = [row for row in self.rows if row.failed or "failed" not in query]
        newest = page(*rows).requests
        if "cursor" in query:
            newest = newest[int(query["cursor"]) :]
        limit = int(query["limit"])
        more = len(rows) - len(newest) + limit if len(newest) > limit else None
        return page(*newest[:limit], after=None if more is None else str(more))
