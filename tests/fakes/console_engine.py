"""What the console sees instead of an engine: updates are pushed by the test, calls are written down."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
from textual.app import App
from textual.pilot import Pilot

from orchestra_core.domain.result import Plan
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.app import Orchestra
from orchestra_tui.client import (
    AnswerMetrics,
    Done,
    EngineError,
    Operation,
    Piece,
    Started,
    Token,
    Update,
)
from orchestra_tui.launch import Launcher
from orchestra_tui.present.usage import Report
from orchestra_tui.terminal import PLAIN, Terminal
from tests.fakes.fake_engine import STORY, World
from tests.fakes.usage_reports import usage_report

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
    moved on by what an answer takes. `loads` is the plan of every load, held back while `planning` is clear."""

    def __init__(self, world: World | None = None, answer: Sequence[Piece] = ANSWER) -> None:
        self.target = "/run/user/1000/ai-orchestra/engine.sock"
        self.world = world or World()
        self.answer = answer
        self.held: int | None = None
        self.clock: Hand | None = None
        self.gate = asyncio.Event()
        self.closed_early = asyncio.Event()
        self.refusal: str | None = None
        self.loads = FITS
        self.planning = asyncio.Event()
        self.planning.set()
        self.planned: list[tuple[str, str, str]] = []
        self.operated: list[tuple[str, str, str]] = []
        self.drains: list[float | None] = []
        self.alerted: list[tuple[str, str, float | None]] = []
        self.asked: list[tuple[str, str | None]] = []
        self.usages: list[tuple[str, str]] = []
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

    async def plan(self, verb: str, model: str, backend: str) -> Operation:
        self.planned.append((verb, model, backend))
        await self.planning.wait()
        if self.refusal:
            raise EngineError(self.refusal)
        return Operation("", verb, model, backend, self.loads)

    async def operate(self, verb: str, model: str, backend: str, drain: float | None = None) -> Operation:
        self.operated.append((verb, model, backend))
        self.drains.append(drain)
        if self.refusal:
            raise EngineError(self.refusal)
        self.world.operate(verb, model, backend)
        return Operation("op-1", verb, model, backend, self.loads)

    async def alert(self, verb: str, name: str, seconds: float | None = None) -> None:
        self.alerted.append((verb, name, seconds))
        if self.refusal:
            raise EngineError(self.refusal)
        self.world.say_to_alert(verb, name)

    async def usage(self, by: str, since: str) -> Report:
        self.usages.append((by, since))
        if self.refusal:
            raise EngineError(self.refusal)
        return msgspec.convert(usage_report(by), Report)

    async def route(self, prompt: str, model: str | None) -> AsyncGenerator[Piece, None]:
        self.asked.append((prompt, model))
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

    async def shutdown(self) -> None:
        self.shut = True

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
