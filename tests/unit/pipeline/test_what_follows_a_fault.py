"""What a request does after each kind of fault, over a scripted execution (behaviours.md 2, 4 to 10)."""

import asyncio

import pytest

from orchestra_core.domain.call import Level, Requirements
from orchestra_core.domain.catalog import Circuit, Residency
from orchestra_core.domain.errors import InvalidRequest, TooManyRequests, Unavailable
from orchestra_core.domain.outcome import Outcome, Partial, Verdict
from orchestra_core.domain.price import Price
from orchestra_core.domain.reply import Usage
from orchestra_core.resilience.budget import Retries
from orchestra_core.server.failures import failure
from tests.fakes.execution import ScriptedExecution, TakingSink
from tests.fakes.pipeline import MODEL, World
from tests.fakes.turns import settle

BIG, SMALL = "llama3:70b", "llama3:8b"


def limited(retry_after: float | None) -> Outcome:
    return Outcome(Verdict.LIMITED, "", 429, "slow down", retry_after=retry_after)


def backends(world: World) -> list[str]:
    return [attempt.partition("/")[0] for attempt in world.execution.attempts]


async def test_another_backend_first_then_the_same_once_more() -> None:
    """Each backend is asked before one is asked again, and nothing after the third attempt."""
    failing = [Verdict.FAILED] * 3
    world = World(ScriptedExecution(a=failing, b=failing))
    world.prefer("a", "b")
    result = await world.ask()

    assert backends(world) == ["a", "b", "a"]
    assert result.outcome.exhausted
    assert world.held() == 0


async def test_a_silent_endpoint_is_not_tried_again() -> None:
    """Neither by this request nor when it is the only one (behaviours.md 8)."""
    world = World(ScriptedExecution(a=[Verdict.TIMEOUT]), ("a",))
    result = await world.ask()

    assert (result.outcome.verdict, backends(world)) == (Verdict.TIMEOUT, ["a"])


async def test_a_prompt_that_is_too_long_goes_only_where_there_is_more_room() -> None:
    """Never again to the same size (behaviours.md 7)."""
    world = World(ScriptedExecution(a=[Verdict.CONTEXT_OVERFLOW]), ("a", "b", "c"))
    world.change("c", context=8192)
    world.prefer("a", "b", "c")
    assert (await world.ask()).outcome.ok
    assert backends(world) == ["a", "c"]

    same = World(ScriptedExecution(a=[Verdict.CONTEXT_OVERFLOW]))
    same.prefer("a", "b")
    assert (await same.ask()).outcome.verdict is Verdict.CONTEXT_OVERFLOW
    assert backends(same) == ["a"]


async def test_two_backends_lost_on_one_request_blame_the_request() -> None:
    """502 poison, and the third backend is not touched; one backend lost twice blames nothing."""
    world = World(ScriptedExecution(a=[Verdict.DROPPED], b=[Verdict.DROPPED]), ("a", "b", "c"))
    world.prefer("a", "b", "c")
    result = await world.ask()
    assert (result.outcome.verdict, result.outcome.status) == (Verdict.POISON, 502)
    assert backends(world) == ["a", "b"]

    alone = World(ScriptedExecution(a=[Verdict.DROPPED]), ("a",))
    assert (await alone.ask()).outcome.ok


async def test_a_refused_key_is_told_to_the_operator_and_opens_no_breaker() -> None:
    """401: another endpoint answers, however often (behaviours.md 5)."""
    refused = Outcome(Verdict.MISCONFIGURED, "", 401, "bad key")
    world = World(ScriptedExecution(a=[refused] * 20))
    world.change("a", weight=1000.0)
    for _ in range(20):
        assert (await world.ask()).outcome.ok
    assert world.events[0] == f"misconfigured a/{MODEL} 401"
    assert world.endpoint("a").circuit is Circuit.CLOSED


