"""Commands that change what is loaded: they show the plan, ask before others are evicted, and wait for the end."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import click
import msgspec

from orchestra_core.cli.client import EngineClient, connect, model_path
from orchestra_core.cli.failure import Failure
from orchestra_core.cli.following import follow, listen
from orchestra_core.cli.options import Session, talks_to_engine
from orchestra_core.cli.plans import is_busy, told, verdict
from orchestra_core.cli.spelling import join, memory, residency
from orchestra_core.domain.outlook import Outlook, outlook
from orchestra_core.domain.result import Plan

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")


@click.command()
@click.argument("model")
@click.option("--backend", help="Where; the engine chooses if not given.")
@_DRY_RUN
@click.option("--yes", "-y", is_flag=True, help="Do not ask, even if other models are evicted.")
@click.option("--wait/--no-wait", default=True, help="Return when it is loaded, or at once.")
@talks_to_engine
def load(session: Session, model: str, backend: str | None, dry_run: bool, yes: bool, wait: bool) -> None:
    """Load a model into memory.

    If other models have to be evicted for it, it asks first. Without a terminal to ask on it does nothing then and
    ends with code 1, unless --yes is given.
    """
    with connect(session) as engine, _settled(session, "load", model):
        wish, seen = _where(backend), None
        if dry_run or not yes:
            planned = _post(engine, "load", model, {**wish, "dry_run": True})
            if dry_run:
                _show(session, "load", planned)
                _refuse(planned)
                return
            seen = _consent(session, planned)
            # What was shown is what is done, so it is done there.
            wish = _where(planned.get("backend"))
        _operate(session, engine, "load", model, wish, wait, seen)


@click.command()
@click.argument("model")
@click.option("--backend", help="Where; the engine chooses if not given.")
@_DRY_RUN
@click.option(
    "--drain",
    type=click.FloatRange(0, 600),
    metavar="SECONDS",
    help="Let running requests finish for so long; if some still run then, it stays loaded.",
)
@click.option("--force", is_flag=True, help="End running requests, with --drain those that are left.")
@click.option("--wait/--no-wait", default=True, help="Return when it is gone, or at once.")
@talks_to_engine
def unload(
    session: Session,
    model: str,
    backend: str | None,
    dry_run: bool,
    drain: float | None,
    force: bool,
    wait: bool,
) -> None:
    """Unload a model, so that its memory returns to the system.

    One that is answering requests stays, unless --drain or --force is given.
    """
    how: dict[str, object] = {} if drain is None else {"drain_seconds": drain}
    wish = {**_where(backend), **how, **({"force": True} if force else {})}
    with connect(session) as engine, _settled(session, "unload", model):
        if dry_run:
            planned = _post(engine, "unload", model, {**wish, "dry_run": True})
            _show(session, "unload", planned)
            if is_busy(_plan(planned)) and drain is None and not force:
                raise Failure(f"unload of {model} would be refused: it is busy")
        else:
            _operate(session, engine, "unload", model, wish, wait)


@contextlib.contextmanager
def _settled(session: Session, action: str, model: str) -> Iterator[None]:
    """What is asked for is so already: that is success, because the engine also loads and unloads of its own accord."""
    try:
        yield
    except Failure as failure:
        if failure.reason != "nothing_to_do":
            raise
        done = {"action": action, "model": model, "status": failure.reason}
        session.out.result(done, f"{model} is {action}ed already")


def _where(backend: str | None) -> dict[str, object]:
    return {"backend": backend} if backend else {}


def _post(engine: EngineClient, action: str, model: str, wish: dict[str, object]) -> dict[str, Any]:
    try:
        return engine.post(model_path(model, action), wish)
    except Failure as failure:
        if action == "unload" and failure.reason == "busy":
            failure.message += "; on the command line --drain SECONDS or --force"
        raise


def _show(session: Session, action: str, planned: dict[str, Any]) -> None:
    """The answer of a dry run."""
    session.out.result(planned, _title(action, planned), *told(action, _plan(planned)))


def _refuse(planned: dict[str, Any]) -> None:
    """The end of a dry run is that of the command itself."""
    plan = _plan(planned)
    if outlook(plan) is Outlook.REFUSED:
        raise Failure(f"load of {planned.get('model')} would be refused, {verdict(plan)}")


def _consent(session: Session, planned: dict[str, Any]) -> Plan | None:
    """Asks if others are evicted, and returns the plan that was agreed to; raises Failure where it was not."""
    plan = _plan(planned)
    if outlook(plan) is Outlook.REFUSED or not plan.evicts:
        return None  # the engine says no by itself, or there is nothing to ask
    victims = join(plan.evicts)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Failure(
            f"it would evict {victims}, so nothing was done; --yes does it, --dry-run shows the plan"
        )
    _tell(session, "load", planned)
    if not click.confirm(f"Evict {victims}?", default=False, err=True):
        raise Failure("nothing was done")
    return plan


def _operate(
    session: Session,
    engine: EngineClient,
    action: str,
    model: str,
    wish: dict[str, object],
    wait: bool,
    seen: Plan | None = None,
) -> None:
    """`seen` is a plan that was shown already; one that evicts the same is not shown again."""
    happening = listen(engine) if wait else iter(())
    operation = _post(engine, action, model, wish)
    if seen is None or seen.evicts != _plan(operation).evicts:
        _tell(session, action, operation)
    if wait:
        view = follow(session, engine, action, operation, happening)
        operation = {**operation, "residency": view.residency, "memory_bytes": view.memory_bytes}
    session.out.result(operation, _result(action, operation, wait))


def _result(action: str, operation: dict[str, Any], wait: bool) -> str:
    where = f"{operation.get('model')} on {operation.get('backend')}"
    if not wait:
        return f"{action} of {where} accepted, operation {operation.get('operation')}"
    occupied = operation.get("memory_bytes")
    state = residency(operation["residency"])
    return f"{where} is {state}{f', {memory(occupied)}' if occupied and action == 'load' else ''}"


def _tell(session: Session, action: str, operation: dict[str, Any]) -> None:
    session.out.talk(_title(action, operation))
    for row in told(action, _plan(operation)):
        session.out.talk(row)


def _title(action: str, operation: dict[str, Any]) -> str:
    return f"{action} {operation.get('model')} on {operation.get('backend')}"


def _plan(operation: dict[str, Any]) -> Plan:
    try:
        return msgspec.convert(operation.get("plan") or {}, Plan)
    except msgspec.ValidationError as error:
        raise Failure(f"the engine's plan cannot be read: {error}") from error
