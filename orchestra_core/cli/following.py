"""A load or unload under way, followed on the event stream until it has led somewhere."""

from collections.abc import Iterator
from typing import Any

import msgspec

from orchestra_core.cli.client import EngineClient
from orchestra_core.cli.failure import Failure
from orchestra_core.cli.options import Session
from orchestra_core.cli.spelling import residency
from orchestra_core.domain.events import Event
from orchestra_core.domain.progress import progress_words
from orchestra_core.domain.snapshot import ModelView, Snapshot

_GOAL = {"load": "ready", "unload": "absent"}
MOVING = frozenset({"reserved", "loading", "draining", "unloading"})
ENDS_BADLY = ("model.failed", "model.refused")
# A line is told again only to say that it goes on.
_AGAIN_SECONDS = 10.0


def listen(engine: EngineClient) -> Iterator[tuple[str, bytes]]:
    """What happens from now on: listen before acting, so that nothing that happens in between is missed."""
    happening = engine.events("GET", "/api/v1/events?snapshots=1&interval=0.5")
    next(happening, None)
    return happening


def follow(
    session: Session,
    engine: EngineClient,
    action: str,
    operation: dict[str, Any],
    happening: Iterator[tuple[str, bytes]],
) -> ModelView:
    """Returns the endpoint once it is where the action leads; raises Failure when it did not get there."""
    endpoint = f"{operation.get('backend')}/{operation.get('model')}"
    moved, telling = False, Telling(session)
    for kind, data in happening:
        if kind == "event":
            event = msgspec.json.decode(data, type=Event)
            if event.subject in (endpoint, operation.get("model")) and event.kind in ENDS_BADLY:
                raise Failure(f"{action} failed: {event.message}")
            continue
        view = _view(data, endpoint)
        if view is None:
            raise Failure(f"{action} ended without success: {endpoint} is no longer there")
        if view.residency == _GOAL[action]:
            return view
        if moved and view.residency not in MOVING:
            raise Failure(f"{action} ended without success: {endpoint} is {residency(view.residency)}")
        moved = moved or view.residency in MOVING
        telling.tell(view)
    raise Failure(f"{engine.target.label} stopped talking before {endpoint} was {residency(_GOAL[action])}")


class Telling:
    """Says where it stands when that changes, and now and then how long it has taken."""

    def __init__(self, session: Session, what: str = "") -> None:
        """`what` is put before each line."""
        self._session = session
        self._what = what
        self._state = ""
        self._told = 0.0

    def tell(self, view: ModelView) -> None:
        state = progress_words(view.residency, view.progress, None)
        elapsed = view.changing_seconds
        if state == self._state and (elapsed or 0.0) - self._told < _AGAIN_SECONDS:
            return
        self._state, self._told = state, elapsed or 0.0
        self._session.out.talk(self._what + progress_words(view.residency, view.progress, elapsed))


def _view(data: bytes, endpoint: str) -> ModelView | None:
    snapshot = msgspec.json.decode(data, type=Snapshot)
    return next((model for model in snapshot.models if model.id == endpoint), None)
