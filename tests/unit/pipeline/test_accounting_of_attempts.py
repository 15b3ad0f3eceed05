"""What attempts made is paid for, also where the request's end is not that of an attempt."""

import asyncio
from typing import Any

import pytest

from orchestra_core.accounting.counterfactual import Counterfactuals
from orchestra_core.domain.call import Call, Task
from orchestra_core.domain.catalog import Endpoint, Residency
from orchestra_core.domain.decision import Decision
from orchestra_core.domain.outcome import NO_USAGE, Outcome, Partial, Verdict
from orchestra_core.domain.price import Price
from orchestra_core.domain.reply import Usage
from orchestra_core.domain.result import Tried
from orchestra_core.domain.sink import Serving, Sink
from orchestra_core.pipeline.completion import Completion
from orchestra_core.telemetry.ended import Ended
from orchestra_core.telemetry.metrics import Metrics
from orchestra_core.telemetry.window import Latencies, Series
from tests.fakes.execution import ScriptedExecution, TakingSink
from tests.fakes.pipeline import World
from tests.fakes.turns import settle

BURNT = Outcome(Verdict.TIMEOUT, "", 200, "silent", Usage(0, 7, estimated=True), seconds=2.0)
CUT = Outcome(
    Verdict.INTERRUPTED, "", 200, "cut", Usage(0, 7, estimated=True), committed=True,
    partial=Partial("Once upon", 7), first_token=0.1, seconds=2.0,
)  # fmt: skip
PROMPT = 100


class Counted(World):
    """Its requests are accounted for as the engine does; every token costs one millionth at `a`, a hundred at `b`."""

    def __init__(self, execution: Any, backends: tuple[str, ...] = ("a", "b")) -> None:
        super().__init__(execution, backends)
        self.metrics = Metrics()
        self.ended = Ended(self.metrics, Series(), Latencies(), Latencies())
        self.rows: list[dict[str, Any]] = []
        self.debited = 0
        self.loading = asyncio.Event()
        for backend, price in zip(backends, (1.0, 100.0), strict=False):
            self.change(backend, price=Price(price, price))
        self.prefer(*backends)
        self._told = Completion(
            clock=self.clock,
            find=self.catalog.get,
            ended=self.ended.add,
            record=lambda row, _attempts, _decision: self.rows.append(
                {"verdict": row[9], "prompt": row[12], "completion": row[13], "cost": row[20]}
                | {"best": row[29], "first": row[30]}
            ),
            failed=lambda *_: None,
            spent=self._debit,
            elsewhere=Counterfactuals(lambda: [endpoint.spec for endpoint in self.catalog.all]),
        )

    def _debit(self, _key: str, tokens: int) -> None:
        self.debited += tokens

    def _complete(
        self, call: Call, decision: Decision, tried: tuple[Tried, ...], outcome: Outcome, seconds: float
    ) -> float | None:
        super()._complete(call, decision, tried, outcome, seconds)
        return self._told(call, decision, tried, outcome, seconds)

    async def _ready(self, endpoint: Endpoint) -> None:
        """The load of a model fails at once, or never ends."""
        await super()._ready(endpoint)
        self.loading.set()
        await asyncio.Event().wait()

    def unload(self, backend: str) -> None:
        self.change(backend, loadable=True).residency = Residency.ABSENT


class Endless:
    """An attempt that ends only when it is cancelled, and then says what had arrived, as the data plane does."""

    def __init__(self, left: Outcome | None, *, begun: bool) -> None:
        self.left = left
        self.begun = begun

    async def __call__(
        self,
        _call: Call,
        _endpoint: Endpoint,
        sink: Sink,
        serving: Serving,
        _first_token_limit: float | None = None,
        _answer_limit: float | None = None,
    ) -> Outcome:
        if self.begun:
            sink.open(serving)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as gone:
            if self.left is not None:
                gone.args = (self.left,)
            raise
        raise AssertionError


def left(usage: Usage, *, committed: bool) -> Outcome:
    first = 0.5 if committed else None
    return Outcome(Verdict.CANCELLED, "a/llama3:8b", 499, "left", usage, first, 2.0, committed=committed)