async def test_a_limited_endpoint_is_left_alone_for_as_long_as_it_says() -> None:
    """Nothing is sent to it meanwhile, it does not count as failed, and 5 s where it says nothing."""
    world = World(ScriptedExecution(a=[limited(60.0), limited(None)]))
    world.change("a", weight=1000.0)
    assert (await world.ask()).outcome.ok
    for _ in range(3):
        assert (await world.ask()).outcome.ok
    assert backends(world) == ["a", "b", "b", "b", "b"]
    world.clock.advance(60.0)
    await world.ask()
    assert world.endpoint("a").cooling_until == world.clock.monotonic() + 5.0
    assert world.lanes.views()[0].failures == 0


async def test_a_new_cooldown_never_shortens_an_old_one() -> None:
    """Two answers of one moment, the longer wait wins whichever comes last (behaviours.md 6)."""
    world = World(ScriptedExecution(a=[limited(60.0), limited(1.0)]), ("a",), slots=2)
    world.execution.gate = asyncio.Event()
    tasks = [asyncio.ensure_future(world.ask()) for _ in range(2)]
    await settle()
    world.execution.gate.set()
    await asyncio.gather(*tasks)
    assert world.endpoint("a").cooling_until == world.clock.monotonic() + 60.0


async def test_when_everything_is_limited_the_client_is_told_for_how_long() -> None:
    """The request that met it and those after it get 429 with the time that is left."""
    world = World(ScriptedExecution(a=[limited(60.0)], b=[limited(30.0)]))
    result = await world.ask()
    assert result.outcome.verdict is Verdict.LIMITED
    world.clock.advance(10.0)
    with pytest.raises(TooManyRequests) as raised:
        await world.ask()
    assert raised.value.retry_after == pytest.approx(20.0)
    assert len(world.execution.attempts) == 2


async def test_a_short_retry_after_is_waited_for() -> None:
    """The only endpoint asks for no time at all: tried again, at once."""
    world = World(ScriptedExecution(a=[limited(0.0)]), ("a",))
    assert (await world.ask()).outcome.ok
    assert backends(world) == ["a", "a"]


async def test_a_model_that_is_being_loaded_is_neither_failure_nor_retry() -> None:
    """Another that is ready answers; the loading one is marked so, and nothing was taken from the budget."""
    world = World(ScriptedExecution(a=[Verdict.LOADING]))
    world.prefer("a", "b")
    before = world.pipeline.budget.balance
    assert (await world.ask()).outcome.ok
    assert backends(world) == ["a", "b"]
    assert world.endpoint("a").residency is Residency.LOADING
    assert world.pipeline.budget.balance == pytest.approx(before + 0.2)
    assert world.lanes.views()[0].failures == 0


async def test_the_only_endpoint_is_waited_for_while_it_loads() -> None:
    """Asked again and again until it answers, and ready from then on."""
    world = World(ScriptedExecution(a=[Verdict.LOADING]), ("a",))
    result = await world.ask()
    assert result.outcome.ok
    assert backends(world) == ["a", "a"]
    assert world.endpoint("a").residency is Residency.READY


async def test_in_a_total_outage_attempts_stay_in_the_budget() -> None:
    """A thousand requests, everything fails: at most 1.2 attempts for each, and three (behaviours.md 9)."""
    count = 1000
    world = World(ScriptedExecution(a=[Verdict.FAILED] * 3000, b=[Verdict.FAILED] * 3000))
    refused = 0
    for _ in range(count):
        world.clock.advance(0.05)
        try:
            await world.ask()
        except Unavailable:
            refused += 1
    assert len(world.execution.attempts) <= 1.2 * count + 3
    assert refused > count / 2


async def test_one_bad_backend_costs_no_request_while_another_is_well() -> None:
    """From the first request on, until its breaker has opened after five failures."""
    world = World(ScriptedExecution(a=[Verdict.FAILED] * 50))
    world.change("a", weight=1000.0)
    for _ in range(100):
        assert (await world.ask()).outcome.ok
    assert backends(world).count("a") == 5


