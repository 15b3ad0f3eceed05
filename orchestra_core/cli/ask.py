"""Commands that ask: query for an answer, select for the choice alone."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click
import msgspec

from orchestra_core.cli.client import EngineClient, connect
from orchestra_core.cli.failure import Failure
from orchestra_core.cli.options import LEVEL, TASK, Session, talks_to_engine
from orchestra_core.cli.spelling import join


@click.command()
@click.option("--prompt", required=True, help="The question; - reads it from standard input.")
@click.option("--task", type=TASK, metavar="TASK", help="What kind of task it is; inferred if not given.")
@click.option("--model", help="A model by name; the engine chooses if not given.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer, in tokens.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="0 is the most predictable.")
@click.option("--stream/--no-stream", default=None, help="Print as it comes; the default on a terminal.")
@talks_to_engine
def query(session: Session, prompt: str, stream: bool | None, **wishes: Any) -> None:
    """Ask a model and print its answer."""
    text = sys.stdin.read() if prompt == "-" else prompt
    if not text.strip():
        raise click.UsageError("the prompt is empty")
    body = {"prompt": text, **_given(wishes)}
    out = session.out
    with connect(session) as engine:
        # A stream is also what can be watched: who redirects the answer still sees what it waits for.
        if stream or (stream is None and not out.as_json and (sys.stdout.isatty() or out.watched)):
            _stream(session, engine, body, pieces=stream or sys.stdout.isatty())
        else:
            _whole(session, engine, body)


def _whole(session: Session, engine: EngineClient, body: dict[str, object]) -> None:
    answer = engine.post("/api/v1/route", body)
    if session.out.as_json:
        session.out.data(answer)
        return
    session.out.line(str(answer.get("response", "")))
    _footer(session, answer)


def _stream(session: Session, engine: EngineClient, body: dict[str, object], *, pieces: bool) -> None:
    """Prints the answer in pieces as they come, or in one when it is whole."""
    done: dict[str, Any] | None = None
    for event, data in _events(session, engine, body):
        value = msgspec.json.decode(data, type=dict[str, Any])
        if event == "error":
            _end_line(session, pieces)
            raise Failure(str(value.get("error", {}).get("message", "the answer broke off")))
        if session.out.as_json:
            session.out.event({"event": event, **value})
        elif event == "token" and pieces:
            session.out.piece(str(value.get("text", "")))
        if event == "done":
            done = value
    if done is None:
        _end_line(session, pieces)
        raise Failure("the answer broke off before its end")
    if not session.out.as_json:
        session.out.line("" if pieces else str(done.get("response", "")))
        _footer(session, done)


def _events(session: Session, engine: EngineClient, body: dict[str, object]) -> Iterator[tuple[str, bytes]]:
    """What comes of it; until that begins, what it waits for, in a line of the terminal that goes then."""
    out, begun = session.out, False

    def waits(said: str) -> None:
        words = said.removeprefix("keep-alive").lstrip(", ")
        if words and not begun:
            out.passing(words)

    watched = waits if out.watched else None
    try:
        for each in engine.events("POST", "/api/v1/route", {**body, "stream": True}, watched):
            begun = True
            out.passing()
            yield each
    finally:
        out.passing()


def _end_line(session: Session, pieces: bool) -> None:
    if pieces and not session.out.as_json:
        session.out.line()


def _footer(session: Session, answer: dict[str, Any]) -> None:
    metrics = answer.get("metrics", {})
    parts = [str(answer.get("model_used", "?"))]
    if metrics.get("tokens_generated") is not None:
        parts.append(f"{metrics['tokens_generated']} tokens")
    if metrics.get("response_time_ms") is not None:
        parts.append(f"{metrics['response_time_ms']:.0f} ms")
    if answer.get("degraded"):
        parts.append("degraded")
    session.out.talk(f"[{', '.join(parts)}]")


@click.command()
@click.option("--task", type=TASK, metavar="TASK", required=True, help="What kind of task it is.")
@click.option("--quality", type=LEVEL, help="Least quality wanted.")
@click.option("--speed", type=LEVEL, help="How much speed matters.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer, in tokens.")
@click.option("--max-cost", type=click.FloatRange(min=0), help="Most one request may cost.")
@talks_to_engine
def select(session: Session, task: str, **wishes: Any) -> None:
    """Say which model would be chosen for a task now, and why."""
    with connect(session) as engine:
        choice = choose(engine, task, _given(wishes))
    if session.out.as_json:
        session.out.data(choice)
        return
    session.out.line(str(choice["selected_model"]))
    session.out.talk(str(choice.get("reasoning", "")))
    session.out.talk(f"alternatives: {join(_name(other) for other in choice.get('alternatives', []))}")


def choose(engine: EngineClient, task: str, requirements: Mapping[str, object]) -> dict[str, Any]:
    """The engine's choice for a task, as `/api/v1/select-model` answers it."""
    choice = engine.post("/api/v1/select-model", {"task": task, "requirements": requirements})
    if not choice.get("selected_model"):
        raise Failure("no model can do this now")
    return choice


def _given(wishes: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in wishes.items() if value is not None}


def _name(other: object) -> str:
    return str(other.get("model", other)) if isinstance(other, Mapping) else str(other)
