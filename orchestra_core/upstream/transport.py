"""Connections to backends: one request at a time each, pooled per address, no locks and no queues.

Why not httpx here: measured 3,700 µs of CPU per request against 20 µs for a protocol with httptools (design.md
section 4). The numbers behind the pool: llama.cpp and vLLM close idle connections after 5 s, so ours live 3 s
(linkerd's value) unless the server says how long it waits; newest first, so that the pool shrinks by itself.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import httptools

from orchestra_core.http1.heads import fixed_headers, request_start
from orchestra_core.http1.known import Key, Known, Seen, again, whole
from orchestra_core.http1.outgoing import Outbox, Outgoing
from orchestra_core.upstream.address import Address
from orchestra_core.upstream.dialing import Dialer

IDLE_SECONDS: Final = 3.0
# However long a server says it keeps a connection: it may have been restarted since.
_LONGEST_IDLE: Final = 60.0
# Where the server does not say: what limits the requests of a connection tells in its last answer that it closes
# (nginx, cpp-httplib). A new one costs 300 µs of CPU, with every 64th request that was 4 % of all (measured).
_MOST_REUSES: Final = 1000
_HEAD_LIMIT: Final = 32768
_MOST_FIELDS: Final = 100
_MOST_INTERIM: Final = 4
# The most the kernel may hold for us of one answer; the system doubles it. A read brings no more than that.
_RECEIVE_BUFFER: Final = 49152
_ODD: Final = frozenset({b"content-encoding", b"transfer-encoding"})
_HIGH_WATER: Final = 65536
# Status, headers, and whether the connection is kept.
_Head = tuple[int, list[tuple[bytes, bytes]], bool]
_WITHOUT_BODY: Final = (204, 304)  # whatever their Content-Length says (RFC 9112 section 6.3)


class Consumer(Protocol):
    """What one exchange is told; exactly one of `on_complete`, `on_answer` and `on_lost` ends it."""

    def on_head(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None: ...

    def on_body(self, data: bytes) -> None: ...

    def on_complete(self) -> None: ...

    def on_answer(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None: ...

    def on_lost(self, reason: str) -> None: ...


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection to a backend."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._consumer: Consumer | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._key: Key | None = None
        self._seen: Seen[_Head] | None = None
        self._interim = 0
        self.closed = False
        self.answered = False
        self.paused = False
        self.encoded = False
        self.left = -1
        self.idle_since = 0.0
        self.idle_seconds = IDLE_SECONDS

    def send(self, head: bytes, body: bytes, consumer: Consumer) -> None:
        self._consumer = consumer
        self.answered = False
        self.transport.write(head + body)

    def abort(self) -> None:
        """Ends the exchange without telling the consumer: the backend sees the connection close."""
        self._consumer = None
        self.closed = True
        self.transport.abort()

    def pause(self) -> None:
        self.paused = True
        if not self.closed:
            self.transport.pause_reading()

    def resume(self) -> None:
        self.paused = False
        if not self.closed:
            self.transport.resume_reading()

    def learn(self) -> None:
        """What the server says, in its first answer, about keeping the connection (RFC 2068 section 19.7.1)."""
        self.left = _MOST_REUSES
        for name, value in self._headers:
            if name == b"keep-alive":
                for part in value.decode("latin-1").lower().split(","):
                    word, _, number = part.strip().partition("=")
                    if word in ("timeout", "max") and number.isdigit():
                        self._is_kept(word, min(int(number[:6]) - 1, 100_000))

    def _is_kept(self, word: str, number: int) -> None:
        """One less than it says, so that we are the first to close."""
        if word == "timeout":
            self.idle_seconds = min(max(number, 0), _LONGEST_IDLE)
        else:
            self.left = max(number, 0)

    # -- asyncio ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = Outgoing(transport, self._pool.outbox)  # type: ignore[arg-type]  # asyncio types it wider
        self.transport.set_write_buffer_limits(_HIGH_WATER)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)

    def data_received(self, data: bytes) -> None:
        if self._consumer is None:
            self._drop()  # bytes nobody asked for: the next answer could not be trusted
            return
        if not self.answered:
            self.answered = True
            seen = self._seen
            start = again(data, seen[0], seen[1]) if seen is not None else 0
            if start or (start := self._known(data)):
                self._whole(data[start:])
                return
        try:
            self._parser.feed_data(data)
            self._key = None
        except httptools.HttpParserError as error:
            self._fail(f"the backend sent malformed HTTP: {error.__context__ or error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._pool.forget(self)
        why = f"lost: {getattr(exc, 'strerror', None) or exc}" if exc else "closed by the backend"
        self._fail(f"the connection was {why}")

    def _drop(self) -> None:
        self.closed = True
        self._pool.forget(self)
        self.transport.abort()

    def _fail(self, reason: str) -> None:
        consumer, self._consumer = self._consumer, None
        if not self.closed:
            self._drop()
        if consumer is not None:
            consumer.on_lost(reason)

    # -- httptools -------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A second answer to one request would be taken for the answer to the next one."""
        if self._consumer is None:
            raise ValueError("an answer that nobody asked for")
        self._head_bytes = 0
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > _HEAD_LIMIT or len(self._headers) >= _MOST_FIELDS:
            raise ValueError("response head too large")
        name = name.lower()
        if name in _ODD:
            self._is_odd(name, value.strip().lower())
        self._headers.append((name, value))

    def _is_odd(self, name: bytes, coding: bytes) -> None:
        if name == b"content-encoding":
            self.encoded = coding not in (b"", b"identity")
        elif coding != b"chunked":
            raise ValueError(f"transfer-encoding {coding[:40].decode('latin-1')!r} was not asked for")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 and self._consumer is not None:
            self._consumer.on_head(status, self._headers)

    def on_body(self, data: bytes) -> None:
        if self._consumer is not None:
            self._consumer.on_body(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._interim += 1
            if self._interim > _MOST_INTERIM:
                raise ValueError("too many interim answers")
            return
        self._interim = 0
        keep_alive = self._parser.should_keep_alive()
        if self._key is not None and status not in _WITHOUT_BODY and not self.encoded:
            self._pool.known.keep(self._key, (status, self._headers, keep_alive))
        self._complete(keep_alive)

    def _known(self, data: bytes) -> int:
        """Where the body starts of a whole answer whose head has been parsed before; else 0, and its key is noted."""
        found = whole(data)
        if found is None:
            return 0
        key, start = found
        self._seen = self._pool.known.get(key)
        if self._seen is not None:
            return start
        self._key = key
        return 0

    def _whole(self, body: bytes) -> None:
        consumer, seen = self._consumer, self._seen
        assert consumer is not None
        assert seen is not None
        self._consumer = None
        status, headers, keep_alive = seen[2]
        self._headers = headers
        if keep_alive:
            self._pool.give_back(self)
        else:
            self._drop()
        consumer.on_answer(status, headers, body)

    def _complete(self, keep_alive: bool) -> None:
        consumer, self._consumer = self._consumer, None
        if keep_alive and not self.encoded:
            self._pool.give_back(self)
        else:
            self._drop()
        if consumer is not None:
            consumer.on_complete()


class Pool:
    """The connections to one address."""

    def __init__(
        self,
        address: Address,
        loop: asyncio.AbstractEventLoop,
        dialer: Dialer | None = None,
        now: Callable[[], float] | None = None,
        outbox: Outbox | None = None,
    ) -> None:
        self.outbox = outbox
        self.address = address
        # A llama.cpp child drops one in six kept connections without a word (measured), and on a Unix socket
        # a new one costs next to nothing.
        self._keeps = address.unix is None
        self._now = now or loop.time
        self._dialer = dialer or Dialer(loop)
        self._idle: list[Connection] = []
        # How long connecting may take; None: as long as for any.
        self.limit: float | None = None
        self.known: Known[_Head] = Known()
        self._starts: dict[str, bytes] = {}
        self._fixed = fixed_headers(_authority(address), address.headers)

    def head(self, target: str, length: int) -> bytes:
        start = self._starts.get(target)
        if start is None:
            start = request_start("POST", self.address.prefix + target, self._fixed)
            self._starts[target] = start
        return start + b"%d\r\n\r\n" % length

    def reuse(self) -> Connection | None:
        """The connection used last, if it has not been idle for too long."""
        now = self._now()
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since + connection.idle_seconds > now:
                return connection
            connection.abort()
        return None

    async def connect(self) -> Connection:
        """A new connection; raises OSError (refused, unresolved) or TimeoutError."""
        return await self._dialer.dial(self._connection, self.address, self.limit)

    @property
    def connect_seconds(self) -> float:
        return self._dialer.seconds(self.address, self.limit)

    def _connection(self) -> Connection:
        return Connection(self)

    def give_back(self, connection: Connection) -> None:
        if connection.left < 0:
            connection.learn()
        if not self._keeps or connection.left == 0 or connection.closed:
            connection.abort()
            return
        connection.left -= 1
        connection.idle_since = self._now()
        self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    def trim(self) -> None:
        """Closes what has been idle too long; called about once a second."""
        now = self._now()
        while self._idle and self._idle[0].idle_since + self._idle[0].idle_seconds <= now:
            self._idle.pop(0).abort()

    def close(self) -> None:
        """Nothing is kept any more; what is under way goes on to its end."""
        self._keeps = False
        while self._idle:
            self._idle.pop().abort()


def _authority(address: Address) -> str:
    """The Host header (RFC 9110 section 7.2): the port left out where it is the scheme's own."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    usual = 443 if address.tls else 80
    return host if address.unix is not None or address.port == usual else f"{host}:{address.port}"
