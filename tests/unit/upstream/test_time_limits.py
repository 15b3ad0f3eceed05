"""Time, moved by hand: what counts as silence, what ends an attempt, and what a waiting client is told."""

from collections.abc import AsyncIterator

import pytest

from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.outcome import Partial, Verdict
from orchestra_core.upstream.timeouts import Timeouts
from tests.fakes.execution import TakingSink
from tests.fakes.memory_backend import NDJSON_HEAD, Bench, chunked, endpoint, question, token

PING = b": still reading the prompt\n\n"
ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}\n\n'
DONE = b"data: [DONE]\n\n"


class OpenAITaker(TakingSink):
    """A streaming client that takes OpenAI's bytes as they are."""

    relays = "openai"

    def __init__(self, *, streaming: bool = True) -> None:
        super().__init__(streaming=streaming)
        self.flow: list[object] = []

    def bind_flow(self, pause: object, resume: object) -> None:
        self.flow = [pause, resume]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.close()


@pytest.mark.parametrize("head", [False, True])
async def test_a_backend_that_says_nothing_is_given_up_and_the_call_may_move(
    bench: Bench, head: bool
) -> None:
    """No first token in time: its connection is closed, the client has seen nothing, another may answer."""
    sink = OpenAITaker()
    task = await bench.send(question(), sink)
    if head:
        bench.line.begins()
    await bench.after(119)
    assert not task.done()
    await bench.after(2)
    outcome = task.result()
    assert (outcome.verdict, outcome.committed, outcome.partial) == (Verdict.TIMEOUT, False, None)
    assert outcome.try_elsewhere
    assert bench.line.transport.aborted
    assert sink.opened == []


@pytest.mark.parametrize("sign", [PING, ROLE], ids=["comment", "opening"])
@pytest.mark.parametrize("relays", ["openai", ""])
async def test_comments_are_life_before_the_first_token_and_not_after_it(
    bench: Bench, sign: bytes, relays: str
) -> None:
    """A server that reads a long prompt sends them for minutes; one that has begun to answer sends tokens."""
    sink = OpenAITaker()
    sink.relays = relays
    task = await bench.send(question(), sink)
    bench.line.begins()
    for _ in range(5):
        await bench.after(100)
        bench.line.sends(sign)
    bench.line.sends(token("Hel"))
    for _ in range(3):
        await bench.after(25)
        bench.line.sends(PING)
    await bench.after(1)
    assert task.result().verdict is Verdict.INTERRUPTED
    assert task.result().partial == Partial("Hel", 1)


@pytest.mark.parametrize("relays", ["openai", ""])
async def test_a_drip_inside_one_event_is_silence(bench: Bench, relays: str) -> None:
    """A byte every five seconds keeps a connection alive, not an answer."""
    sink = OpenAITaker()
    sink.relays = relays
    task = await bench.send(question(), sink)
    bench.line.begins()
    bench.line.sends(token("Hel"))
    for position in range(13):
        assert not task.done()
        await bench.after(5)
        bench.line.sends(token("lo")[position : position + 1])
    assert task.result().verdict is Verdict.INTERRUPTED
    assert "no token for 60 s" in task.result().message


async def test_a_drip_before_the_first_token_is_silence_too(bench: Bench) -> None:
    """Half an event is no sign of life at any time."""
    task = await bench.send(question(), OpenAITaker())
    bench.line.begins()
    for position in range(25):
        bench.line.sends(token("lo")[position : position + 1])
        await bench.after(5)
    assert task.result().verdict is Verdict.TIMEOUT


async def test_tokens_that_keep_coming_are_bounded_by_the_whole_answer(bench: Bench) -> None:
    """An hour of one answer is enough; it is over then, and nobody else goes on with it."""
    sink = OpenAITaker()
    task = await bench.send(question(), sink)
    bench.line.begins()
    for _ in range(73):
        bench.line.sends(token("x"))
        await bench.after(50)
    assert task.result().verdict is Verdict.INTERRUPTED
    assert "longer than 3600 s" in task.result().message
    assert task.result().partial is None


