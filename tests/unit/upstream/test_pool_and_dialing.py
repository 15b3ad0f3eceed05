"""Connections: how long they are kept, when one is sent again on, and where names lead; no sockets."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.upstream.address import Address
from orchestra_core.upstream.dialing import Dialer
from tests.fakes.clock import ManualClock
from tests.fakes.execution import TakingSink
from tests.fakes.memory_backend import Bench, endpoint, question
from tests.fakes.transport import FakeTransport
from tests.fakes.turns import one_turn

GOOD = b'{"choices":[{"message":{"content":"Hello"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}'


def answer(head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n%b" % (
        head,
        len(GOOD),
        GOOD,
    )


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.close()


async def ask(bench: Bench, head: bytes = b"") -> Outcome:
    """One whole exchange over whatever connection is used."""
    task = await bench.send(question(stream=False), TakingSink(), endpoint(BackendKind.OPENAI))
    bench.line.says(answer(head))
    outcome: Outcome = await task
    assert outcome.ok
    return outcome


@pytest.mark.parametrize(
    ("head", "kept", "lost"),
    [
        (b"", 2.9, 3.1),
        (b"keep-alive: timeout=5\r\n", 3.9, 4.1),
        (b"Keep-Alive: timeout=5, max=100\r\n", 3.9, 4.1),
        (b"keep-alive: timeout=3600\r\n", 59.0, 61.0),
        (b"keep-alive: timeout=soon\r\n", 2.9, 3.1),
        (b"keep-alive: timeout=1\r\n", 0.0, 0.1),
    ],
)
async def test_a_connection_is_kept_a_second_less_than_the_server_keeps_it(
    bench: Bench, head: bytes, kept: float, lost: float
) -> None:
    """Three seconds where it does not say: less than the five of most servers."""
    await ask(bench, head)
    if kept:
        bench.clock.advance(kept)
        await ask(bench, head)
        assert len(bench.dialer.lines) == 1
    bench.clock.advance(lost)
    await ask(bench, head)
    assert len(bench.dialer.lines) == 2
    assert bench.dialer.lines[0].transport.aborted


@pytest.mark.parametrize(("head", "times"), [(b"", 1001), (b"keep-alive: timeout=5, max=3\r\n", 3)])
async def test_a_connection_is_used_so_many_times(bench: Bench, head: bytes, times: int) -> None:
    """Once less than the server would, else a thousand times again."""
    for _ in range(times):
        await ask(bench, head)
        assert len(bench.dialer.lines) == 1
    await ask(bench, head)
    assert len(bench.dialer.lines) == 2


async def test_idle_connections_are_closed_by_the_timer(bench: Bench) -> None:
    """A backend that is not used holds nothing of ours."""
    await ask(bench)
    await bench.after(3.5)
    assert bench.line.transport.aborted


async def test_a_connection_that_closed_while_idle_is_not_used(bench: Bench) -> None:
    """Its end was seen in time."""
    await ask(bench)
    bench.line.breaks()
    await ask(bench)
    assert len(bench.dialer.lines) == 2


async def test_what_went_out_on_a_closing_connection_is_sent_again_once(bench: Bench) -> None:
    """The backend closed it in the same moment: the same bytes on a fresh one, and the outcome says so."""
    await ask(bench)
    task = await bench.send(question(stream=False), TakingSink(), endpoint(BackendKind.OPENAI))
    old = bench.line
    old.breaks(ConnectionResetError("reset"))
    await one_turn()
    await one_turn()
    assert len(bench.dialer.lines) == 2
    assert old.asked.endswith(bench.line.asked)
    bench.line.says(answer())
    outcome = await task
    assert outcome.ok
    assert "sent a second time" in outcome.message


async def test_a_fresh_connection_that_is_lost_is_the_backends_fault(bench: Bench) -> None:
    """Once, not for ever; and never after a byte of an answer."""
    await ask(bench)
    for first, second in [(b"", b""), (b"HTTP/1.1 200", None)]:
        await ask(bench)
        task = await bench.send(question(stream=False), TakingSink(), endpoint(BackendKind.OPENAI))
        bench.line.says(*[first] * bool(first))
        bench.line.breaks()
        await one_turn()
        await one_turn()
        if second is not None:
            bench.line.breaks()
        assert (await task).verdict is (Verdict.DROPPED if second is not None else Verdict.FAILED)


async def test_sending_again_can_be_switched_off() -> None:
    """For who would rather have an error than a request that may have been executed twice."""
    bench = Bench(retry_non_idempotent=False)
    await ask(bench)
    task = await bench.send(question(stream=False), TakingSink(), endpoint(BackendKind.OPENAI))
    bench.line.breaks()
    assert (await task).verdict is Verdict.DROPPED
    assert len(bench.dialer.lines) == 1
    await bench.close()


async def test_a_slow_client_of_one_answer_never_pauses_the_next(bench: Bench) -> None:
    """A connection that was paused when its answer ended is read again, and is nobody's any more."""
    flows: list[tuple[object, object]] = []
    sink = TakingSink(streaming=True)
    sink.bind_flow = lambda pause, resume: flows.append((pause, resume))
    task = await bench.send(question(stream=False), sink, endpoint(BackendKind.OPENAI))
    pause, resume = flows[0]
    assert callable(pause)
    assert callable(resume)
    pause()
    assert not bench.line.transport.reading
    bench.line.says(answer())
    assert (await task).ok
    assert bench.line.transport.reading
    pause()
    assert bench.line.transport.reading
    await ask(bench)
    assert len(bench.dialer.lines) == 1