async def test_a_limit_of_cost_holds_over_all_attempts() -> None:
    """What was spent counts: no further attempt that would go beyond it."""
    begun = Outcome(Verdict.FAILED, "", 200, "cut", usage=Usage(0, 100, estimated=True))
    world = World(ScriptedExecution(a=[begun]))
    for backend in ("a", "b"):
        world.change(backend, price=Price(0.0, 1000.0))
    world.prefer("a", "b")
    enough = Requirements(max_cost=1.0, max_tokens=50)
    assert (await world.ask(requirements=enough, max_tokens=50)).outcome.ok

    world = World(ScriptedExecution(a=[begun]))
    for backend in ("a", "b"):
        world.change(backend, price=Price(0.0, 1000.0))
    world.prefer("a", "b")
    scarce = Requirements(max_cost=0.12, max_tokens=50)
    result = await world.ask(requirements=scarce, max_tokens=50)
    assert (result.outcome.verdict, backends(world)) == (Verdict.FAILED, ["a"])


async def test_with_a_deadline_half_of_it_is_left_for_another() -> None:
    """A silent endpoint may use half of what is left while another can be tried, the last one all of it."""
    world = World(ScriptedExecution(a=[Verdict.TIMEOUT]))
    for backend in ("a", "b"):
        world.change(backend, prefill_rate=1e6, decode_rate=1e3)
    world.prefer("a", "b")
    assert (await world.ask(deadline=world.clock.monotonic() + 40.0)).outcome.ok
    assert world.execution.limits == [20.0, None]


async def test_an_answer_in_one_piece_is_given_time_for_all_that_is_predicted() -> None:
    """Its backend shows nothing before it is done, so three times the whole prediction, if that is more than half."""
    world = World(ScriptedExecution(a=[Verdict.TIMEOUT]))
    world.change("a", prefill_rate=1e6, decode_rate=10.0)
    world.change("b", prefill_rate=1e6, decode_rate=10.0)
    world.prefer("a", "b")
    result = await world.ask(deadline=world.clock.monotonic() + 40.0, max_tokens=100)
    assert result.outcome.ok
    assert world.execution.answer_limits == [pytest.approx(3 * result.tried[0].candidate.seconds), None]
    assert world.execution.answer_limits[0] > 20.0


async def test_what_a_backend_cannot_be_asked_goes_to_one_that_can() -> None:
    """Nothing was sent: no retry is spent, no breaker counts it, and its attempt is in the books."""
    script = {name: [Verdict.UNSUPPORTED] for name in "abc"}
    world = World(ScriptedExecution(**script), tuple("abcd"), retries=Retries(attempts=1))
    world.prefer(*"abcd")
    result = await world.ask()
    assert result.outcome.ok
    assert backends(world) == list("abcd")
    assert [one.outcome.verdict for one in result.tried] == [*[Verdict.UNSUPPORTED] * 3, Verdict.SUCCESS]
    assert world.endpoint("a").failed == 0
    assert world.endpoint("a").circuit is Circuit.CLOSED
    assert world.held() == 0


async def test_what_no_backend_can_be_asked_is_the_clients_to_change() -> None:
    """Each is asked once; where one that could failed, its failure is what the client is told."""
    unable = [Verdict.UNSUPPORTED] * 9
    world = World(ScriptedExecution(a=unable, b=unable))
    result = await world.ask()
    assert sorted(backends(world)) == ["a", "b"]
    error = failure(result.outcome)
    assert (type(error), error.status, error.code) == (InvalidRequest, 400, "unsupported_by_backend")

    for order in (("a", "b"), ("b", "a")):
        world = World(
            ScriptedExecution(a=unable, b=[Verdict.FAILED] * 9), retries=Retries(attempts=2, base=0)
        )
        world.prefer(*order)
        assert (await world.ask()).outcome.verdict is Verdict.FAILED