async def test_an_answer_in_one_piece_has_its_own_limit(bench: Bench) -> None:
    """Nothing is seen of it before it is done, so the limit of the first token would be wrong."""
    found = endpoint(BackendKind.OPENAI)
    task = await bench.send(question(stream=False), TakingSink(), found)
    await bench.after(599)
    assert not task.done()
    await bench.after(2)
    assert (task.result().verdict, task.result().try_elsewhere) == (Verdict.TIMEOUT, True)


@pytest.mark.parametrize("pings", [False, True])
async def test_an_attempt_may_be_given_less_time_for_its_first_token(bench: Bench, pings: bool) -> None:
    """Where the call has a deadline and another endpoint is left, comments do not lengthen it."""
    task = await bench.send(question(), OpenAITaker(), limit=3.0)
    bench.line.begins()
    await bench.after(2)
    if pings:
        bench.line.sends(PING)
    assert not task.done()
    await bench.after(1.1)
    assert task.result().verdict is Verdict.TIMEOUT
    assert "within 3 s" in task.result().message


@pytest.mark.parametrize("kind", [BackendKind.OPENAI, BackendKind.VLLM, BackendKind.OLLAMA])
async def test_an_answer_in_one_piece_is_given_the_time_for_all_of_it(
    bench: Bench, kind: BackendKind
) -> None:
    """It never shows a first token: what limits that must not end it, and its own limit does."""
    task = await bench.send(question(stream=False), TakingSink(), endpoint(kind), limit=3.0, whole=9.0)
    await bench.after(8.9)
    assert not task.done()
    await bench.after(0.2)
    assert (task.result().verdict, task.result().message) == (Verdict.TIMEOUT, "no answer within 9 s")
    assert task.result().try_elsewhere


async def test_a_stream_is_limited_by_its_first_token_alone(bench: Bench) -> None:
    """The limit of answers in one piece is none of a stream's, whatever its client asked for."""
    task = await bench.send(question(stream=False), TakingSink(), limit=3.0, whole=9.0)
    bench.line.begins()
    bench.line.sends(token("Hel"))
    for _ in range(5):
        await bench.after(2)
        bench.line.sends(token("lo"))
    assert not task.done()


async def test_a_short_limit_is_looked_at_in_time(bench: Bench) -> None:
    """The one timer comes earlier for it."""
    await bench.send(question(), OpenAITaker(), limit=0.2)
    assert bench.execution.looks_in <= 0.21


async def test_time_in_which_the_client_is_slow_does_not_count_against_the_backend(bench: Bench) -> None:
    """The backend is not heard because we do not listen."""
    sink = OpenAITaker()
    task = await bench.send(question(), sink)
    bench.line.begins()
    bench.line.sends(token("Hel"))
    pause, resume = sink.flow
    assert callable(pause)
    assert callable(resume)
    pause()
    for _ in range(5):
        await bench.after(40)
    assert not task.done()
    assert sink.notes == [], "a client that does not read is not written to"
    resume()
    await bench.after(59)
    assert not task.done()
    await bench.after(2)
    assert task.result().verdict is Verdict.INTERRUPTED


async def test_an_answer_is_complete_even_if_its_message_never_ends(bench: Bench) -> None:
    """`[DONE]` has come, the last chunk has not: the client waits no longer, the connection is not kept."""
    task = await bench.send(question(), OpenAITaker())
    bench.line.begins()
    bench.line.sends(token("Hel"), DONE)
    await bench.after(1)
    assert not task.done()
    await bench.after(1.5)
    assert task.result().ok
    assert bench.line.transport.aborted


@pytest.mark.parametrize("limit", ["first_token", "between_tokens", "total"])
async def test_limits_are_as_configured(limit: str) -> None:
    """Each of them on its own."""
    bench = Bench(Timeouts(**{limit: 7.0}))
    task = await bench.send(question(), OpenAITaker())
    bench.line.begins()
    if limit != "first_token":
        bench.line.sends(token("Hel"))
    await bench.after(6.9)
    assert not task.done()
    await bench.after(0.2)
    assert task.done()
    await bench.close()


