"""What an operator does to a backend or a breaker, by name; a name that is not there is answered with the nearest."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches

from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import Circuit, Endpoint
from orchestra_core.domain.errors import NotFound
from orchestra_core.domain.snapshot import BackendView, BreakerView
from orchestra_core.engine.members import Member, Members
from orchestra_core.pipeline.lanes import Lanes
from orchestra_core.routing.catalog import Catalog


class Steering:
    """Takes effect at once: planning reads the same endpoints."""

    def __init__(
        self,
        *,
        clock: Clock,
        catalog: Catalog,
        lanes: Lanes,
        members: Members,
        circuit_changed: Callable[[Endpoint, Circuit, str], None],
        say: Callable[[str, str, str, str], None],
    ) -> None:
        self._clock = clock
        self._catalog = catalog
        self._lanes = lanes
        self._members = members
        self._circuit_changed = circuit_changed
        self._say = say
        self._emptying: set[str] = set()

    def guard(self, action: str, endpoint_id: str, reason: str, seconds: float | None = None) -> BreakerView:
        """`trip` (for `seconds`, None: until reset) or `reset` the breaker of an endpoint; idempotent."""
        endpoint = self.endpoint(endpoint_id)
        breaker = self._lanes.of(endpoint).breaker
        now = self._clock.monotonic()
        changed = breaker.trip(now, reason, seconds) if action == "trip" else breaker.reset(now)
        view = breaker.view(endpoint.id, now)
        if changed is not None or view.tripped:
            self._circuit_changed(endpoint, breaker.state(now), view.reason or "reset by operator")
        return view

    def endpoint(self, endpoint_id: str) -> Endpoint:
        """By its id; raises NotFound with the nearest ones."""
        endpoint = self._catalog.get(endpoint_id)
        if endpoint is None:
            raise no_endpoint(endpoint_id, self._catalog)
        return endpoint

    def member(self, name: str) -> Member:
        """By its name; raises NotFound with the nearest ones."""
        member = self._members.get(name)
        if member is None:
            raise _unknown("backend", name, self._members.names(), "ai-orchestra health --verbose")
        return member

    def backend(self, action: str, name: str) -> BackendView:
        """`drain` a backend or let it `resume`; idempotent. What runs on it finishes."""
        member = self.member(name)
        if member.draining is not (action == "drain"):
            self._members.drain(member, action == "drain")
            self._tell(member)
        return self._members.view(member)

    def _tell(self, member: Member) -> None:
        name = member.settings.name
        self._emptying.discard(name)
        if member.draining:
            self._emptying.add(name)
            self._say(
                "backend.draining", name, f"no new requests; {self._running(name)} are running", "warning"
            )
        else:
            self._say("backend.resumed", name, "takes requests again", "info")

    def _running(self, name: str) -> int:
        return sum(endpoint.inflight for endpoint in self._catalog.of(name))

    def look(self) -> None:
        """Says it once when the last request of a draining backend has ended; call it every second or so."""
        for name in [name for name in self._emptying if not self._running(name)]:
            self._emptying.discard(name)
            self._say("backend.drained", name, "nothing runs on it any more", "info")


def no_endpoint(name: str, catalog: Catalog, param: str = "name") -> NotFound:
    """With the nearest ones."""
    return _unknown("endpoint", name, [known.id for known in catalog.all], "ai-orchestra models", param)


def _unknown(what: str, name: str, known: Iterable[str], command: str, param: str = "name") -> NotFound:
    near = get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"{command} lists what there is"
    return NotFound(f"there is no {what} {name[:128]!r}; {hint}", param=param, code=f"{what}_not_found")
