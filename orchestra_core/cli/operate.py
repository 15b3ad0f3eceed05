"""Commands of the operator on backends, breakers and the engine itself; each prints the new state."""

from typing import Any

import click
import msgspec

from orchestra_core.cli.client import EngineClient, connect, named_path
from orchestra_core.cli.durations import duration as spelled_time
from orchestra_core.cli.failure import Code, Failure
from orchestra_core.cli.following import listen
from orchestra_core.cli.options import Session, talks_to_engine
from orchestra_core.cli.restarting import follow_restart
from orchestra_core.domain.snapshot import BackendView, Snapshot


@click.command()
@click.argument("backend")
@click.option("--wait/--no-wait", default=False, help="Return when nothing runs there any more, or at once.")
@talks_to_engine
def drain(session: Session, backend: str, wait: bool) -> None:
    """Send a backend no new requests; those that run finish."""
    with connect(session) as engine:
        state = engine.post(named_path("backends", backend, "drain"), {})
        if wait and state["inflight"]:
            session.out.talk(_backend(state))
            state = msgspec.to_builtins(_drained(engine, backend))
    session.out.result(state, _backend(state))


@click.command()
@click.argument("backend")
@talks_to_engine
def resume(session: Session, backend: str) -> None:
    """Let a drained backend take requests again."""
    with connect(session) as engine:
        state = engine.post(named_path("backends", backend, "resume"), {})
    session.out.result(state, _backend(state))


@click.command()
@click.argument("backend")
@click.option(
    "--drain",
    type=click.FloatRange(0, 600),
    metavar="SECONDS",
    help="Let running requests finish for so long; those that are left are ended.",
)
@click.option("--wait/--no-wait", default=True, help="Return when its models are loaded again, or at once.")
@talks_to_engine
def restart(session: Session, backend: str, drain: float | None, wait: bool) -> None:
    """End the processes of a managed backend and start them again.

    Refused while it answers requests, unless --drain is given; other kinds are restarted where they run.
    """
    with connect(session) as engine:
        happening = listen(engine) if wait else iter(())
        try:
            state = engine.post(
                named_path("backends", backend, "restart"), {} if drain is None else {"drain_seconds": drain}
            )
        except Failure as failure:
            if failure.reason == "busy":
                failure.message += "; on the command line --drain SECONDS"
            raise
        models = ", ".join(state["models"])
        if wait:
            session.out.talk(f"{backend} is restarting: {models}")
            follow_restart(session, engine, backend, state["models"], happening)
    session.out.result(state, f"{backend} {'has restarted' if wait else 'is restarting'}: {models}")


@click.command()
@talks_to_engine
def shutdown(session: Session) -> None:
    """Stop the engine; requests that run may finish within its grace_seconds.

    Over TCP that takes an admin key; on the Unix socket it is the owner's right.
    """
    with connect(session) as engine:
        state = engine.post("/api/v1/shutdown", {})
        session.out.result(state, f"the engine at {engine.target.label} is {state['status']}")


@click.group()
def breaker() -> None:
    """Trip, reset or probe the circuit breaker of an endpoint, which is backend/model."""


@breaker.command()
@click.argument("endpoint")
@click.option(
    "--for", "duration", callback=spelled_time, metavar="TIME", help="How long; without: until it is reset."
)
@click.option("--reason", default="", help="Why; shown beside it.")
@talks_to_engine
def trip(session: Session, endpoint: str, duration: float | None, reason: str) -> None:
    """Send an endpoint nothing, not even probes, until it is reset or for a time."""
    timed: dict[str, object] = {} if duration is None else {"seconds": duration}
    _guard(session, endpoint, "trip", {**timed, **({"reason": reason} if reason else {})})


@breaker.command()
@click.argument("endpoint")
@talks_to_engine
def probe(session: Session, endpoint: str) -> int:
    """Ask an endpoint for one token now; its breaker counts what it finds. Exits with 1 where it fails."""
    with connect(session) as engine:
        state = engine.post(named_path("breakers", endpoint, "probe"), {})
    found = f"answered in {state['seconds']:.2f} s" if state["ok"] else f"failed: {state['message']}"
    stands = state["breaker"]["state"].replace("_", "-")
    session.out.result(state, f"{state['endpoint']} {found}; its breaker is {stands}")
    return Code.DONE if state["ok"] else Code.FAILED


@breaker.command()
@click.argument("endpoint")
@talks_to_engine
def reset(session: Session, endpoint: str) -> None:
    """Close a breaker and forget what opened it; it starts slowly."""
    _guard(session, endpoint, "reset", {})


def _guard(session: Session, endpoint: str, action: str, body: dict[str, object]) -> None:
    with connect(session) as engine:
        state = engine.post(named_path("breakers", endpoint, action), body)
    why = f", {state['reason']}" if state.get("reason") else ""
    session.out.result(state, f"{state['endpoint']} is {state['state']}{why}")


def _backend(state: dict[str, Any]) -> str:
    if not state.get("draining"):
        return f"{state['name']} takes requests, it is {state['health']}"
    left = state["inflight"]
    return f"{state['name']} is draining, {left} still running" if left else f"{state['name']} is drained"


def _drained(engine: EngineClient, backend: str) -> BackendView:
    """The backend once nothing runs there any more."""
    for kind, data in engine.events("GET", "/api/v1/events?snapshots=1&interval=0.5"):
        if kind != "snapshot":
            continue
        views = msgspec.json.decode(data, type=Snapshot).backends
        view = next((view for view in views if view.name == backend), None)
        if view is None:
            raise Failure(f"{backend} was taken out of the configuration while it was drained")
        if not view.inflight:
            return view
    raise Failure(f"{engine.target.label} stopped talking before {backend} was drained")
