"""[Performance Monitor]: what is thought of an endpoint while everybody who reads from it waits."""

from collections.abc import Callable

from orchestra_core.clock import Clock
from orchestra_core.domain.catalog import Endpoint, Reliability
from orchestra_core.telemetry.performance import acquitted, suspected


class Suspicion:
    """Told by `upstream.silence`. It is for the next requests: none that is under way is ended by it."""

    def __init__(self, find: Callable[[str], Endpoint | None], clock: Clock) -> None:
        self._find = find
        self._clock = clock
        self._before: dict[str, Reliability] = {}

    def __call__(self, endpoint_id: str, silent: bool) -> None:
        endpoint, now = self._find(endpoint_id), self._clock.monotonic()
        before = self._before.pop(endpoint_id, None)
        if endpoint is None:
            return
        if silent:
            self._before[endpoint_id] = endpoint.reliability
            endpoint.reliability = suspected(endpoint.reliability, now)
        elif before is not None:
            endpoint.reliability = acquitted(endpoint.reliability, before)
