"""What all connections share: their number and the bodies they hold."""

import asyncio
import gc
import tracemalloc

import pytest

from orchestra_core.http1.checks import Limits, capacity, idle_factor
from orchestra_core.server.room import Room
from tests.fakes.one_connection import Connection
from tests.fakes.turns import settle

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


def post(size: int) -> bytes:
    return b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size


class Guest:
    def expire(self, now: float) -> None: ...

    def close_idle(self) -> None: ...

    def abort(self) -> None: ...


@pytest.mark.parametrize(
    ("descriptors", "connections"), [(1_048_576, 4096), (1024, 480), (128, 32), (64, 2), (8256, 4096)]
)
def test_half_of_the_descriptors_are_for_clients(descriptors: int, connections: int) -> None:
    """The other half is for backends, the ledger and files."""
    assert capacity(Limits(), descriptors) == connections


@pytest.mark.parametrize(("memory", "factor"), [(0.5, 1.0), (0.85, 1.0), (0.9, 0.5), (0.95, 0.0), (1.0, 0.0)])
def test_patience_shrinks_with_memory(memory: float, factor: float) -> None:
    """All of the keep-alive time up to 85 %, none of it from 95 % on."""
    assert idle_factor(memory) == pytest.approx(factor)


def enter(room: Room, peer: str, times: int) -> int:
    """How many of so many got in."""
    return sum(room.enter(Guest(), peer) is None for _ in range(times))


def test_one_address_gets_a_share() -> None:
    """256 connections an address, an IPv6 network counting as one; loopback may be a proxy for all."""
    room = Room(Limits(), 4096)

    assert enter(room, "192.0.2.1", 300) == 256
    assert enter(room, "192.0.2.2", 1) == 1
    assert enter(room, "2001:db8::1", 200) == 200
    assert enter(room, "2001:db8::2", 100) == 56
    assert enter(room, "2001:db8:0:1::1", 1) == 1
    assert enter(room, "127.0.0.1", 300) == 300


def test_nobody_comes_in_without_memory_but_who_can_free_some() -> None:
    """While the listener is closed only the Unix socket is served; who is inside stays."""
    room = Room(Limits(), 4096)
    assert enter(room, "192.0.2.1", 1) == 1
    room.closed = True
    assert enter(room, "192.0.2.1", 1) == 0
    assert enter(room, "127.0.0.1", 1) == 0
    assert enter(room, "unix", 1) == 1
    assert len(room.connections) == 2
    room.closed = False
    assert enter(room, "192.0.2.1", 1) == 1


def test_the_unix_socket_keeps_its_reserve() -> None:
    """However many come over TCP, the owner's console gets in."""
    room = Room(Limits(), 200)

    assert enter(room, "127.0.0.1", 500) == 168
    assert enter(room, "unix", 500) == 32


def test_who_leaves_makes_room() -> None:
    """A place is freed once, and never by who was refused."""
    room = Room(Limits(connections_per_peer=2), 100)
    first, second, refused = Guest(), Guest(), Guest()
    assert room.enter(first, "192.0.2.1") is None
    assert room.enter(second, "192.0.2.1") is None
    assert room.enter(refused, "192.0.2.1") is not None
    room.leave(refused, "192.0.2.1")
    assert room.enter(refused, "192.0.2.1") is not None
    room.leave(first, "192.0.2.1")
    room.leave(first, "192.0.2.1")

    assert room.enter(refused, "192.0.2.1") is None
    assert len(room.connections) == 2


async def test_one_too_many_is_told_so() -> None:
    """503 with Retry-After and a request id, and the connection closes at once."""
    room = Room(Limits(connections_per_peer=1), 100)
    first, second = Connection(room=room), Connection(room=room)
    await second.feed([GET])

    assert second.statuses == (503,)
    assert b"retry-after: 1\r\n" in second.transport.written
    assert b"x-request-id: req-1\r\n" in second.transport.written
    assert second.transport.closed
    assert second.requests == []
    first.protocol.connection_lost(None)
    assert not room.connections


async def test_large_bodies_share_a_budget() -> None:
    """What would not fit is refused before it is read; what is done makes room."""
    limits = Limits(bodies=100_000)
    room = Room(limits, 100)
    first, second = Connection(limits, room), Connection(limits, room)
    first.hold = asyncio.Event()
    await first.feed([post(60_000) + b"a" * 60_000])
    assert room.held == 60_000
    await second.feed([post(50_000)])
    assert second.statuses == (503,)
    first.hold.set()
    await first.rest()
    assert room.held == 0
    third = Connection(limits, room)
    await third.feed([post(50_000) + b"a" * 50_000])

    assert third.statuses == (200,)
    assert room.held == 0


