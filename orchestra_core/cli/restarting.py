"""A restart of a backend under way, followed on the event stream until its models are loaded again."""

from collections.abc import Iterator, Sequence

import msgspec

from orchestra_core.cli.client import EngineClient
from orchestra_core.cli.failure import Failure
from orchestra_core.cli.following import ENDS_BADLY, MOVING, Telling
from orchestra_core.cli.options import Session
from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import ModelView, Snapshot


def follow_restart(
    session: Session,
    engine: EngineClient,
    backend: str,
    models: Sequence[str],
    happening: Iterator[tuple[str, bytes]],
) -> None:
    """Returns once all of them are ready again; raises Failure where one of them will not be."""
    wanted = {f"{backend}/{model}" for model in models}
    restart = _Restart(backend, wanted, {id: Telling(session, f"{id}: ") for id in sorted(wanted)})
    for kind, data in happening:
        if kind == "event":
            restart.happened(msgspec.json.decode(data, type=Event))
        elif restart.done(msgspec.json.decode(data, type=Snapshot)):
            return
    raise Failure(f"{engine.target.label} stopped talking before {backend} was restarted")


class _Restart:
    def __init__(self, backend: str, wanted: set[str], telling: dict[str, Telling]) -> None:
        self._backend = backend
        self._wanted = wanted
        self._telling = telling
        # When its processes had ended: what a snapshot from before that says is of the old ones.
        self._ended = ""
        self._moved: set[str] = set()

    def happened(self, event: Event) -> None:
        if event.subject == self._backend and event.kind == "backend.restarted":
            self._ended = event.at
        elif event.subject == self._backend and event.kind == "backend.restart_failed":
            raise Failure(f"restart failed: {event.message}")
        elif event.subject in self._wanted and event.kind in ENDS_BADLY:
            raise Failure(f"restart failed: {event.subject}: {event.message}")

    def done(self, snapshot: Snapshot) -> bool:
        found = {view.id: view for view in snapshot.models if view.id in self._wanted}
        for gone in sorted(self._wanted - found.keys()):
            raise Failure(f"restart ended without success: {gone} is no longer there")
        for view in found.values():
            if view.residency in MOVING:
                self._telling[view.id].tell(view)
        if not self._ended or snapshot.now < self._ended:
            return False
        for view in found.values():
            self._look(view)
        return all(view.residency == "ready" for view in found.values())

    def _look(self, view: ModelView) -> None:
        if view.residency in MOVING:
            self._moved.add(view.id)
        elif view.residency == "absent" and view.id in self._moved:
            raise Failure(f"restart ended without success: {view.id} is unloaded")
