"""The cache of answers as this engine has it: in front of the pipeline, as the configuration says at the moment."""

from collections.abc import Callable

import msgspec

from orchestra_core.caching.counts import Counts
from orchestra_core.caching.key import scope_of
from orchestra_core.caching.store import Store
from orchestra_core.clock import Clock
from orchestra_core.config import Config
from orchestra_core.domain.caching import CacheView, Cleared
from orchestra_core.pipeline.assembly import Pipeline
from orchestra_core.pipeline.cached import Cached, Limits
from orchestra_core.pipeline.completion import Completion
from orchestra_core.pipeline.shelf import MemoryShelf
from orchestra_core.upstream.folding import Folding


class Answers:
    """`answer` is the pipeline with the cache before it. `config` gives what is in effect, once `answer` is called."""

    def __init__(
        self,
        pipeline: Pipeline,
        completion: Completion,
        clock: Clock,
        first: Config,
        config: Callable[[], Config],
    ) -> None:
        self._config = config
        self._counts = Counts()
        self._store = Store(first.cache.memory, first.cache.max_age_seconds)
        self.answer = Cached(
            pipeline.service,
            MemoryShelf(self._store, clock),
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
        return CacheView(
            place="memory" if enabled else "off",
            entries=len(store),
            bytes=store.size,
            limit=store.limit,
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
        size = self._store.size
        return Cleared(self._store.clear(), size)

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


def _weights(backend: dict[str, object]) -> str:
    """What decides which weights are behind the names of models, and how they are run."""
    return repr([backend[key] for key in ("name", "kind", "url", "command", "files", "context")])
