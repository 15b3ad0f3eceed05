"""[Capability Map] as data: every endpoint by id and by model, published as immutable tuples."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from math import inf

from orchestra_core.domain.catalog import Endpoint, EndpointSpec, ModelInfo, Residency


class Catalog:
    """The endpoints there are. `update` is called by the control side; picking only reads tuples."""

    def __init__(self) -> None:
        self._endpoints: dict[str, Endpoint] = {}
        self.all: tuple[Endpoint, ...] = ()
        self._by_model: dict[str, tuple[Endpoint, ...]] = {}

    def update(
        self, backend: str, found: Iterable[tuple[EndpointSpec, ModelInfo]], since: float = inf
    ) -> None:
        """Replaces what is known of one backend; endpoints that stay keep their live state.

        A look that began (`since`, monotonic seconds) before a load or unload of ours ended may have seen what was
        before: it says nothing of that model's place and memory.
        """
        fresh: dict[str, Endpoint] = {}
        for spec, info in found:
            endpoint = self._endpoints.get(spec.id)
            if endpoint is None:
                endpoint = Endpoint(spec, info.residency)
            endpoint.spec = spec
            if since >= endpoint.changed:
                if _believes(endpoint.residency, info.residency):
                    endpoint.residency = info.residency
                    if info.residency is Residency.READY:
                        # A backend may list a model before it says that the load is done.
                        endpoint.progress = ""
                endpoint.memory_bytes = info.memory_bytes
            endpoint.pin = info.pin
            fresh[spec.id] = endpoint
        kept = {key: value for key, value in self._endpoints.items() if value.spec.backend != backend}
        self._endpoints = kept | fresh
        self._publish()

    def remove(self, backend: str) -> tuple[Endpoint, ...]:
        """Takes a backend's endpoints out and returns them: what runs on them goes on."""
        gone = self.of(backend)
        self._endpoints = {key: value for key, value in self._endpoints.items() if value not in gone}
        self._publish()
        return gone

    def _publish(self) -> None:
        self.all = tuple(sorted(self._endpoints.values(), key=lambda endpoint: endpoint.id))
        models: dict[str, list[Endpoint]] = {}
        for endpoint in self.all:
            models.setdefault(endpoint.spec.model, []).append(endpoint)
        self._by_model = {name: tuple(found) for name, found in models.items()}

    def get(self, endpoint_id: str) -> Endpoint | None:
        return self._endpoints.get(endpoint_id)

    def serving(self, model: str) -> tuple[Endpoint, ...]:
        """The endpoints of a model. Ollama's `:latest` may be left out, as its own clients do."""
        return self._by_model.get(model) or self._by_model.get(f"{model}:latest") or ()

    def of(self, backend: str) -> tuple[Endpoint, ...]:
        return tuple(endpoint for endpoint in self.all if endpoint.spec.backend == backend)

    @property
    def models(self) -> Mapping[str, tuple[Endpoint, ...]]:
        return self._by_model

    def nearest(self, model: str) -> list[str]:
        """Names a user may have meant."""
        return get_close_matches(model, self._by_model, n=3, cutoff=0.4)


def _believes(known: Residency, reported: Residency) -> bool:
    """Whether a look at the backend changes what we know: not while we unload, which ends in our own word."""
    if known in (Residency.READY, Residency.ABSENT):
        return True
    return reported is Residency.READY and known in (Residency.LOADING, Residency.RESERVED)