def call(world: World, **fields: Any) -> Any:
    return world.ask(TakingSink(streaming=True), stream=True, characters=4 * PROMPT, **fields)


async def test_a_stream_that_the_deadline_cut_is_interrupted_with_what_it_brought() -> None:
    """Its tokens, its times and its prompt are the request's."""
    world = Counted(Endless(left(Usage(0, 7, estimated=True), committed=True), begun=True), ("a",))
    result = await call(world, deadline=world.clock.monotonic() + 0.05)

    outcome = result.outcome
    assert (outcome.verdict, outcome.status, outcome.committed) == (Verdict.INTERRUPTED, 504, True)
    assert outcome.usage == Usage(result.decision.input_tokens, 7, estimated=True)
    assert (outcome.first_token, outcome.seconds) == (0.5, 2.0)
    assert result.tried[0].outcome is outcome
    tokens = result.decision.input_tokens + 7
    assert world.debited == tokens
    assert world.rows[0]["cost"] == pytest.approx(tokens / 1e6)


@pytest.mark.parametrize("sent", [True, False])
async def test_a_prompt_the_deadline_cut_short_is_counted_where_it_was_sent(sent: bool) -> None:
    """Timed out before the first token; nothing is counted while the connection was still being made."""
    world = Counted(Endless(left(NO_USAGE, committed=False) if sent else None, begun=False), ("a",))
    result = await call(world, deadline=world.clock.monotonic() + 0.05)

    assert (result.outcome.verdict, result.outcome.status) == (Verdict.TIMEOUT, 504)
    prompt = result.decision.input_tokens
    assert prompt >= PROMPT
    assert result.outcome.usage.prompt == world.rows[0]["prompt"] == (prompt if sent else 0)


@pytest.mark.parametrize("through_chain", [False, True])
@pytest.mark.parametrize("sent", [True, False])
async def test_a_prompt_that_its_client_left_is_counted_where_it_was_sent(
    sent: bool, through_chain: bool
) -> None:
    """Before the first token: it is being read, and will be charged; nothing while the connection was being made."""
    world = Counted(Endless(left(NO_USAGE, committed=False) if sent else None, begun=False), ("a",))
    deadline = world.clock.monotonic() + 60.0 if through_chain else None
    asking = asyncio.ensure_future(call(world, deadline=deadline))
    await settle()
    asking.cancel()
    await asyncio.wait({asking})
    (row,) = world.rows
    assert row["verdict"] == "cancelled"
    assert (row["prompt"] >= PROMPT) is sent
    assert row["cost"] == pytest.approx(row["prompt"] / 1e6)


async def test_a_place_that_refuses_does_not_make_an_attempt_free() -> None:
    """The request ends with the refusal; the tokens and their price are those of the attempt that was made."""
    world = Counted(ScriptedExecution(a=[BURNT]))
    world.unload("b")
    world.load_error = "no room"
    result = await call(world)

    assert "no room" in result.outcome.message
    tokens = result.decision.input_tokens + 7
    (row,) = world.rows
    assert row["prompt"] + row["completion"] == world.debited == tokens
    assert row["cost"] == result.cost == pytest.approx(tokens / 1e6)
    world.ended.count()
    assert sum(cell.tokens_out for _, cell in world.metrics.cells()) == 7


@pytest.mark.parametrize("first", [BURNT, CUT])
@pytest.mark.parametrize("how", ["the client leaves", "the deadline passes"])
async def test_an_end_while_it_waits_does_not_make_an_attempt_free(how: str, first: Outcome) -> None:
    """It waits for a model to be loaded elsewhere when it ends."""
    world = Counted(ScriptedExecution(a=[first]))
    world.unload("b")
    deadline = world.clock.monotonic() + 0.3 if how == "the deadline passes" else None
    fields = {"messages": [{"role": "user", "content": "Tell a tale"}]}
    asking = asyncio.ensure_future(call(world, deadline=deadline, fields=fields))
    await world.loading.wait()
    await settle()
    if deadline is None:
        asking.cancel()
    await asyncio.wait({asking})

    (row,) = world.rows
    ((_, (tried,)),) = world.completed
    usage = tried.outcome.usage
    assert usage.prompt >= PROMPT
    assert (row["prompt"], row["completion"]) == (usage.prompt, 7)
    assert world.debited == usage.prompt + 7
    assert row["cost"] == pytest.approx((usage.prompt + 7) / 1e6)
    expected = "interrupted" if first is CUT else "timeout"
    assert row["verdict"] == (expected if deadline is not None else "cancelled")


