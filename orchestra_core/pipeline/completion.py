"""[Response Handler]: every consumer of an outcome is told here, once: metrics, throughput, ledger, events."""

from collections.abc import Callable, Sequence
from datetime import UTC, tzinfo
from typing import Final

import msgspec

from orchestra_core.accounting.counterfactual import Costs
from orchestra_core.accounting.days import Days
from orchestra_core.accounting.pricing import cost_of
from orchestra_core.clock import Clock
from orchestra_core.domain.call import Call, Kind
from orchestra_core.domain.catalog import Endpoint
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.domain.reply import Usage
from orchestra_core.domain.result import Result, Tried
from orchestra_core.telemetry.ended import Entry

_SUCCESS: Final = Verdict.SUCCESS
# However long these took, it was no server's time.
_NO_WORK: Final = frozenset({Verdict.UNREACHABLE, Verdict.UNSUPPORTED})
Record = Callable[[tuple[object, ...], Sequence[tuple[object, ...]], bytes | None], None]
Compare = Callable[[str, Kind, frozenset[str], str, Usage, float | None], Costs]
_encode: Final = msgspec.msgpack.Encoder().encode


class Completion:
    """Totals what ended. `record` gets the rows of storage/tables.py in field order and the decision in MessagePack,
    every number as it was when it was made; `spent` whom to debit.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        find: Callable[[str], Endpoint | None],
        ended: Callable[[Entry], None],
        record: Record,
        failed: Callable[[Call, Outcome], None],
        spent: Callable[[str, int], None],
        zone: tzinfo = UTC,
        elsewhere: Compare = lambda *_: (None, None),
    ) -> None:
        self._wall = clock.wall
        self._find = find
        self._ended = ended
        self._record = record
        self._failed = failed
        self._spent = spent
        self._days = Days(zone)
        self._elsewhere = elsewhere

    def __call__(
        self, call: Call, decision: Decision, tried: tuple[Tried, ...], outcome: Outcome, seconds: float
    ) -> float | None:
        attempt = tried[-1] if tried else None
        last = outcome if attempt is None else attempt.outcome
        # Where it ended without being sent (refused, queued), what it took is what the attempts took.
        usage, verdict = last.usage, outcome.verdict
        if usage.estimated and not usage.prompt:
            usage = with_prompt(usage, decision, outcome)
        # Where nothing was sent nothing was charged, whatever the price.
        own: float | None = 0.0
        loading = 0.0
        if attempt is None:
            degraded = decision.degraded
        else:
            own, degraded, loading = paid(attempt, usage), attempt.degraded, attempt.loading
        cost = own
        backend, _, model = outcome.endpoint.partition("/")
        attempts, continued = len(tried), 0
        if attempts > 1:
            usage, cost = self._whole(usage, cost, tried)
            loading = sum([one.loading for one in tried])
            continued = 1 if any(one.outcome.committed for one in tried[:-1]) else 0
        before = seconds - outcome.seconds
        began = self._wall() - seconds
        first = outcome.first_token
        if first is not None:
            first += before
        if verdict is not _SUCCESS and verdict is not Verdict.CANCELLED:
            self._failed(call, outcome)
        key, kind, needs, surface = call.key, call.kind, call.needs, call.surface
        task, ended = decision.task._value_, verdict._value_
        tokens_in, tokens_out = usage.prompt, usage.completion
        labels = (model, backend, task, surface, ended)
        self._ended((labels, int(call.received + seconds), tokens_in, tokens_out, cost, seconds, first))
        served = last.endpoint
        best, at_first = self._elsewhere(task, kind, needs, served, usage, own)
        endpoint, quality = self._find(served), decision.requirements.quality
        # In the field order of RequestRow; plain ints and strings: sqlite3 is slow with others (measured).
        row = (
            call.id, began, surface, kind._value_, task, 1 if decision.inferred else 0,
            call.model or "auto", model, backend, ended, outcome.status, 1 if call.stream else 0,
            tokens_in, tokens_out, usage.cached, 1 if usage.estimated else 0,
            before * 1000, None if first is None else first * 1000, seconds * 1000,
            attempts, cost, 1 if degraded else 0, decision.id, outcome.message, key,
            self._days.of(began), "" if quality is None else quality._value_,
            "" if endpoint is None else endpoint.spec.tier._value_,
            loading * 1000, best, at_first, "", None, continued,
        )  # fmt: skip
        self._spent(key, tokens_in + tokens_out)
        self._record(row, _attempt_rows(call.id, tried) if attempts > 1 else (), _encode(decision))
        return cost

    def given(self, result: Result, tier: str) -> None:
        """What was answered from the cache: no attempt, no cost, nothing to debit; `tier` of the model it is of.

        The tokens are those the client got; `backend` is empty, since none had anything to do with it.
        """
        call, decision, outcome, seconds = result.call, result.decision, result.outcome, result.seconds
        usage, model = outcome.usage, outcome.endpoint.partition("/")[2]
        quality = decision.requirements.quality
        task, ended = decision.task._value_, outcome.verdict._value_
        labels = (model, "", task, call.surface, ended)
        second = int(call.received + seconds)
        self._ended((labels, second, usage.prompt, usage.completion, 0.0, seconds, seconds))
        began = self._wall() - seconds
        row = (
            call.id,
            began,
            call.surface,
            call.kind._value_,
            task,
            1 if decision.inferred else 0,
            call.model or "auto",
            model,
            "",
            ended,
            outcome.status,
            1 if call.stream else 0,
            usage.prompt,
            usage.completion,
            usage.cached,
            1 if usage.estimated else 0,
            seconds * 1000,
            seconds * 1000,
            seconds * 1000,
            0,
            0.0,
            0,
            decision.id,
            "",
            call.key,
            self._days.of(began),
            "" if quality is None else quality._value_,
            tier,
            0.0,
            None,
            None,
            result.cache,
            result.saved,
            0,
        )
        self._record(row, (), None)

    def _whole(
        self, usage: Usage, cost: float | None, tried: tuple[Tried, ...]
    ) -> tuple[Usage, float | None]:
        """Of an answer that went on elsewhere all its tokens, and what every attempt cost."""
        begun = 0
        for one in tried[:-1]:
            outcome = one.outcome
            if outcome.committed:
                begun += outcome.usage.completion
            if cost is not None:
                more = paid(one, outcome.usage)
                cost = None if more is None else cost + more
        if begun:
            usage = Usage(usage.prompt, usage.completion + begun, usage.cached, estimated=True)
        return usage, cost


def paid(attempt: Tried, usage: Usage) -> float | None:
    """The cost of one attempt; None: unknown."""
    outcome = attempt.outcome
    return cost_of(attempt.price, usage, 0.0 if outcome.verdict in _NO_WORK else outcome.seconds)


def with_prompt(usage: Usage, decision: Decision, outcome: Outcome) -> Usage:
    """Where the backend reported nothing, an answer that began had its prompt read."""
    return Usage(decision.input_tokens, usage.completion, 0, estimated=True) if outcome.committed else usage


def _attempt_rows(request_id: str, tried: tuple[Tried, ...]) -> list[tuple[object, ...]]:
    """Only for requests that took more than one: of the others the request's row says it all."""
    return [_attempt_row(request_id, number, one) for number, one in enumerate(tried, 1)]


def _attempt_row(request_id: str, number: int, attempt: Tried) -> tuple[object, ...]:
    outcome = attempt.outcome
    usage = outcome.usage
    return (
        request_id,
        number,
        outcome.endpoint,
        outcome.verdict._value_,
        outcome.status,
        outcome.seconds,
        outcome.first_token,
        usage.prompt,
        usage.completion,
        outcome.message,
        paid(attempt, usage),
        1 if usage.estimated else 0,
    )
