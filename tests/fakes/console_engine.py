"""What the console sees instead of an engine: updates are pushed by the test, calls are written down."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from textual.app import App
from textual.pilot import Pilot

from orchestra_core.domain.result import Plan
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.app import Orchestra
from orchestra_tui.asking.models import Operation
from orchestra_tui.engine import EngineError, Update
from orchestra_tui.launch import Launcher
from orchestra_tui.pieces import AnswerMetrics, Done, Piece, Started, Token
from orchestra_tui.terminal import PLAIN, Terminal
from tests.fakes.fake_engine import STORY, World
from tests.fakes.request_log import RequestWorld
from tests.fakes.series_views import series_view
from tests.fakes.usage_reports import usage_report

T = TypeVar("T")

ANSWER: tuple[Piece, ...] = (
    Started("r1", "llama3.2:3b", "box1", "d1", ""),
    *(Token(word + " ") for word in STORY.split(" ")),
    Done(
        "llama3.2:3b",
        "box1",
        "llama3.2:3b on box1: 0.9 s predicted, the shortest of 4; quality is enough",
        metrics=AnswerMetrics(tokens_generated=55, tokens_prompt=12),
    ),
)


FITS = Plan(
    needs_bytes=3 * 1024**3,
    fits=True,
    expected_seconds=10,
    expected_basis="measured",
    pool="host",
    total_bytes=16 * 1024**3,
    free_bytes=9 * 1024**3,
)


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


class ConsoleEngine:
    """An engine of the test's making. `gate` holds an answer back after its first `held` pieces; `clock` is
    moved on by what an answer takes. `loads` is the plan of every load, held back while `planning` is clear,
    every change while `going` is, every answer while `reading` is.
    `answers` and `refusals` by path come before what the world would say; `read` and `posted` are what was asked."""

    def __init__(self, world: World | None = None, answer: Sequence[Piece] = ANSWER) -> None:
        self.target = "/run/user/1000/ai-orchestra/engine.sock"
        self.world = world or World()
        self.answer = answer
        self.held: int | None = None
        self.clock: Hand | None = None
        self.gate = asyncio.Event()
        self.closed_early = asyncio.Event()
        self.refusal: str | None = None
        self.refusals: dict[str, str | EngineError] = {}
        self.loads = FITS
        self.planning = asyncio.Event()
        self.planning.set()
        self.going = asyncio.Event()
        self.going.set()
        self.reading = asyncio.Event()
        self.reading.set()
        self.planned: list[tuple[str, str, str]] = []
        self.operated: list[tuple[str, str, str]] = []
        self.drains: list[float | None] = []
        self.alerted: list[tuple[str, str, float | None]] = []
        self.asked: list[tuple[str, str | None]] = []
        self.wished: list[dict[str, object]] = []
        self.answers: dict[str, object] = {}
        self.read: list[tuple[str, dict[str, str]]] = []
        self.posted: list[tuple[str, dict[str, object]]] = []
        self.usages: list[tuple[str, str]] = []
        self.requests = RequestWorld()
        self.intervals: list[float] = []
        self.fetched = 0
        self.shut = False
        self._updates: asyncio.Queue[Update] = asyncio.Queue()

    def push(self, *updates: Update) -> None:
        for update in updates:
            self._updates.put_nowait(update)

    def tick(self, seconds: int = 1) -> Snapshot:
        """Lets the world go on and tells the console."""
        self.world.advance(seconds)
        snapshot = self.world.snapshot()
        self.push(snapshot)
        return snapshot

    async def watch(self, interval: float) -> AsyncIterator[Update]:
        self.intervals.append(interval)
        while True:
            yield await self._updates.get()

    async def fetch(self) -> Snapshot:
        self.fetched += 1
        if self.refusal:
            raise EngineError(self.refusal)
        return self.world.snapshot()

    async def get(self, path: str, answer: type[T]) -> T:
        parts = urlsplit(path)
        query = dict(parse_qsl(parts.query))
        self.read.append((parts.path, query))
        await self.reading.wait()
        if parts.path == "/api/v1/usage" and "until" not in query:
            self.usages.append((query["by"], query.get("since", "")))
        if self.refusal:
            raise EngineError(self.refusal)
        if parts.path in self.refusals:
            raise EngineError(self.refusals[parts.path], "forbidden")
        if parts.path in self.answers:
            return msgspec.convert(self.answers[parts.path], answer)
        if parts.path == "/api/v1/usage":
            return msgspec.convert(usage_report(query["by"], query.get("until")), answer)
        told = self.requests.answer(parts.path, query)
        if told is not None:
            return msgspec.convert(msgspec.to_builtins(told), answer)
        if parts.path == "/api/v1/series":
            return msgspec.convert(msgspec.to_builtins(series_view(**query)), answer)
        raise EngineError(f"the test has no answer for {unquote(parts.path)}", "not_found")

    async def post(self, path: str, wish: Mapping[str, object], answer: type[T]) -> T:
        self.posted.append((path, dict(wish)))
        await self.going.wait()
        refusal = self.refusals.get(path)
        if refusal is not None:
            raise refusal if isinstance(refusal, EngineError) else EngineError(refusal)
        done = await self._changed([unquote(part) for part in path.split("/")[3:]], wish)
        if self.refusal:
            raise EngineError(self.refusal)
        return msgspec.convert(self.answers.get(path, msgspec.to_builtins(done)), answer)

    async def _changed(self, path: list[str], wish: Mapping[str, object]) -> object:
        """What a path below /api/v1 does to the world; written down by subject."""
        seconds = msgspec.convert(wish.get("seconds"), float | None)
        drain = msgspec.convert(wish.get("drain_seconds"), float | None)
        match path:
            case ["models", model, verb] if wish.get("dry_run"):
                self.planned.append((verb, model, str(wish["backend"])))
                await self.planning.wait()
                return Operation("", verb, model, str(wish["backend"]), self.loads)
            case ["models", model, verb]:
                self.operated.append((verb, model, str(wish["backend"])))
                self.drains.append(drain)
                if not self.refusal:
                    self.world.operate(verb, model, str(wish["backend"]))
                return Operation("op-1", verb, model, str(wish["backend"]), self.loads)
            case ["alerts", name, verb]:
                self.alerted.append((verb, name, seconds))
                if not self.refusal:
                    self.world.say_to_alert(verb, name)
            case ["requests", identity, "cancel"]:
                self.requests.cancel(identity)
            case ["shutdown"]:
                self.shut = True
        return {}

    async def route(self, wish: Mapping[str, object]) -> AsyncGenerator[Piece, None]:
        model = wish.get("model")
        self.asked.append((str(wish["prompt"]), None if model is None else str(model)))
        self.wished.append(dict(wish))
        try:
            for index, piece in enumerate(self.answer):
                if index == self.held:
                    await self.gate.wait()
                if self.clock is not None:
                    self.clock.at += 0.21 if index == 0 else 0.026
                yield piece
        except (GeneratorExit, asyncio.CancelledError):
            self.closed_early.set()
            raise

    def retry_now(self) -> None:
        pass

    async def close(self) -> None:
        pass


def console(
    engine: ConsoleEngine,
    *,
    clock: Callable[[], float] | None = None,
    terminal: Terminal = PLAIN,
    launcher: Launcher | None = None,
) -> Orchestra:
    return Orchestra(engine, now=clock or Hand(), terminal=terminal, launcher=launcher)


def shown(app: App[Any]) -> list[str]:
    """The rows of the terminal as they are painted."""
    return [strip.text for strip in app.screen._compositor.render_strips(app.size)]


def text(app: App[Any]) -> str:
    return "\n".join(shown(app))


async def until(pilot: Pilot[Any], condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits for a condition; fails with what the terminal shows."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not condition():
        assert loop.time() < end, text(pilot.app)
        await pilot.pause(0.01)


async def sees(pilot: Pilot[Any], words: str) -> None:
    await until(pilot, lambda: words in text(pilot.app))