@pytest.mark.parametrize("how", ["gone", "of unknown price"])
@pytest.mark.parametrize("through_chain", [False, True])
async def test_what_was_sent_costs_what_it_cost_then(how: str, through_chain: bool) -> None:
    """Also where the endpoint is gone, or its price another one, when the answer ends."""
    execution = ScriptedExecution()
    execution.gate = asyncio.Event()
    world = Counted(execution, ("a",))
    deadline = world.clock.monotonic() + 60.0 if through_chain else None
    asking = asyncio.ensure_future(call(world, deadline=deadline))
    await execution.started.wait()
    if how == "gone":
        world.leave("a")
    else:
        world.change("a", price=None)
    execution.gate.set()
    result = await asking

    usage = result.outcome.usage
    assert usage.completion
    assert result.cost == world.rows[0]["cost"] == pytest.approx((usage.prompt + usage.completion) / 1e6)


async def test_an_attempt_that_brought_nothing_costs_its_seconds() -> None:
    """A server of ours that worked in vain was paid by the hour; one that was not reached was not."""
    in_vain = Outcome(Verdict.FAILED, "", 500, "broke", Usage(estimated=True), seconds=2.0)
    away = Outcome(Verdict.UNREACHABLE, "", 0, "away", Usage(estimated=True), seconds=5.0)
    for first, cost in ((in_vain, 1.0), (away, 0.0)):
        world = Counted(ScriptedExecution(a=[first]))
        for backend in ("a", "b"):
            world.change(backend, price=Price(second=0.5))
        result = await call(world)
        assert [one.outcome.endpoint for one in result.tried] == ["a/llama3:8b", "b/llama3:8b"]
        assert result.cost == pytest.approx(cost + 0.5 * result.outcome.seconds)


async def test_an_unknown_cost_of_one_attempt_makes_that_of_the_request_unknown() -> None:
    """Only where it brought tokens: what brought none was not charged for any."""
    refused = Outcome(Verdict.FAILED, "", 500, "broke", Usage(estimated=True), seconds=2.0)
    for first, known in ((BURNT, False), (refused, True)):
        world = Counted(ScriptedExecution(a=[first]))
        world.change("a", price=None)
        result = await call(world)
        assert (result.cost is not None) is known


async def test_a_row_tells_what_its_tokens_would_have_cost_elsewhere() -> None:
    """Where it was served, what it cost; of a request that took two attempts, what its answer would have."""
    world = Counted(ScriptedExecution(b=[BURNT]))
    world.change("b", price=Price(100.0, 100.0), qualities=dict.fromkeys(Task, 0.99))
    await call(world)
    world.prefer("b", "a")
    world.change("b", weight=1e9)
    result = await call(world)
    in_vain = result.decision.input_tokens + 7
    alone, moved = world.rows
    tokens = alone["prompt"] + alone["completion"]
    assert alone["first"] == alone["cost"] == pytest.approx(tokens / 1e6)
    assert alone["best"] == pytest.approx(tokens / 1e4)
    answer = moved["prompt"] + moved["completion"]
    assert moved["best"] == pytest.approx(answer / 1e4)
    assert moved["first"] == pytest.approx(answer / 1e6)
    assert moved["cost"] == pytest.approx(answer / 1e6 + in_vain / 1e4)


async def test_nothing_to_compare_with_is_unknown() -> None:
    """No price there, or nothing that can do it; a request that nobody was sent is free everywhere."""
    world = Counted(ScriptedExecution(), ("a",))
    world.change("a", price=None)
    result = await call(world)
    assert result.outcome.usage.completion
    (row,) = world.rows
    assert (row["cost"], row["best"], row["first"]) == (None, None, None)
