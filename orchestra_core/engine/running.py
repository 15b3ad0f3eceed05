"""The requests that are being answered, looked at from outside: put together from what each stage knows of them.

All that a request pays for it is its place in `live`; everything else is looked up when somebody asks.
"""

from collections.abc import Callable, Mapping

from orchestra_core.clock import Clock, rfc3339
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.errors import NotFound, OperationFailed
from orchestra_core.domain.running import RunningView
from orchestra_core.pipeline.chain import Run
from orchestra_core.pipeline.patience import Patience, Waiting
from orchestra_core.pipeline.service import Service
from orchestra_core.server.ports import Live
from orchestra_core.upstream.attempt import Attempt
from orchestra_core.upstream.execution import Execution

# How the client and the ledger are told.
CANCELLED = "cancelled by an operator"


class Running:
    """Implements what the surfaces need of running requests (server/ports.py). `names` are those of keys by id."""

    def __init__(
        self,
        *,
        clock: Clock,
        service: Service,
        patience: Patience,
        execution: Execution,
        names: Callable[[], Mapping[str, str]],
        say: Callable[[str, str, str, str], None],
    ) -> None:
        self.live: dict[str, Live] = {}
        self._clock = clock
        self._service = service
        self._patience = patience
        self._execution = execution
        self._names = names
        self._say = say

    def views(self, limit: int, key: str | None = None) -> tuple[list[RunningView], int]:
        """Those that came first first, at most `limit`, and how many there are; of one key, if it is given."""
        wanted = [live for live in self.live.values() if key is None or live.call.key == key]
        seen = self._see()
        return [self._view(live, seen) for live in wanted[:limit]], len(wanted)

    def cancel(self, request_id: str, why: str) -> RunningView:
        """Raises NotFound where no such request runs, OperationFailed where it was cancelled already."""
        live = self.live.get(request_id)
        task = None if live is None else live.exchange.task
        if live is None or task is None:
            raise NotFound(f"no request {request_id[:128]!r} is running", param="id", code="not_running")
        marks = self._service.cancelled
        if request_id in marks:
            raise OperationFailed(
                f"request {request_id} was cancelled already and is ending", code="cancelled_already"
            )
        marks[request_id] = f"{CANCELLED}: {why}" if why else CANCELLED
        # However it ends: a mark that stayed would be one more for as long as the engine runs.
        task.add_done_callback(lambda _: marks.pop(request_id, None))
        view = self._view(live, self._see())
        task.cancel()
        self._say("request.cancelled", request_id, marks[request_id], "info")
        return view

    def _see(self) -> "_Seen":
        return _Seen(
            {one.call.id: one for one in self._patience.waiting},
            {one.call.id: one for one in self._execution.active},
            {one.call.id: one for one in self._service.runs},
            self._names(),
        )

    def _view(self, live: Live, seen: "_Seen") -> RunningView:
        call, now = live.call, self._clock.monotonic()
        wait, attempt, run = seen.waiting.get(call.id), seen.active.get(call.id), seen.runs.get(call.id)
        decision = _decision(attempt, run)
        tried = () if run is None else tuple(one.candidate.endpoint for one in run.tried)
        at = attempt.serving.backend + "/" + attempt.serving.model if attempt is not None else ""
        stands = at or ("" if wait is None else wait.endpoint)
        backend, _, model = (stands or (tried[-1] if tried else "")).partition("/")
        first = None if attempt is None else attempt.first_at
        age = now - call.received
        return RunningView(
            id=call.id,
            at=rfc3339(self._clock.wall() - age),
            age_ms=age * 1000,
            key=call.key,
            key_name=seen.names.get(call.key),
            surface=call.surface,
            kind=call.kind.value,
            task=decision.task.value if decision is not None else call.task and call.task.value,
            model_asked=call.model or "auto",
            stream=call.stream,
            state=_state(wait, attempt),
            position=None if wait is None or wait.place is None else wait.place(now),
            note="" if wait is None else wait.note(now),
            model=model or None,
            backend=backend or None,
            endpoints=(*tried, stands) if stands else tried,
            attempts=len(tried) + (attempt is not None),
            tokens_out=_tokens(attempt),
            first_token_ms=None if first is None else max(0.0, first - call.received) * 1000,
            decision_id=None if decision is None else decision.id,
            cancelling=call.id in self._service.cancelled,
        )


class _Seen:
    """What the stages know, by request."""

    def __init__(
        self,
        waiting: Mapping[str, Waiting],
        active: Mapping[str, Attempt],
        runs: Mapping[str, Run],
        names: Mapping[str, str],
    ) -> None:
        self.waiting = waiting
        self.active = active
        self.runs = runs
        self.names = names


def _decision(attempt: Attempt | None, run: Run | None) -> Decision | None:
    return run.decision if run is not None else None if attempt is None else attempt.serving.decision


def _state(wait: Waiting | None, attempt: Attempt | None) -> str:
    if attempt is not None:
        return "waiting" if attempt.first_at is None else "streaming"
    return "connecting" if wait is None else wait.state


def _tokens(attempt: Attempt | None) -> int | None:
    """With those of an answer that it goes on with."""
    if attempt is None:
        return None
    before = attempt.call.so_far
    if attempt.first_at is None:
        return None if before is None else before.tokens
    return attempt.tokens + (0 if before is None else before.tokens)
