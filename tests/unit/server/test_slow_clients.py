"""Clients that are slow to send, slow to read, or silent; time moves by hand."""

import asyncio

import pytest

from orchestra_core.http1.checks import Limits
from tests.fakes.one_connection import Connection

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
async def test_a_client_that_says_nothing_is_let_go(sent: bytes) -> None:
    """Ten seconds from accept to the first byte of a request; empty lines are none."""
    silent = Connection()
    await silent.feed([sent] if sent else [])
    await silent.later(10)
    assert not silent.ended
    await silent.later(1)

    assert silent.transport.closed
    assert silent.statuses == ()


async def test_a_dripped_head_gets_ten_seconds_in_all() -> None:
    """Each byte in time does not help: the head's time is absolute (slowloris)."""
    slow = Connection()
    for byte in GET[:9]:
        await slow.feed([bytes([byte])])
        await slow.later(1)
    assert slow.statuses == ()
    await slow.later(2)

    assert slow.statuses == (408,)
    assert slow.transport.eof


async def test_a_body_that_stops_gets_fifteen_seconds() -> None:
    """Nothing for fifteen seconds ends it, however much came before."""
    slow = Connection()
    await slow.feed([POST + b"a" * 500_000])
    await slow.later(14)
    await slow.feed([b"a"])
    await slow.later(15)
    assert slow.statuses == ()
    await slow.later(1)

    assert slow.statuses == (408,)
    assert slow.room.held == 0


@pytest.mark.parametrize(("rate", "seconds"), [(1000, 11), (1100, 301)])
async def test_a_dripped_body_needs_a_rate_and_an_end(rate: int, seconds: int) -> None:
    """Below 1 KiB a second it ends after ten seconds, above it after five minutes."""
    slow = Connection()
    await slow.feed([POST])
    for _ in range(seconds - 1):
        await slow.feed([b"a" * rate])
        await slow.later(1)
    assert slow.statuses == ()
    await slow.feed([b"a" * rate])
    await slow.later(1)

    assert slow.statuses == (408,)


async def test_a_late_pipelined_body_has_its_own_time() -> None:
    """What came long ago on the connection does not count against a new request."""
    client = Connection()
    client.hold = asyncio.Event()
    await client.feed([GET])
    await client.later(400)
    await client.feed([POST])
    await client.later(9)
    client.hold.set()
    await client.feed([b"a" * 1_000_000])

    assert client.statuses == (200, 200)


async def test_who_is_not_read_from_is_not_late() -> None:
    """A client whose requests wait for their turn cannot send, so its time stands still."""
    client = Connection()
    client.hold = asyncio.Event()
    await client.feed([GET * 9 + b"GET /late"])
    assert not client.transport.reading
    await client.later(100)
    client.hold.set()
    await client.rest()
    assert client.transport.reading
    await client.later(9)
    await client.feed([b" HTTP/1.1\r\nHost: x\r\n\r\n"])

    assert client.statuses == (200,) * 10


@pytest.mark.parametrize(("factor", "seconds"), [(1.0, 75), (0.2, 15), (0.0, 2)])
async def test_an_idle_connection_is_kept_for_a_while(factor: float, seconds: int) -> None:
    """75 seconds, less when memory is short, never below two."""
    idle = Connection()
    idle.room.idle_factor = factor
    await idle.feed([GET])
    await idle.later(seconds)
    assert not idle.ended
    await idle.later(1)

    assert idle.transport.closed


async def test_a_long_answer_is_not_idleness() -> None:
    """A request may take as long as it takes."""
    busy = Connection()
    busy.hold = asyncio.Event()
    await busy.feed([GET])
    await busy.later(4000)

    assert not busy.ended
    busy.hold.set()
    await busy.rest()


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    """Sixty seconds without a byte taken; slow progress is allowed."""
    slow = Connection()
    slow.hold = asyncio.Event()
    await slow.feed([GET])
    slow.transport.unsent = 100_000
    slow.protocol.pause_writing()
    await slow.later(59)
    slow.transport.unsent = 90_000
    await slow.later(60)
    assert not slow.ended
    await slow.later(2)

    assert slow.transport.aborted
    slow.hold.set()


async def test_a_slow_reader_gets_no_further_answer_begun() -> None:
    """Pipelined requests wait until what was written is taken, so the buffer never holds many answers."""
    slow = Connection()
    slow.hold = asyncio.Event()
    await slow.feed([GET * 5])
    slow.protocol.pause_writing()
    slow.hold.set()
    await slow.rest()
    assert len(slow.requests) == 1
    await slow.feed([GET])
    assert len(slow.requests) == 1
    slow.protocol.resume_writing()
    await slow.rest()

    assert slow.statuses == (200,) * 6


async def test_a_refusal_waits_for_the_answers_before_it() -> None:
    """What was asked properly is answered, then the error, then the end."""
    client = Connection()
    client.hold = asyncio.Event()
    await client.feed([GET * 2 + b"nonsense\r\n\r\n" + GET])
    assert client.statuses == ()
    client.hold.set()
    await client.rest()

    assert client.statuses == (200, 200, 400)
    assert client.transport.eof


async def test_the_end_is_waited_for_two_seconds() -> None:
    """After the last answer the client's end is awaited, then the connection is cut."""
    client = Connection()
    await client.feed([b"nonsense\r\n\r\n"])
    await client.later(2)
    assert not client.transport.aborted
    await client.later(1)

    assert client.transport.aborted


async def test_the_last_answer_may_be_read_slowly() -> None:
    """While the client takes the last answer it is not cut off; when it stops, it is."""
    client = Connection()
    client.transport.unsent = 50_000
    await client.feed([b"nonsense\r\n\r\n"])
    for _ in range(10):
        client.transport.unsent -= 1000
        await client.later(30)
    assert not client.transport.aborted
    await client.later(61)

    assert client.transport.aborted


async def test_what_comes_after_the_end_is_read_within_bounds() -> None:
    """256 KiB are thrown away, then nothing more is read."""
    client = Connection()
    await client.feed([b"nonsense\r\n\r\n"])
    await client.feed([b"a" * 65536] * 4)
    assert client.transport.reading
    await client.feed([b"a"])

    assert not client.transport.reading


async def test_a_client_told_too_large_may_finish_sending() -> None:
    """Else it would only see a reset: many clients read the answer after they have sent all."""
    client = Connection(Limits(body=1_000_000))
    await client.feed([b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000001\r\n\r\n"])
    await client.feed([b"a" * 65536] * 15)

    assert client.statuses == (413,)
    assert client.transport.reading
    assert client.room.held == 0