@pytest.mark.parametrize("limit", ["first_token", "between_tokens", "total"])
async def test_a_backend_may_have_limits_of_its_own(limit: str) -> None:
    """They hold for what runs there, and for nothing else."""
    bench = Bench(Timeouts(own={"slow": Timeouts(**{limit: 7.0})}))
    there, here = [
        await bench.send(question(), OpenAITaker(), endpoint(backend=name)) for name in ("slow", "b")
    ]
    for line in bench.dialer.lines:
        line.begins()
        if limit != "first_token":
            line.sends(token("Hel"))
    await bench.after(6.9)
    assert not there.done()
    await bench.after(0.2)
    assert (there.done(), here.done()) == (True, False)
    await bench.close()


async def test_connecting_to_a_backend_may_have_a_limit_of_its_own() -> None:
    """Also a new one, from the next connection on; others have the one of all."""
    bench = Bench(Timeouts(own={"slow": Timeouts(connect=20.0)}))
    for name in ("slow", "b"):
        await bench.send(question(), OpenAITaker(), endpoint(backend=name))
    bench.execution.configure(
        Timeouts(own={"slow": Timeouts(connect=30.0)}), keep=True, retry_non_idempotent=True
    )
    await bench.send(question(), OpenAITaker(), endpoint(backend="slow"))
    assert bench.dialer.limits == [20.0, 5.0, 30.0]
    await bench.close()


async def test_a_short_limit_of_one_backend_is_looked_at_in_time() -> None:
    """The one timer is as fine as the shortest of all needs it."""
    bench = Bench(Timeouts(own={"fast": Timeouts(between_tokens=0.2)}))
    assert bench.execution.looks_in <= 0.05
    await bench.close()


@pytest.mark.parametrize("name", ["b", "gone"])
async def test_new_limits_hold_for_what_runs(bench: Bench, name: str) -> None:
    """Those of all and those of a backend; one that has left keeps what it had while something runs there."""
    before, after = Timeouts(own={"gone": Timeouts(between_tokens=50.0)}), Timeouts(between_tokens=7.0)
    bench.execution.configure(before, keep=True, retry_non_idempotent=True)
    task = await bench.send(question(), OpenAITaker(), endpoint(backend=name))
    bench.line.begins()
    bench.line.sends(token("Hel"))
    bench.execution.configure(after, keep=True, retry_non_idempotent=True)
    await bench.after(7.1)
    assert task.done() == (name == "b")
    await bench.after(43.0)
    assert task.done()


async def test_a_client_that_waits_for_a_stream_is_told_every_fifteen_seconds(bench: Bench) -> None:
    """Before the first token, whatever the backend sends meanwhile, and between tokens."""
    sink = OpenAITaker()
    await bench.send(question(), sink)
    bench.line.begins()
    for seconds, notes in [(14, 0), (2, 1), (10, 1), (6, 2)]:
        bench.line.sends(PING)
        await bench.after(seconds)
        assert len(sink.notes) == notes
    bench.line.sends(token("Hel"))
    for seconds, notes in [(14, 2), (2, 3), (14, 3), (2, 4)]:
        await bench.after(seconds)
        assert len(sink.notes) == notes


@pytest.mark.parametrize("kind", [BackendKind.LLAMACPP, BackendKind.OPENAI])
async def test_a_client_that_did_not_ask_for_a_stream_is_told_nothing(
    bench: Bench, kind: BackendKind
) -> None:
    """Its answer has one head, sent when the status is known."""
    sink = OpenAITaker(streaming=False)
    await bench.send(question(stream=False), sink, endpoint(kind))
    for _ in range(6):
        await bench.after(15)
    assert sink.notes == []


async def test_lines_of_json_are_counted_as_events_too(bench: Bench) -> None:
    """Ollama's lines: whole ones are tokens, half of one is silence."""
    task = await bench.send(question(), TakingSink(streaming=True), endpoint(BackendKind.OLLAMA))
    bench.line.begins(NDJSON_HEAD % b"")
    line = b'{"message":{"role":"assistant","content":"Hel"},"done":false}\n'
    bench.line.sends(line)
    await bench.after(50)
    bench.line.says(chunked(line[:30]))
    await bench.after(11)
    assert task.result().verdict is Verdict.INTERRUPTED
    assert task.result().partial == Partial("Hel", 1)
