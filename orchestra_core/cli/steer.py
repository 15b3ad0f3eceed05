"""Commands that change what is loaded; by default they wait and tell the progress."""

from collections.abc import Iterator
from typing import Any

import click
import msgspec

from orchestra_core.cli.client import EngineClient, connect, model_path
from orchestra_core.cli.failure import Failure
from orchestra_core.cli.options import Session, talks_to_engine
from orchestra_core.cli.spelling import join, size
from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import ModelView, Snapshot

_GOAL = {"load": "ready", "unload": "absent"}
_MOVING = frozenset({"reserved", "loading", "draining", "unloading"})


@click.command()
@click.argument("model")
@click.option("--backend", help="Where; the engine chooses if not given.")
@click.option("--wait/--no-wait", default=True, help="Return when it is loaded, or at once.")
@talks_to_engine
def load(session: Session, model: str, backend: str | None, wait: bool) -> None:
    """Load a model into memory."""
    _operate(session, "load", model, backend, wait)


@click.command()
@click.argument("model")
@click.option("--backend", help="Where; everywhere it is loaded if not given.")
@click.option("--wait/--no-wait", default=True, help="Return when it is gone, or at once.")
@talks_to_engine
def unload(session: Session, model: str, backend: str | None, wait: bool) -> None:
    """Unload a model, so that its memory returns to the system."""
    _operate(session, "unload", model, backend, wait)


def _operate(session: Session, action: str, model: str, backend: str | None, wait: bool) -> None:
    body = {"backend": backend} if backend else {}
    with connect(session) as engine:
        # Listen before acting, so that nothing that happens in between is missed.
        happening = engine.events("GET", "/api/v1/events?snapshots=1&interval=0.5") if wait else iter(())
        next(happening, None)
        operation = engine.post(model_path(model, action), body)
        _tell_plan(session, action, operation)
        if wait:
            view = _follow(session, engine, action, operation, happening)
            operation = {**operation, "residency": view.residency, "memory_bytes": view.memory_bytes}
    if session.out.as_json:
        session.out.data(operation)
    else:
        session.out.line(_result(action, operation, wait))


def _result(action: str, operation: dict[str, Any], wait: bool) -> str:
    where = f"{operation.get('model')} on {operation.get('backend')}"
    if not wait:
        return f"{action} of {where} accepted, operation {operation.get('operation')}"
    occupied = operation.get("memory_bytes")
    return (
        f"{where} is {operation['residency']}{f', {size(occupied)}' if occupied and action == 'load' else ''}"
    )


def _tell_plan(session: Session, action: str, operation: dict[str, Any]) -> None:
    plan = operation.get("plan") or {}
    facts = [f"needs {size(plan['needs_bytes'])}"] if plan.get("needs_bytes") else []
    facts += [f"frees {size(plan['frees_bytes'])}"] if plan.get("frees_bytes") else []
    facts += [f"evicts {join(plan['evicts'])}"] if plan.get("evicts") else []
    facts += [f"about {plan['expected_seconds']:.0f} s"] if plan.get("expected_seconds") else []
    where = f"{operation.get('model')} on {operation.get('backend')}"
    session.out.talk(f"{action} {where}{': ' + ', '.join(facts) if facts else ''}")


def _follow(
    session: Session,
    engine: EngineClient,
    action: str,
    operation: dict[str, Any],
    happening: Iterator[tuple[str, bytes]],
) -> ModelView:
    """Returns the endpoint once it is where the action leads; raises Failure when it did not get there."""
    endpoint = f"{operation.get('backend')}/{operation.get('model')}"
    moved, told = False, ""
    for kind, data in happening:
        if kind == "event":
            event = msgspec.json.decode(data, type=Event)
            if event.subject in (endpoint, operation.get("model")) and event.kind == "model.failed":
                raise Failure(f"{action} failed: {event.message}")
            continue
        view = _view(data, endpoint)
        if view is None:
            continue
        if view.residency == _GOAL[action]:
            return view
        if moved and view.residency not in _MOVING:
            raise Failure(f"{action} ended without success: {endpoint} is {view.residency}")
        moved = moved or view.residency in _MOVING
        progress = f"{view.residency} {view.progress}".strip()
        if progress != told:
            session.out.talk(progress)
            told = progress
    raise Failure(f"{engine.target.label} stopped talking before {endpoint} was {_GOAL[action]}")


def _view(data: bytes, endpoint: str) -> ModelView | None:
    snapshot = msgspec.json.decode(data, type=Snapshot)
    return next((model for model in snapshot.models if model.id == endpoint), None)
