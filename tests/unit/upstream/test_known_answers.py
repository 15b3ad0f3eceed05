"""A backend's head seen before is not parsed again; what it means must not depend on that."""

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.upstream.address import Address
from orchestra_core.upstream.transport import Connection, Pool
from tests.fakes.transport import FakeTransport

OK = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: %d\r\n\r\n"
HEADS = st.sampled_from(
    [
        OK,
        OK.replace(b"Content-Length", b"content-length"),
        OK.replace(b"200 OK", b"503 Service Unavailable"),
        OK.replace(b"200 OK", b"204 No Content"),
        OK.replace(b"200 OK", b"304 Not Modified"),
        OK.replace(b"200 OK", b"103 Early Hints"),
        OK.replace(b"Server: x", b"Connection: close"),
        OK.replace(b"Server: x", b"Content-Length: 3"),
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ]
)


class Heard:
    """A consumer that writes down what it is told."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.end = ""

    def on_head(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self.status = status
        # The length is left out: of a known head it is that of the first message.
        self.headers = [pair for pair in headers if pair[0] != b"content-length"]

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_complete(self) -> None:
        self.end = "complete"

    def on_answer(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        self.on_head(status, headers)
        self.on_body(body)
        self.on_complete()

    def on_lost(self, reason: str) -> None:
        self.end = "lost"


def hear(pool: Pool, pieces: list[bytes]) -> tuple[dict[str, object], bool]:
    """What a consumer is told of these pieces, and whether the connection may be used again."""
    connection, heard = Connection(pool), Heard()
    connection.connection_made(FakeTransport())
    connection.send(b"", b"", heard)
    for piece in pieces:
        if not heard.end:
            connection.data_received(piece)
    # Bytes after an answer that has no body are dropped with the connection, if they have come by then.
    reusable = pool.reuse() is not None or heard.status in (204, 304)
    return vars(heard), reusable


@given(HEADS, st.lists(st.binary(max_size=8), min_size=1, max_size=4))
def test_a_known_head_means_what_the_parser_says(head: bytes, bodies: list[bytes]) -> None:
    """Answers that come whole, with a head seen before, are told as when they come byte by byte."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        address = Address("127.0.0.1", 1)
        shared = Pool(address, loop)
        for body in bodies * 2:
            answer = head % len(body) + body
            assert hear(shared, [answer]) == hear(Pool(address, loop), [bytes([byte]) for byte in answer])

    asyncio.run(run())


async def test_what_follows_a_known_head_is_not_kept_under_it() -> None:
    """On one connection: an answer twice, one of another shape, and the first shape again means what it did."""
    pool = Pool(Address("127.0.0.1", 1), asyncio.get_running_loop())
    connection = Connection(pool)
    connection.connection_made(FakeTransport())
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"
    chunked = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
    heard = []
    for answer in (plain, plain, chunked, plain):
        one = Heard()
        connection.send(b"", b"", one)
        connection.data_received(answer)
        heard.append((one.status, one.body, one.end))

    right = (200, b"one", "complete")
    assert heard == [right, right, (404, b"two", "complete"), right]