async def test_the_last_endpoint_of_a_model_is_probed_though_its_breaker_is_open() -> None:
    """One request at a time and one in a second finds out; the others are told when to come back."""
    world = World(ScriptedExecution(a=[Verdict.FAILED] * 5), ("a",), retries=Retries(attempts=1))
    for _ in range(5):
        await world.ask()
    world.execution.gate = asyncio.Event()
    probe = asyncio.ensure_future(world.ask())
    await settle()
    with pytest.raises(Unavailable) as raised:
        await world.ask()
    assert 1.0 <= (raised.value.retry_after or 0.0) <= 7.5
    world.execution.gate.set()
    assert (await probe).outcome.ok
    assert world.endpoint("a").circuit is Circuit.HALF_OPEN
    assert world.held() == 0


async def test_a_probe_that_is_cancelled_frees_its_place() -> None:
    """A second later another request may find out (behaviours.md 4)."""
    world = World(ScriptedExecution(a=[Verdict.FAILED] * 5), ("a",), retries=Retries(attempts=1))
    for _ in range(5):
        await world.ask()
    world.execution.gate = asyncio.Event()
    probe = asyncio.ensure_future(world.ask())
    await settle()
    probe.cancel()
    await asyncio.wait({probe})
    world.execution.gate = None
    world.clock.advance(1.0)
    assert (await world.ask()).outcome.ok


@pytest.mark.parametrize("stage", ["back-off", "loading", "attempt"])
async def test_a_client_that_leaves_frees_everything_in_every_window(stage: str) -> None:
    """While it waits for another try, for a model, or for an answer (behaviours.md 1)."""
    script = [Verdict.FAILED] if stage == "back-off" else [Verdict.LOADING] * 9 if stage == "loading" else []
    world = World(ScriptedExecution(a=script), ("a",), retries=Retries(base=1000.0, longest=1000.0))
    if stage == "attempt":
        world.execution.gate = asyncio.Event()
    task = asyncio.ensure_future(world.ask())
    await world.execution.started.wait()
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.held() == 0
    assert (world.endpoint("a").inflight, world.endpoint("a").work) == (0, 0.0)
    assert [outcome.verdict for outcome, _ in world.completed] == [Verdict.CANCELLED]
    assert not world.pipeline.patience._waiting


async def test_a_cut_answer_goes_on_elsewhere_with_the_text_so_far() -> None:
    """The same model on another backend that can; the client sees one answer, both attempts are accounted for."""
    cut = Outcome(
        Verdict.INTERRUPTED, "", 200, "cut", Usage(0, 2, estimated=True), committed=True,
        partial=Partial("Once upon", 2),
    )  # fmt: skip
    world = World(ScriptedExecution(a=[cut]), ("a", "b", "c"))
    world.change("b", prefill=False)
    world.prefer("a", "b", "c")
    sink = TakingSink(streaming=True)
    result = await world.ask(
        sink, stream=True, fields={"messages": [{"role": "user", "content": "Tell a tale"}]}
    )
    assert result.outcome.ok
    assert backends(world) == ["a", "c"]
    assert world.execution.calls[1].so_far == Partial("Once upon", 2)
    assert (len(sink.opened), len(sink.resumed)) == (1, 1)
    assert [one.outcome.verdict for one in result.tried] == [Verdict.INTERRUPTED, Verdict.SUCCESS]