# -- names ---------------------------------------------------------------------------------------------------


class Names:
    """A name server of the test's own."""

    def __init__(self) -> None:
        self.known: dict[str, list[str]] = {}
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        if host not in self.known:
            raise OSError("no such name")
        return self.known[host]


class Reaching(Dialer):
    """Connects to nothing but remembers what it was to connect to; `dark` addresses never answer."""

    def __init__(self, names: Names, clock: ManualClock, seconds: float = 5.0) -> None:
        super().__init__(asyncio.get_running_loop(), seconds, resolve=names, now=clock.monotonic)
        self.reached: list[str] = []
        self.dark: set[str] = set()
        self.refusing: set[str] = set()

    async def connect(self, make, address, ip):
        self.reached.append(ip)
        if ip in self.dark:
            await asyncio.Event().wait()
        if ip in self.refusing:
            raise ConnectionRefusedError("refused")
        protocol = make()
        protocol.connection_made(FakeTransport())
        return protocol


HOST = Address("box.lan", 11434)


async def test_a_name_that_is_not_known_is_not_asked_for_again_at_once() -> None:
    """Five seconds; requests meanwhile fail at once and may go elsewhere."""
    names, clock = Names(), ManualClock()
    dialer = Reaching(names, clock)
    for _ in range(3):
        with pytest.raises(OSError, match=r"box.lan cannot be looked up: no such name"):
            await dialer.dial(asyncio.Protocol, HOST)
    assert names.asked == 1
    clock.advance(5.1)
    names.known["box.lan"] = ["10.0.0.7"]
    await dialer.dial(asyncio.Protocol, HOST)
    assert dialer.reached == ["10.0.0.7"]


async def test_the_last_good_address_is_kept_while_names_cannot_be_looked_up() -> None:
    """A name server that is down does not take the backend with it; a changed address is followed."""
    names, clock = Names(), ManualClock()
    dialer = Reaching(names, clock)
    names.known["box.lan"] = ["10.0.0.7"]
    await dialer.dial(asyncio.Protocol, HOST)
    del names.known["box.lan"]
    for _ in range(3):
        await dialer.dial(asyncio.Protocol, HOST)
    assert (dialer.reached, names.asked) == (["10.0.0.7"] * 4, 2)
    clock.advance(6)
    names.known["box.lan"] = ["10.0.0.8"]
    await dialer.dial(asyncio.Protocol, HOST)
    assert dialer.reached[-1] == "10.0.0.8"


async def test_another_address_of_a_name_is_tried() -> None:
    """One that refuses, or never answers, costs its share of the time and no more."""
    names = Names()
    names.known["box.lan"] = ["10.0.0.7", "10.0.0.8", "10.0.0.9"]
    dialer = Reaching(names, ManualClock(), seconds=0.3)
    dialer.refusing, dialer.dark = {"10.0.0.7"}, {"10.0.0.8"}
    await dialer.dial(asyncio.Protocol, HOST)
    assert dialer.reached == ["10.0.0.7", "10.0.0.8", "10.0.0.9"]


async def test_no_name_leads_to_where_no_backend_can_be() -> None:
    """Whatever the name server says, and each time it is asked: what is checked is what is connected to."""
    names, clock = Names(), ManualClock()
    dialer = Reaching(names, clock)
    names.known["box.lan"] = ["169.254.169.254"]
    with pytest.raises(OSError, match="metadata"):
        await dialer.dial(asyncio.Protocol, HOST)
    names.known["box.lan"] = ["169.254.169.254", "10.0.0.7"]
    await dialer.dial(asyncio.Protocol, HOST)
    assert dialer.reached == ["10.0.0.7"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.1.2.3", "fd00::1"])
async def test_an_address_needs_no_name_server(host: str) -> None:
    """It is what it is."""
    names = Names()
    assert await Reaching(names, ManualClock()).addresses(host, 1) == [host]
    assert names.asked == 0


async def test_connecting_is_bounded() -> None:
    """A second on this machine, as configured to others."""
    dialer = Reaching(Names(), ManualClock(), seconds=4.0)
    assert dialer.seconds(Address("127.0.0.1", 1)) == 1.0
    assert dialer.seconds(Address("", 1, unix="/x")) == 1.0
    assert dialer.seconds(Address("10.0.0.7", 1)) == 4.0
    quick = Reaching(Names(), ManualClock(), seconds=0.05)
    quick.dark = {"10.0.0.7"}
    with pytest.raises(TimeoutError):
        await quick.dial(asyncio.Protocol, Address("10.0.0.7", 1))


@pytest.mark.parametrize("under_way", [False, True])
async def test_connections_to_addresses_that_have_left_are_closed(bench: Bench, under_way: bool) -> None:
    """At once, or with the answer that is under way; those to others are kept, and who comes back dials anew."""
    await ask(bench)
    gone, kept = bench.line, endpoint(BackendKind.OPENAI, "kept")
    if under_way:
        task = await bench.send(question(stream=False), TakingSink(), endpoint(BackendKind.OPENAI))
    other = await bench.send(question(stream=False), TakingSink(), kept)
    bench.line.says(answer())
    await other
    bench.execution.forget({kept.id})
    assert gone.transport.aborted is not under_way
    if under_way:
        gone.says(answer())
        assert (await task).ok
    assert gone.transport.aborted
    assert not bench.line.transport.aborted
    await ask(bench)
    assert len(bench.dialer.lines) == 3
