"""How the engine stops: new work is refused, what runs may finish, what does not is told so, and then all ends.

signal or request   `refusing` says so from that moment on: readiness and new work get 503, while the sockets
                    stay open so that load balancers see it
up to the grace     requests that run finish; consoles go on watching
then                the rest ends with the error of its surface, never with a cut
at last             the event streams end, what was written goes out, the sockets close
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from orchestra_core.domain.errors import OrchestraError, Unavailable

STOPPING = "the engine is stopping"
# Load balancers look again about this often; who waits for this engine comes back when it may have restarted.
RETRY_SECONDS = 5.0
_STEP_SECONDS = 0.05
_FAREWELL_SECONDS = 2.0


class Listening(Protocol):
    """What stopping needs of the listener."""

    @property
    def serving(self) -> int: ...

    def cancel_requests(self) -> None: ...

    async def close(self) -> None: ...


class Streams(Protocol):
    """What stopping needs of the event streams."""

    @property
    def subscribers(self) -> int: ...

    def publish(self, kind: str, subject: str, message: str, level: str = "info") -> None: ...

    def close(self) -> None: ...


class Stopping:
    """`interrupt` ends answers that have begun, `end` tells the pipeline why the rest is about to be cancelled."""

    def __init__(
        self,
        hub: Streams,
        grace: Callable[[], float],
        interrupt: Callable[[str], None],
        end: Callable[[str], None],
    ) -> None:
        self.asked = asyncio.Event()
        self._hub = hub
        self._grace = grace
        self._interrupt = interrupt
        self._end = end
        # Every request asks for it, so it is kept as it is to be told.
        self._refusal: OrchestraError | None = None
        self._stopping = Unavailable(
            f"{STOPPING}: try another, or come back", code="stopping", retry_after=RETRY_SECONDS
        )

    def refusing(self) -> OrchestraError | None:
        """Why new work is not taken: the engine has been asked to stop, or an operator has paused its intake."""
        return self._refusal

    def ask(self) -> None:
        """Begins the stop."""
        self._refusal = self._stopping
        self.asked.set()

    def hold(self, refusal: OrchestraError | None) -> None:
        """New work gets this until it is None; a stop comes before it."""
        if not self.asked.is_set():
            self._refusal = refusal

    async def finish(self, listener: Listening) -> None:
        """Returns when nothing runs any more and the sockets are closed."""
        self.ask()
        hub, grace = self._hub, self._grace()

        def running() -> int:
            return listener.serving - hub.subscribers

        left = running()
        wait = f"; {_requests(left)} may finish within {grace:g} s" if left else ""
        hub.publish("engine.stopping", "engine", f"stopping{wait}")
        if not await _until(lambda: running() <= 0, grace):
            hub.publish(
                "engine.stopping", "engine", f"{grace:g} s are over: ending {_requests(running())}", "warning"
            )
            self._interrupt(STOPPING)
            # Those that have begun end by themselves; what still waits or starts anew is cancelled.
            await asyncio.sleep(_STEP_SECONDS)
            self._end(STOPPING)
        hub.close()
        await _until(lambda: hub.subscribers == 0, _FAREWELL_SECONDS)
        listener.cancel_requests()
        await _until(lambda: listener.serving == 0, _FAREWELL_SECONDS)
        await listener.close()


def _requests(number: int) -> str:
    return "one request" if number == 1 else f"{number} requests"


async def _until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true in time. Looked at often: nothing else tells, and it happens once in a life."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(_STEP_SECONDS)
    return True
