"""The dialog of a load: the engine's plan before anything is sent, and nothing but what was agreed to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from orchestra_core.domain.result import Plan
from orchestra_tui.present.deeds.load import load
from orchestra_tui.screens.dialogs import ConfirmScreen
from tests.fakes.console_engine import FITS, ConsoleEngine, console, sees, text, until

MODEL = "mistral-nemo:12b"
ASKED = f"Load {MODEL} on box1?"
EVICTS = msgspec.structs.replace(
    FITS, evicts=("box1/llama3.2:3b",), frees_bytes=4 * 1024**3, waiting=2, expected_seconds=6.2
)
SENT = [("load", MODEL, "box1")]


@asynccontextmanager
async def asking(engine: ConsoleEngine, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[Any]]:
    """A console on which the load of a model was just asked for."""
    engine.tick()
    app = console(engine)
    async with app.run_test(size=size) as pilot:
        await sees(pilot, "live")
        app.do(load([f"box1/{MODEL}"], app.fresh()))
        await sees(pilot, ASKED)
        yield pilot


def loads(plan: Plan) -> ConsoleEngine:
    engine = ConsoleEngine()
    engine.loads = plan
    return engine


async def test_the_dialog_is_there_before_the_plan_and_enter_is_no_until_then() -> None:
    """However long the engine takes to plan, the key is answered at once; y and Enter cannot load unseen."""
    engine = ConsoleEngine()
    engine.planning.clear()
    async with asking(engine) as pilot:
        await sees(pilot, "asking the engine for its plan")
        await pilot.press("y")
        assert ASKED in text(pilot.app)
        await pilot.press("enter")
        await sees(pilot, "load cancelled")
        engine.planning.set()
        await pilot.pause()
        assert engine.operated == []


@pytest.mark.parametrize("size", [(80, 24), (200, 60), (60, 18)])
async def test_a_load_that_evicts_is_done_by_y_not_by_enter(size: tuple[int, int]) -> None:
    """Who goes, what that frees, how long it takes and who waits is all shown; Cancel has the focus."""
    engine = loads(EVICTS)
    async with asking(engine, size) as pilot:
        for words in (
            "box1/llama3.2:3b",
            "frees 4.0G",
            "about 6 s",
            "2 requests wait",
            "▲ evicts 1 model",
            "Cancel",
        ):
            await sees(pilot, words)
        await pilot.press("enter")
        await sees(pilot, "load cancelled")
        assert engine.operated == []
        pilot.app.do(load([f"box1/{MODEL}"], pilot.app.fresh()))
        await sees(pilot, "evicts 1 model")
        await pilot.press("y")
        await until(pilot, lambda: engine.operated == SENT)
        assert engine.drains == [None]


async def test_a_load_that_does_not_fit_cannot_be_said_yes_to() -> None:
    """The reason is there, the button is not."""
    engine = loads(Plan(fits=False, code="too_large", reason="needs 214.2 GiB, and host has 16.0 GiB in all"))
    async with asking(engine) as pilot:
        await sees(pilot, "✕ needs 214.2 GiB, and host has 16.0 GiB in all")
        assert not pilot.app.screen.query_one("#yes").display
        await pilot.press("y")
        assert ASKED in text(pilot.app)
        await pilot.press("enter")
        await sees(pilot, "load cancelled")
        assert engine.operated == []


async def test_a_plan_that_changes_under_the_open_dialog_is_asked_again() -> None:
    """It fitted, now it evicts: the verdict changes and the focus moves to Cancel."""
    engine = loads(FITS)
    async with asking(engine) as pilot:
        await sees(pilot, "● fits")
        engine.loads = EVICTS
        engine.tick()
        await sees(pilot, "▲ evicts 1 model")
        await pilot.press("enter")
        await sees(pilot, "load cancelled")
        assert engine.operated == []


async def test_what_is_sent_is_what_was_agreed_to() -> None:
    """A plan that has become another between yes and the request is shown again, and nothing was sent."""
    engine = loads(FITS)
    async with asking(engine) as pilot:
        await sees(pilot, "● fits")
        engine.planning.clear()
        engine.loads = EVICTS
        await pilot.press("enter")
        await sees(pilot, "sent …")
        engine.planning.set()
        await sees(pilot, "▲ evicts 1 model")
        assert engine.operated == []
        await pilot.press("y")
        await until(pilot, lambda: engine.operated == SENT)


@pytest.mark.parametrize(("plan", "verdict"), [(FITS, "● fits"), (EVICTS, "▲ evicts 1 model")])
async def test_a_refusal_between_yes_and_the_request_is_shown(plan: Plan, verdict: str) -> None:
    """The dialog comes back with the engine's words and no way to say yes."""
    engine = loads(plan)
    async with asking(engine) as pilot:
        await sees(pilot, verdict)
        engine.refusal = "box1 does not answer"
        await pilot.press("y")
        await sees(pilot, "✕ box1 does not answer")
        assert isinstance(pilot.app.screen, ConfirmScreen)
        assert engine.operated == []


async def test_the_plan_is_asked_for_once_at_a_time() -> None:
    """Snapshots that arrive while the engine plans ask for no more plans."""
    engine = ConsoleEngine()
    engine.planning.clear()
    async with asking(engine) as pilot:
        before = len(engine.planned)
        for _ in range(5):
            engine.tick()
            await pilot.pause()
        assert len(engine.planned) == before == 1
        engine.planning.set()
        await sees(pilot, "● fits")