async def test_a_cut_answer_that_cannot_go_on_is_interrupted() -> None:
    """No other endpoint can, or the other fails too: never a clean end, never a replay (behaviours.md 2 and 3)."""
    cut = Outcome(
        Verdict.INTERRUPTED, "", 200, "cut", Usage(0, 2, estimated=True), committed=True,
        partial=Partial("Once upon", 2),
    )  # fmt: skip
    fields = {"messages": [{"role": "user", "content": "Tell a tale"}]}
    world = World(ScriptedExecution(a=[cut]))
    world.change("b", prefill=False)
    world.prefer("a", "b")
    assert (await world.ask(stream=True, fields=fields)).outcome.verdict is Verdict.INTERRUPTED
    assert backends(world) == ["a"]

    both = World(ScriptedExecution(a=[cut], b=[Verdict.UNREACHABLE]))
    both.prefer("a", "b")
    result = await both.ask(TakingSink(streaming=True), stream=True, fields=fields)
    assert (result.outcome.verdict, result.outcome.committed) == (Verdict.INTERRUPTED, True)
    assert [one.outcome.verdict for one in result.tried] == [Verdict.INTERRUPTED, Verdict.UNREACHABLE]


async def test_a_model_that_is_named_falls_back_only_to_what_is_configured() -> None:
    """Labelled with what was asked and what was served; without a configuration it fails."""
    models = {"a": (BIG,), "b": (SMALL, "phi4:14b")}
    down = {"a": [Verdict.UNREACHABLE] * 9}
    world = World(ScriptedExecution(**down), models=models)
    assert (await world.ask(model=BIG)).outcome.verdict is Verdict.UNREACHABLE
    assert set(backends(world)) == {"a"}

    world = World(ScriptedExecution(**down), models=models, model_fallbacks={BIG: [SMALL]})
    sink = TakingSink()
    result = await world.ask(sink, model=BIG)
    assert result.outcome.ok
    (serving,) = sink.opened
    assert (serving.model, serving.degraded, serving.asked) == (SMALL, True, BIG)
    assert f"Asked for {BIG}, served by {SMALL} on b" in serving.reason
    assert [one.degraded for one in result.tried] == [False, True]


async def test_a_named_model_with_no_endpoint_at_all_falls_back_at_once() -> None:
    """Its backend is down before anything is sent: the decision itself is the degraded one."""
    world = World(ScriptedExecution(), models={"a": (BIG,), "b": (SMALL,)}, model_fallbacks={BIG: [SMALL]})
    world.endpoint("a", BIG).reachable = False
    sink = TakingSink()
    result = await world.ask(sink, model=BIG)
    assert (result.outcome.endpoint, result.decision.asked, result.decision.degraded) == (
        f"b/{SMALL}",
        BIG,
        True,
    )
    assert sink.opened[0].degraded


async def test_auto_goes_below_the_wanted_quality_last_and_says_so() -> None:
    """Everything of the wanted quality is tried first, then something smaller, labelled."""
    world = World(
        ScriptedExecution(a=[Verdict.UNREACHABLE] * 3, b=[Verdict.UNREACHABLE] * 3), ("a", "b", "c")
    )
    for backend in ("a", "b"):
        world.change(backend, tier=Level.HIGH)
    world.change("c", tier=Level.LOW)
    sink = TakingSink()
    result = await world.ask(sink, requirements=Requirements(quality=Level.HIGH))
    assert result.outcome.ok
    assert backends(world)[-1] == "c"
    assert set(backends(world)[:-1]) == {"a", "b"}
    assert (sink.opened[0].degraded, sink.opened[0].asked) == (True, "quality high")


async def test_what_failed_attempts_cost_is_counted() -> None:
    """A prompt that was read before the stream was cut is estimated; a connection refused costs nothing."""
    begun = Outcome(Verdict.FAILED, "", 200, "cut", usage=Usage(0, 7, estimated=True))
    world = World(ScriptedExecution(a=[begun], b=[Verdict.UNREACHABLE]), ("a", "b", "c"))
    world.prefer("a", "b", "c")
    result = await world.ask(characters=400)
    first, second, _ = (one.outcome.usage for one in result.tried)
    assert (first.prompt, first.completion, first.estimated) == (result.decision.input_tokens, 7, True)
    assert (second.prompt, second.completion) == (0, 0)
