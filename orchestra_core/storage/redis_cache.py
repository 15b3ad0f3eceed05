"""Answers kept in a Redis, where several engines find them. It is a help and never a need.

Theory of operation. Every look has a limit of time far below that of any answer, and is never tried a second time.
When Redis refuses, or has done nothing in time for a while, it is left alone: looks are misses at once and nothing
is stored, until a loop of our own, beside all requests, finds it well again. More than so many at once are misses
too. What is too old Redis drops by itself, and what does not fit by its own `maxmemory-policy`. Values are stored with
the age they may reach, so that their age is known without anybody's clock.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from orchestra_core.caching.counts import Counts

T = TypeVar("T")
# reliability.md section 2, P17: one operation may take so long.
LIMIT_SECONDS = 0.05
_PREFIX = b"ai-orchestra:answer:1:"
# For so long nothing was done in time: a moment in which our own loop was busy is none of Redis' faults.
_SLOW_SECONDS = 0.2
_AT_ONCE = 64
_LOOK_SECONDS = 2.0
# Connecting over a network, and TLS, take longer than an operation; only the loop beside the requests does it first.
_CONNECT_SECONDS = 1.0
_MOST_STORES = 256
_CLEAR_SECONDS = 10.0
_BATCH = 1000
_TROUBLE = (RedisError, OSError, TimeoutError)


class RedisShelf:
    """`max_age` gives the seconds an answer is kept; `say` publishes an event when Redis goes and when it is back."""

    def __init__(
        self,
        url: str,
        counts: Counts,
        max_age: Callable[[], float],
        say: Callable[[str, str, str, str], None],
    ) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=_CONNECT_SECONDS,
            socket_connect_timeout=_CONNECT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            max_connections=_AT_ONCE + 4,
        )
        self._counts = counts
        self._max_age = max_age
        self._say = say
        self._busy = 0
        self._slow_since: float | None = None
        self._stores: set[asyncio.Task[None]] = set()
        self._look_again = asyncio.Event()
        # Until it was looked at nobody waits for it.
        self.problem = "not looked at yet"

    async def get(self, name: bytes) -> tuple[bytes, float] | None:
        if self.problem:
            self._counts.lost += 1
            return None
        found = await self._in_time(partial(self._read, _PREFIX + name))
        if found is None:
            return None
        value, left = found
        lifetime, kept = int.from_bytes(value[:8], "big"), value[8 + len(name) :]
        age = max(0.0, (lifetime - left) / 1000)
        # A client of Redis that mixed up its answers once told people the titles of others' conversations
        # (OpenAI, March 20 ChatGPT outage, 2023): what is found says itself what it is the answer to.
        if value[8 : 8 + len(name)] != name or age >= self._max_age():
            return None
        return kept, age

    def put(self, name: bytes, data: bytes) -> None:
        """Beside the request: it has its answer."""
        if self.problem or len(self._stores) >= _MOST_STORES:
            self._counts.lost += 1
            return
        task = asyncio.get_running_loop().create_task(self._put(name, data))
        self._stores.add(task)
        task.add_done_callback(self._stores.discard)

    async def clear(self) -> int:
        """How many there were, of all engines; raises OSError or TimeoutError where Redis does not do it."""
        try:
            async with asyncio.timeout(_CLEAR_SECONDS):
                return await self._clear()
        except RedisError as error:
            raise OSError(str(error)) from error

    async def keep(self) -> None:
        """Looks every two seconds whether Redis is well, and at once when there was trouble; for ever."""
        while True:
            await self._look()
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._look_again.wait()
            except TimeoutError:
                continue
            self._look_again.clear()
            await asyncio.sleep(LIMIT_SECONDS)

    async def close(self) -> None:
        for task in tuple(self._stores):
            task.cancel()
        await asyncio.gather(*self._stores, return_exceptions=True)
        await self._redis.aclose()

    # -- one operation ---------------------------------------------------------------------------------

    async def _read(self, name: bytes) -> tuple[bytes, int] | None:
        """The value and the milliseconds it has left, in one round trip; None where there is nothing."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(name)
        pipeline.pttl(name)
        value, left = await pipeline.execute()
        return None if value is None or left <= 0 else (value, left)

    async def _put(self, name: bytes, data: bytes) -> None:
        lifetime = max(1, int(self._max_age() * 1000))
        value = lifetime.to_bytes(8, "big") + name + data
        await self._in_time(partial(self._store, _PREFIX + name, value, lifetime))

    async def _store(self, name: bytes, value: bytes, lifetime: int) -> bool:
        await self._redis.set(name, value, px=lifetime)
        return True

    async def _clear(self) -> int:
        gone, cursor = 0, 0
        while True:
            cursor, names = await self._redis.scan(cursor, match=_PREFIX + b"*", count=_BATCH)
            if names:
                gone += await self._redis.unlink(*names)
            if not cursor:
                return gone

    async def _in_time(self, operation: Callable[[], Awaitable[T]]) -> T | None:
        if self._busy < _AT_ONCE:
            self._busy += 1
            try:
                async with asyncio.timeout(LIMIT_SECONDS):
                    done = await operation()
            except TimeoutError:
                self._was_slow()
            except (RedisError, OSError) as error:
                self._leave(str(error) or type(error).__name__)
            else:
                self._slow_since = None
                return done
            finally:
                self._busy -= 1
        self._counts.lost += 1
        return None

    def _was_slow(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._slow_since is None:
            self._slow_since = now
        elif now - self._slow_since >= _SLOW_SECONDS:
            self._leave(
                f"nothing was done within {LIMIT_SECONDS * 1000:g} ms for {now - self._slow_since:.1f} s"
            )

    # -- its health ------------------------------------------------------------------------------------

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await self._redis.ping()
            # Connected it is by now: so long an operation may take.
            async with asyncio.timeout(LIMIT_SECONDS):
                await self._redis.ping()
        except _TROUBLE as error:
            self._leave(str(error) or f"no answer to PING within {LIMIT_SECONDS * 1000:g} ms")
        else:
            self._slow_since = None
            if self.problem:
                self._say("cache.redis", "redis", "answers are kept in Redis", "info")
            self.problem = ""

    def _leave(self, why: str) -> None:
        """Told once, until it is well again."""
        if not self.problem or self.problem == "not looked at yet":
            self._say("cache.redis", "redis", f"Redis is left alone, every look is a miss: {why}", "error")
            self._look_again.set()
        self.problem = why