async def test_chunked_bodies_share_it_too() -> None:
    """A body of unknown length is refused when it no longer fits, and what it held is freed."""
    limits = Limits(bodies=100_000)
    client = Connection(limits)
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    await client.feed([head, *[b"4e20\r\n" + b"a" * 20_000 + b"\r\n"] * 6])

    assert client.statuses == (503,)
    assert client.room.held == 0


@pytest.mark.parametrize("sent", [30_000, 60_000])
async def test_a_lost_connection_frees_what_it_held(sent: int) -> None:
    """In the middle of a body and in the middle of its answer."""
    client = Connection()
    client.hold = asyncio.Event()
    await client.feed([post(60_000) + b"a" * sent])
    assert client.room.held == sent
    client.protocol.connection_lost(None)
    await client.rest()

    assert client.room.held == 0


async def test_what_waits_in_line_counts_and_is_freed() -> None:
    """Pipelined bodies are held as well."""
    client = Connection()
    client.hold = asyncio.Event()
    await client.feed([(post(20_000) + b"a" * 20_000) * 3])
    assert client.room.held == 60_000
    client.protocol.connection_lost(None)
    await client.rest()

    assert client.room.held == 0


async def test_an_idle_connection_keeps_nothing_of_its_last_request() -> None:
    """After a request of a MiB the connection itself costs some KiB (32 KiB are promised, sockets included)."""
    idle: list[Connection] = []
    request = post(1_000_000).replace(b"Host", b"A: " + b"a" * 8000 + b"\r\nHost") + b"a" * 1_000_000
    await Connection().feed([request])
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(20):
            connection = Connection()
            await connection.feed([request])
            connection.transport.written = b""
            connection.requests.clear()
            idle.append(connection)
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert used / len(idle) < 12_000


async def test_one_address_holds_a_share_of_the_bodies() -> None:
    """What others may send does not depend on how much a stranger drips; this machine is no stranger."""
    limits = Limits(bodies=100_000, bodies_per_peer=25_000)
    room = Room(limits, 100)
    stranger, again = (Connection(limits, room, "192.0.2.1") for _ in range(2))
    await stranger.feed([post(25_000) + b"a" * 20_000])
    await again.feed([post(20_000)])
    assert again.statuses == (503,)
    assert b"from this address" in again.transport.written
    chunked = Connection(limits, room, "192.0.2.1")
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    await chunked.feed([head, b"4e20\r\n" + b"a" * 20_000 + b"\r\n"])
    assert chunked.statuses == (503,)
    for peer in ("192.0.2.2", "2001:db8::1", "127.0.0.1"):
        client = Connection(limits, room, peer)
        await client.feed([post(20_000) + b"a" * 20_000])
        assert client.statuses == (200,)
    local = Connection(limits, room, "127.0.0.1")
    await local.feed([post(60_000) + b"a" * 60_000])
    assert local.statuses == (200,)
    stranger.protocol.connection_lost(None)
    back = Connection(limits, room, "192.0.2.1")
    await back.feed([post(20_000) + b"a" * 20_000])

    assert back.statuses == (200,)
    assert room.held == 0


def test_an_ipv6_network_shares_one_budget() -> None:
    """Its hosts choose their addresses freely; what is given back counts no more."""
    room = Room(Limits(bodies_per_peer=100), 100)
    room.hold("2001:db8::1", 60)
    room.hold("2001:db8::2", 40)
    assert room.refuses("2001:db8::3", 1) is not None
    assert room.refuses("2001:db8:0:1::1", 100) is None
    assert room.refuses("unix", 1000) is None
    room.hold("2001:db8::1", -60)

    assert room.refuses("2001:db8::3", 60) is None


@pytest.mark.parametrize("turns", range(8))
async def test_a_request_that_was_begun_but_never_ran_is_freed(turns: int) -> None:
    """The client leaves at any moment while one request ends and the next begins, its body large."""
    client = Connection()
    client.hold = asyncio.Event()
    await client.feed([(post(20_000) + b"a" * 20_000) * 3])
    client.hold.set()
    await settle(turns)
    client.protocol.connection_lost(None)
    await client.rest()

    assert client.room.held == 0


async def test_a_first_request_that_never_ran_is_freed() -> None:
    """It arrives whole, and the connection is lost before the loop turns."""
    client = Connection()
    client.protocol.data_received(post(20_000) + b"a" * 20_000)
    assert client.room.held == 20_000
    client.protocol.connection_lost(None)
    await client.rest()

    assert client.requests == []
    assert client.room.held == 0
