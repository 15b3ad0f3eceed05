"""Answers in a real Redis: shared by engines, and no client notices when it is slow, gone or back."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from orchestra_core.caching.counts import Counts
from orchestra_core.config import load
from orchestra_core.domain.errors import ConfigError
from orchestra_core.storage.redis_cache import RedisShelf
from tests.fakes.chaos import ChaosBackend
from tests.fakes.engine_here import EngineHere
from tests.fakes.redis_server import RedisServer
from tests.fakes.turns import one_turn, until
from tests.integration.cache.asking import cache, kept
from tests.integration.cache.conftest import PRICED

Leap = Callable[[float], None]
NAME, OTHER = b"n" * 32, b"o" * 32


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def engine(tmp_path: Path, backend: ChaosBackend, redis: RedisServer) -> AsyncIterator[EngineHere]:
    """An engine that has found its Redis."""
    more = f'{PRICED}[storage]\nredis = "{redis.url}"\n'
    async with EngineHere(tmp_path, [backend], more, slots=16) as made:
        await until(lambda: not problem(made))
        yield made


def problem(engine: EngineHere) -> str:
    return engine.engine.answers.view().problem


async def stored(engine: EngineHere, number: int = 1) -> None:
    """Returns when so many answers are in Redis."""
    await kept(engine, number)
    shelf = engine.engine.answers._redis
    assert shelf is not None
    await until(lambda: not shelf._stores)


async def test_answers_are_found_by_another_engine(
    tmp_path: Path, backend: ChaosBackend, engine: EngineHere, redis: RedisServer
) -> None:
    """With the same models and tenant; clearing the cache clears it for both."""
    one = await engine.chat(temperature=0)
    await stored(engine)
    (tmp_path / "second").mkdir()
    more = f'{PRICED}[storage]\nredis = "{redis.url}"\n'
    async with EngineHere(tmp_path / "second", [backend], more) as second:
        await until(lambda: not problem(second))
        two = await second.chat(temperature=0, stream=True)
        assert (cache(two), two.content, two.headers["age"]) == ("hit", one.content, "0")
        assert len(backend.calls) == 1
        view = second.snapshot().cache
        assert (view.place, view.entries, view.bytes) == ("redis", None, None)
        assert (await second.post("/api/v1/cache/clear", {})).json == {"entries": 1, "bytes": None}
        assert cache(await engine.chat(temperature=0)) == "miss"


async def test_health_tells_the_truth_about_redis(engine: EngineHere, redis: RedisServer) -> None:
    """Connected, unavailable within seconds of its end though nobody asks, and connected again."""

    async def service() -> str:
        return str((await engine.get("/health")).json["services"]["redis"])

    assert await service() == "connected"
    redis.stop()
    await until(lambda: bool(problem(engine)))
    await one_turn()
    assert engine.engine.snapshots.current().cache.problem
    assert await service() == "unavailable"
    redis.start()
    await until(lambda: not problem(engine))
    assert await service() == "connected"
    assert [("left alone" in text) for text in engine.told("cache.redis")] == [False, True, False]


async def test_a_redis_that_is_gone_is_a_miss(
    engine: EngineHere, backend: ChaosBackend, redis: RedisServer
) -> None:
    """Counted for every request, told once, and never a failed answer."""
    redis.stop()
    answers = [await engine.chat(temperature=0) for _ in range(5)]
    assert [(answer.status, cache(answer)) for answer in answers] == [(200, "miss")] * 5
    assert len(backend.calls) == 5
    assert engine.engine.answers.view().lost >= 5
    shelf = engine.engine.answers._redis
    assert shelf is not None
    for _ in range(3):
        await shelf._look()
    assert len(engine.told("cache.redis")) == 2
    assert (await engine.post("/api/v1/cache/clear", {})).status == 503


async def test_a_redis_that_is_silent_is_left_alone(
    engine: EngineHere, backend: ChaosBackend, redis: RedisServer, leap: Leap
) -> None:
    """Looks end after 50 ms, and soon nobody waits any more; when it speaks again it is used again."""
    await engine.chat(temperature=0)
    await stored(engine)
    redis.freeze()
    try:
        loop = asyncio.get_running_loop()
        for _ in range(3):
            task = loop.create_task(engine.chat(temperature=0))
            assert cache(await task) == "miss"
        await until(lambda: bool(problem(engine)))
        began = loop.time()
        shelf = engine.engine.answers._redis
        assert shelf is not None
        assert await shelf.get(NAME) is None
        assert loop.time() - began < 0.05
        assert "within 50 ms" in problem(engine)
    finally:
        redis.thaw()
    await until(lambda: not problem(engine))
    assert cache(await engine.chat(temperature=0)) == "hit"


async def test_a_crowd_is_no_trouble(redis: RedisServer) -> None:
    """More looks at once than there are connections are misses, and Redis is not left alone for it."""
    counts = Counts()
    shelf = RedisShelf(redis.url, counts, lambda: 100.0, lambda *event: None)
    try:
        await shelf._look()
        found = await asyncio.gather(*(shelf.get(NAME) for _ in range(300)))
        assert found == [None] * 300
        assert counts.lost >= 236
        assert shelf.problem == ""
        assert shelf._busy == 0
    finally:
        await shelf.close()


async def test_what_redis_keeps_ages_and_goes(redis: RedisServer) -> None:
    """It tells its age without a clock of ours, is not given to who asks for something else, and ends by itself."""
    counts, told = Counts(), []
    ages = [100.0]
    shelf = RedisShelf(redis.url, counts, lambda: ages[-1], lambda *event: told.append(event))
    try:
        await shelf._look()
        assert [kind for kind, *_ in told] == ["cache.redis"]
        shelf.put(NAME, b"answer")
        await until(lambda: not shelf._stores)
        found = await shelf.get(NAME)
        assert found is not None
        assert (found[0], found[1] < 5) == (b"answer", True)
        assert await shelf.get(OTHER) is None
        prefix = b"ai-orchestra:answer:1:"
        assert 90_000 < await shelf._redis.pttl(prefix + NAME) <= 100_000
        await shelf._redis.copy(prefix + NAME, prefix + OTHER)
        assert await shelf.get(OTHER) is None
        await shelf._redis.pexpire(prefix + NAME, 40_000)
        found = await shelf.get(NAME)
        assert found is not None
        assert 59 <= found[1] <= 61
        ages.append(50.0)
        assert await shelf.get(NAME) is None
        assert await shelf.clear() == 2
        assert counts.lost == 0
    finally:
        await shelf.close()


def test_the_extra_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis in the file is an error then; a port in the environment is said to have no effect."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "redis" else real(name))
    file = tmp_path / "c.toml"
    file.write_text('[storage]\nredis = "redis://:secret@h:1/0"\n')
    file.chmod(0o600)
    with pytest.raises(ConfigError, match=r"pip install 'ai-orchestra\[redis\]'"):
        load({"config": str(file)}, {"HOME": str(tmp_path)}, tmp_path)
    config = load({}, {"HOME": str(tmp_path), "RESOURCE_PORTS_REDIS": "6379"}, tmp_path)
    assert config.storage.redis is None
    assert any("ai-orchestra[redis]" in note for note in config.notes)
