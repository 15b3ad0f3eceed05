"""What the parts of the engine tell of, as events for people; and who has to look again because of it."""

import asyncio
from collections.abc import Callable

from orchestra_core.clock import Clock
from orchestra_core.domain.call import Call
from orchestra_core.domain.catalog import Circuit, Endpoint
from orchestra_core.domain.outcome import Outcome, Verdict
from orchestra_core.pipeline.lanes import Lanes

Publish = Callable[[str, str, str, str], None]
_COMPLAIN_SECONDS = 60.0
_LEVELS = {Circuit.OPEN: "error", Circuit.HALF_OPEN: "warning"}


def with_lanes(
    lanes: Lanes, clock: Clock, tell: Callable[[Endpoint, Circuit, str], None]
) -> Callable[[Endpoint, Circuit, str], None]:
    """For what a probe or the operator changed: slots, and who waits for them, follow at once, as for requests."""

    def turned(endpoint: Endpoint, circuit: Circuit, why: str) -> None:
        lanes.changed(lanes.of(endpoint), circuit, clock.monotonic())
        tell(endpoint, circuit, why)

    return turned


class Tidings:
    """`suspect` makes the monitor of a backend look at once. `database` is the ledger's state in words."""

    def __init__(
        self, publish: Publish, suspect: Callable[[str], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.publish = publish
        self._suspect = suspect
        self._loop = loop
        self.database = "connected"
        # Told of every change of a breaker, after everybody else.
        self.turned: Callable[[Endpoint, Circuit], None] = lambda *_: None
        self._complained: dict[str, float] = {}

    def circuit_changed(self, endpoint: Endpoint, circuit: Circuit, why: str) -> None:
        endpoint.circuit = circuit
        self.publish(f"breaker.{circuit}", endpoint.id, why or "", _LEVELS.get(circuit, "info"))
        if circuit is Circuit.OPEN:
            self._suspect(endpoint.spec.backend)
        self.turned(endpoint, circuit)

    def failed_over(self, call: Call, outcome: Outcome, to: str) -> None:
        self.publish("request.failover", call.id, f"{outcome.endpoint} -> {to}: {outcome.message}", "warning")
        if outcome.verdict in (Verdict.UNREACHABLE, Verdict.DROPPED):
            self._suspect(outcome.endpoint.partition("/")[0])

    def no_prices(self, why: str) -> None:
        self.publish("prices.missing", "accounting", f"published prices are not known: {why}", "warning")

    def misconfigured(self, endpoint: Endpoint, outcome: Outcome) -> None:
        """Said once a minute of each: nothing but the operator's hand changes it."""
        now = self._loop.time()
        if now - self._complained.get(endpoint.id, float("-inf")) < _COMPLAIN_SECONDS:
            return
        self._complained[endpoint.id] = now
        what = f"refused us with {outcome.status}: check its key and its configuration; {outcome.message}"
        self.publish("backend.misconfigured", endpoint.id, what, "error")

    def failed(self, call: Call, outcome: Outcome) -> None:
        why = f"{outcome.endpoint}: {outcome.verdict}: {outcome.message}"
        self.publish("request.failed", call.id, why, "error")

    def ledger_problem(self, problem: str) -> None:
        """Called from the writer's thread."""
        self._loop.call_soon_threadsafe(self._ledger, problem)

    def _ledger(self, problem: str) -> None:
        self.database = f"unavailable: {problem}" if problem else "connected"
        level = "error" if problem else "info"
        self.publish("engine.ledger", "ledger", problem or "records are written again", level)

    def ledger_flaw(self, flaw: str) -> None:
        """From any thread: what of the journal could not be read."""
        self.from_thread("engine.journal", "journal", flaw, "error")

    def from_thread(self, kind: str, subject: str, message: str, level: str) -> None:
        """An event of something that runs beside the loop."""
        self._loop.call_soon_threadsafe(self.publish, kind, subject, message, level)

    def journal_problem(self, problem: str) -> None:
        self.publish("engine.journal", "journal", problem, "error")
