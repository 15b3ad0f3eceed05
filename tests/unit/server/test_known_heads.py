"""A head seen before is not parsed again; what it means must not depend on that."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.http1.checks import Limits
from orchestra_core.http1.known import Known, again, whole
from orchestra_core.server.connection import Http1Protocol
from orchestra_core.server.exchange import Exchange, Request
from orchestra_core.server.intake import Head
from orchestra_core.server.refusals import Refusals
from orchestra_core.server.room import Room
from tests.fakes.transport import FakeTransport
from tests.fakes.turns import settle

POST = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nX-Own: 1\r\n\r\n"
HEADS = st.sampled_from(
    [
        POST,
        POST.replace(b"Content-Length", b"content-length"),
        POST.replace(b"1.1", b"1.0"),
        POST.replace(b"POST", b"GET"),
        POST.replace(b"X-Own: 1", b"Connection: close"),
        POST.replace(b"X-Own: 1", b"Content-Length: 3"),
        POST.replace(b"X-Own: 1", b"Transfer-Encoding: chunked"),
        POST.replace(b"X-Own: 1", b"Expect: 100-continue"),
        POST.replace(b"X-Own: 1", b"Upgrade: h2c\r\nConnection: upgrade"),
        POST.replace(b"Host: x", b"Host: a/b@c"),
        POST.replace(b": %d", b": +%d"),
        POST.replace(b": %d", b": 0%d"),
        POST.replace(b": %d", b":%d"),
    ]
)


class Server:
    def __init__(self, known: Known[Head] | None = None) -> None:
        self.seen: list[tuple[str, str, str, dict[str, str], bytes]] = []
        self.transport = FakeTransport()
        self.protocol = Http1Protocol(
            self.handle,
            asyncio.get_running_loop(),
            Limits(),
            Room(Limits(), 100),
            Refusals(lambda: "req-1"),
            known,
        )
        self.protocol.connection_made(self.transport)

    async def handle(self, request: Request, exchange: Exchange) -> None:
        self.seen.append((request.method, request.path, request.query, request.headers, request.body))
        exchange.send(200, request.body)


def message(head: bytes, body: bytes) -> bytes:
    return head % len(body) + body


@given(HEADS, st.lists(st.binary(max_size=12), min_size=1, max_size=4))
def test_a_known_head_means_what_the_parser_says(head: bytes, bodies: list[bytes]) -> None:
    """Whole messages with equal heads are served exactly as the same bytes that come one by one."""

    async def run() -> None:
        known: Known[Head] = Known()
        for body in bodies:
            whole_server, bytewise = Server(known), Server()
            for _ in range(2):
                whole_server.protocol.data_received(message(head, body))
                for byte in message(head, body):
                    bytewise.protocol.data_received(bytes([byte]))
                await settle(10)
            assert whole_server.seen == bytewise.seen
            assert whole_server.transport.written == bytewise.transport.written
            assert whole_server.transport.eof == bytewise.transport.eof

    asyncio.run(run())


async def test_only_the_first_of_equal_heads_is_parsed() -> None:
    """The second request of a kind, of another length, is served without the parser."""
    server = Server()
    server.protocol.data_received(message(POST, b"one"))
    await settle(10)
    server.protocol._parser = None
    server.protocol.data_received(message(POST, b"another"))
    await settle(10)

    assert [seen[-1] for seen in server.seen] == [b"one", b"another"]


async def test_a_known_head_inside_another_is_no_request() -> None:
    """In the middle of a head, or of a body, bytes that look like a known request are part of that message."""
    known: Known[Head] = Known()
    server = Server(known)
    server.protocol.data_received(message(POST, b"one"))
    await settle(10)
    hidden = message(POST, b"two")
    server.protocol.data_received(message(POST, b"") + b"POST /outer HTTP/1.1\r\nHost: x\r\nA: ")
    await settle(10)
    server.protocol.data_received(hidden)
    await settle(10)

    assert [seen[1] for seen in server.seen] == ["/a", "/a"]
    assert b"400 Bad Request" in server.transport.written


async def test_what_follows_a_known_head_is_not_kept_under_it() -> None:
    """A known request, then one of another shape on the same connection, then the known one again: three."""
    server = Server(Known())
    for data in (message(POST, b"one"), message(POST, b"two"), b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n"):
        server.protocol.data_received(data)
        await settle(10)
    server.protocol.data_received(message(POST, b"three"))
    await settle(10)

    assert [seen[:2] for seen in server.seen] == [
        ("POST", "/a"),
        ("POST", "/a"),
        ("GET", "/b"),
        ("POST", "/a"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        POST % 3 + b"four",
        POST % 3 + b"tw",
        b"POST / HTTP/1.1\r\nX: Content-Length: 3\r\n\r\none",
        b"POST / HTTP/1.1\r\nContent-Length: 3 \r\n\r\none",
        b"POST / HTTP/1.1\r\nA: " + b"a" * 5000 + b"\r\nContent-Length: 3\r\n\r\none",
    ],
)
def test_only_one_whole_message_has_a_key(data: bytes) -> None:
    """Too short, too long, or framed in any unusual way: left to the parser."""
    assert whole(data) is None


@given(HEADS, HEADS, st.binary(max_size=12), st.binary(max_size=12), st.integers(-3, 3))
def test_a_head_met_again_is_the_one_that_was_kept(
    head: bytes, other: bytes, body: bytes, later: bytes, off: int
) -> None:
    """The short look at a connection's next message finds exactly what the long one would find under the same key."""
    kept = whole(message(head, body))
    for data in (
        message(other, later),
        other % max(0, len(later) + off) + later,
        message(other, later)[:off],
    ):
        found = whole(data)
        if kept is not None:
            digits = data[len(kept[0][0]) :]
            odd = digits.startswith(b"0") and not digits.startswith(b"0\r")
            same = found is not None and found[0] == kept[0] and not odd
            assert again(data, *kept[0]) == (found[1] if same and found is not None else 0)


def test_heads_are_forgotten_when_that_is_asked() -> None:
    """All of them at once; what comes afterwards is kept again."""
    known: Known[int] = Known()
    known.keep((b"a", b""), 1)
    known.forget()
    assert known.get((b"a", b"")) is None
    known.keep((b"a", b""), 2)
    assert known.get((b"a", b"")) == (b"a", b"", 2)


def test_memory_for_heads_is_bounded() -> None:
    """However many different heads come, only the newest some hundred are kept."""
    known: Known[int] = Known()
    for number in range(2000):
        known.keep((b"%d" % number, b""), number)

    assert known.get((b"1999", b"")) is not None
    assert sum(known.get((b"%d" % number, b"")) is not None for number in range(2000)) <= 512
