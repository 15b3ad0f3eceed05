"""The cache of answers as this engine has it: in front of the pipeline, as the configuration says at the moment."""

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from orchestra_core.background.supervisor import Supervisor
from orchestra_core.caching.counts import Counts
from orchestra_core.caching.key import scope_of
from orchestra_core.caching.store import Store
from orchestra_core.clock import Clock
from orchestra_core.config import Config
from orchestra_core.domain.caching import CacheView, Cleared
from orchestra_core.domain.errors import Unavailable
from orchestra_core.pipeline.assembly import Pipeline
from orchestra_core.pipeline.cached import Cached, Limits
from orchestra_core.pipeline.completion import Completion
from orchestra_core.pipeline.shelf import MemoryShelf
from orchestra_core.upstream.folding import Folding

if TYPE_CHECKING:
    from orchestra_core.storage.redis_cache import RedisShelf


class Answers:
    """`answer` is the pipeline with the cache before it. `config` gives what is in effect."""

    def __init__(
        self,
        pipeline: Pipeline,
        completion: Completion,
        clock: Clock,
        config: Callable[[], Config],
        say: Callable[[str, str, str, str], None],
    ) -> None:
        self._config, first = config, config()
        self._counts = Counts()
        self._store = Store(first.cache.memory, first.cache.max_age_seconds)
        self._redis = _redis(first, self._counts, lambda: self._taken.cache.max_age_seconds, say)
        self.answer = Cached(
            pipeline.service,
            self._redis or MemoryShelf(self._store, clock),
            clock=clock,
            reading=Folding(),
            given=completion.given,
            find=pipeline.find,
            patience=pipeline.patience,
            counts=self._counts,
            refresh=self._refresh,
        )
        self._take(first)

    def view(self) -> CacheView:
        store, counts, enabled = self._store, self._counts, self._config().cache.enabled
        redis = self._redis
        return CacheView(
            place="off" if not enabled else "memory" if redis is None else "redis",
            entries=len(store) if redis is None else None,
            bytes=store.size if redis is None else None,
            limit=store.limit if redis is None else None,
            lost=counts.lost,
            problem="" if redis is None else redis.problem,
            hits=counts.hits,
            shared=counts.shared,
            misses=counts.misses,
            kept=counts.kept,
            dropped=store.dropped,
            expired=store.expired,
            saved=counts.saved,
            unpriced=counts.unpriced,
        )

    async def clear(self) -> Cleared:
        """Of Redis what all engines keep there; raises Unavailable where it does not answer."""
        if self._redis is not None:
            try:
                return Cleared(await self._redis.clear(), None)
            except (OSError, TimeoutError) as error:
                raise Unavailable(f"Redis does not answer, so nothing was dropped: {error}") from error
        size = self._store.size
        return Cleared(self._store.clear(), size)

    def start(self, supervisor: Supervisor) -> None:
        if self._redis is not None:
            supervisor.keep(self._redis.keep, "Redis")

    async def close(self) -> None:
        if self._redis is not None:
            await self._redis.close()

    def _refresh(self) -> None:
        config = self._config()
        if config is not self._taken:
            self._take(config)

    def _take(self, config: Config) -> None:
        self._taken = config
        cache = config.cache
        self._store.configure(cache.memory if cache.enabled else 0, cache.max_age_seconds)
        self.answer.limits = Limits(cache.enabled, cache.entry_bytes, cache.wait_seconds)
        self.answer.scope = scope_of(
            {
                "models": sorted((name, repr(model)) for name, model in config.models.items()),
                "backends": sorted(_weights(msgspec.structs.asdict(backend)) for backend in config.backends),
            }
        )


def _redis(
    config: Config,
    counts: Counts,
    max_age: Callable[[], float],
    say: Callable[[str, str, str, str], None],
) -> "RedisShelf | None":
    """Its library is an extra, and imported only where it is wanted."""
    if config.storage.redis is None:
        return None
    module = importlib.import_module("orchestra_core.storage.redis_cache")
    shelf: RedisShelf = module.RedisShelf(config.storage.redis, counts, max_age, say)
    return shelf


def _weights(backend: dict[str, object]) -> str:
    """What decides which weights are behind the names of models, and how they are run."""
    return repr([backend[key] for key in ("name", "kind", "url", "command", "files", "context")])
