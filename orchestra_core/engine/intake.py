"""Whether new requests are taken, which an operator pauses and resumes; and what the engine is for."""

from collections.abc import Callable

from orchestra_core.background.snapshots import Standing
from orchestra_core.clock import Clock, rfc3339
from orchestra_core.config.settings import ServerSettings
from orchestra_core.domain.errors import OrchestraError, Unavailable
from orchestra_core.domain.snapshot import EnvironmentView, IntakeView

# Nobody knows when it is resumed; who waits comes back soon enough and often not at all.
RETRY_SECONDS = 10.0


class Intake:
    """`refuse` is told of the answer to new requests, None where they are taken again.

    `server` is what is configured now; `read_only` holds for as long as the engine runs.
    """

    def __init__(
        self,
        clock: Clock,
        refuse: Callable[[OrchestraError | None], None],
        say: Callable[[str, str, str, str], None],
        *,
        server: Callable[[], ServerSettings],
        read_only: bool,
    ) -> None:
        self._clock = clock
        self._refuse = refuse
        self._say = say
        self._server = server
        self._read_only = read_only
        self.view = IntakeView()

    def standing(self) -> Standing:
        """For the snapshot: what this engine is for, and what it refuses."""
        server = self._server()
        environment = EnvironmentView(server.environment, server.environment_color)
        return Standing(environment, self._read_only, self.view.paused)

    def __call__(self, action: str, reason: str) -> IntakeView:
        """`pause` or `resume`; idempotent. The state after it."""
        if action == "pause" and not self.view.paused:
            self._pause(reason)
        elif action == "resume" and self.view.paused:
            self.view = IntakeView()
            self._refuse(None)
            self._say("intake.resumed", "engine", "new requests are taken again", "info")
        return self.view

    def notices(self) -> list[str]:
        """A sentence while it is paused."""
        if not self.view.paused:
            return []
        return [f"intake is paused{_why(self.view.reason)}: new requests get 503 until it is resumed"]

    def _pause(self, reason: str) -> None:
        self.view = IntakeView(paused=True, since=rfc3339(self._clock.wall()), reason=reason)
        why = _why(reason)
        self._refuse(
            Unavailable(
                f"an operator has paused the intake of this engine{why}: try another, or come back",
                code="intake_paused",
                retry_after=RETRY_SECONDS,
            )
        )
        self._say("intake.paused", "engine", f"new requests get 503{why}; what runs goes on", "warning")


def _why(reason: str) -> str:
    return f" ({reason})" if reason else ""
