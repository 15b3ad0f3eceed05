"""The Alerts view: what fires at a glance, and saying something to it by key: to the right one, and only when meant."""

from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.connection import Lost
from orchestra_tui.screens.alerts import AlertsScreen
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, shown, text, until

SIZES = [(60, 18), (120, 40)]


async def at(pilot: Pilot[Any], identity: str) -> None:
    """Puts the selection on an alert by moving to it."""
    screen = pilot.app.screen
    assert isinstance(screen, AlertsScreen)
    await pilot.press("g")
    while screen.table.selected != identity:
        before = screen.table.selected
        await pilot.press("j")
        assert screen.table.selected != before


def row(app: Any, words: str) -> str:
    """The first of the terminal's rows with these words."""
    return next((each for each in shown(app) if words in each), "")


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_what_fires_is_first_and_what_is_silent_after_it(size: tuple[int, int]) -> None:
    """Severity, state and how long; the rest in the order of how much it matters; the header counts what fires."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=size) as pilot:
        await pilot.press("7")
        await sees(pilot, "SEVERITY")
        assert "2 alerts" in shown(app)[0]
        words = ("memory:host", "latency:gpu-a", "backends:lab", "errors:req", "disk:state")
        places = [next(i for i, each in enumerate(shown(app)) if word[:12] in each) for word in words]
        assert places == sorted(places)
        assert "■ critical firing      1m memory:host" in row(app, "critical")
        assert all(len(each) <= size[0] for each in shown(app))


async def test_a_takes_note_of_an_alert() -> None:
    """At once: nothing is lost by it. Its row and the engine say so."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await sees(pilot, "SEVERITY")
        await at(pilot, "memory:host")
        await pilot.press("A")
        await sees(pilot, "memory:host is acknowledged")
        assert engine.alerted == [("ack", "memory:host", None)]
        engine.tick()
        await until(pilot, lambda: "acked" in row(app, "critical"))


async def test_what_does_not_fire_cannot_be_acknowledged() -> None:
    """It says why, and sends nothing."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await sees(pilot, "SEVERITY")
        await at(pilot, "disk:state")
        await pilot.press("A")
        await sees(pilot, "ack: disk:state does not fire, it is resolved")
        assert engine.alerted == []


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        (["enter"], ("silence", "memory:host", 3600.0)),
        ([*"all 4", "enter"], ("silence", "memory", 14_400.0)),
        ([*"15", "enter"], ("silence", "memory:host", 900.0)),
        (["escape"], None),
    ],
    ids=str,
)
async def test_m_silences_for_a_time(keys: list[str], sent: tuple[str, str, float] | None) -> None:
    """An hour unless something else is chosen; the whole rule where that is; escape does nothing."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await sees(pilot, "SEVERITY")
        await at(pilot, "memory:host")
        await pilot.press("M")
        await sees(pilot, "every memory alert for 1 hour")
        await pilot.press(*keys)
        await sees(pilot, "is silenced" if sent else "silence cancelled")
        assert engine.alerted == ([sent] if sent else [])
        engine.tick()
        if sent:
            await sees(pilot, "1 alert ")


async def test_a_silence_is_ended_by_the_same_key() -> None:
    """That is the first choice for one that is silenced."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await sees(pilot, "SEVERITY")
        await at(pilot, "backends:lab")
        await pilot.press("M")
        await sees(pilot, "end the silence of backends:lab")
        await pilot.press(*"end", "enter")
        await sees(pilot, "backends:lab is no longer silenced")
        assert engine.alerted == [("unsilence", "backends:lab", None)]


def above(snapshot: Snapshot, number: int) -> Snapshot:
    """The same with more alerts put in before the others."""
    first = snapshot.alerts[0]
    more = tuple(msgspec.structs.replace(first, id=f"memory:gpu:{place}") for place in range(number))
    return msgspec.structs.replace(snapshot, alerts=(*more, *snapshot.alerts))


async def test_alerts_that_come_in_above_do_not_move_the_target() -> None:
    """The selection stays on its alert, and the dialog does what was asked of that one."""
    engine = ConsoleEngine()
    snapshot = engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await sees(pilot, "SEVERITY")
        await at(pilot, "latency:gpu-a/llama-3.3-70b-instruct-fp8")
        engine.push(above(snapshot, 3))
        await sees(pilot, "memory:gpu:2")
        await pilot.press("M")
        await sees(pilot, "Silence latency:gpu-a")
        engine.push(above(snapshot, 6))
        await pilot.press("enter")
        await sees(pilot, "is silenced")
        assert engine.alerted == [("silence", "latency:gpu-a/llama-3.3-70b-instruct-fp8", 3600.0)]


async def test_nothing_is_sent_on_a_lost_link() -> None:
    """The keys say why."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await sees(pilot, "SEVERITY")
        engine.push(Lost(3, 5.0, "the engine closed the connection"))
        await sees(pilot, "lost: reconnecting in")
        for key, verb in (("A", "ack"), ("M", "silence")):
            await pilot.press(key)
            await sees(pilot, f"{verb}: not connected to the engine (lost); nothing was sent")
        assert engine.alerted == []


async def test_on_old_data_the_engine_is_asked_first() -> None:
    """An alert that is over by now is not acknowledged; while the engine is silent nothing is sent."""
    engine, hand = ConsoleEngine(), Hand()
    engine.tick()
    app = console(engine, clock=hand)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await sees(pilot, "SEVERITY")
        await at(pilot, "memory:host")
        hand.at += 30
        engine.refusal = "the engine is silent"
        await pilot.press("A")
        await sees(pilot, "ack: the engine is silent; nothing was sent")
        engine.refusal = None
        engine.world.alerts = [
            msgspec.structs.replace(each, state="resolved") if each.id == "memory:host" else each
            for each in engine.world.alerts
        ]
        await pilot.press("A")
        await sees(pilot, "ack: memory:host does not fire, it is resolved")
        assert engine.alerted == []


async def test_a_refusal_is_shown() -> None:
    """In the engine's words."""
    engine = ConsoleEngine()
    engine.refusal = "this key may not operate"
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await sees(pilot, "SEVERITY")
        await pilot.press("A")
        await sees(pilot, "ack memory:host: this key may not operate")


async def test_only_what_fires_and_a_filter() -> None:
    """e leaves out what is pending and over; words, !words and fields narrow it further; escape widens again."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await sees(pilot, "Alerts  5/5")
        await pilot.press("e")
        await sees(pilot, "problems only  3/5")
        assert "disk:state" not in text(app)
        await pilot.press("slash", *"state:silenced", "enter")
        await sees(pilot, "1/5")
        assert "backends:lab" in text(app)
        await pilot.press("escape", "e")
        await sees(pilot, "Alerts  5/5")


async def test_details_tell_who_silenced_it_and_why() -> None:
    """Enter opens them on a narrow terminal; on a wide one they are beside the table."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await sees(pilot, "SEVERITY")
        await at(pilot, "backends:lab")
        await pilot.press("enter")
        await sees(pilot, "by ann")
        await sees(pilot, "moved")
        await pilot.press("escape")
        await pilot.resize_terminal(200, 60)
        await sees(pilot, "Details")
        await sees(pilot, "moved")


async def test_without_alerts_it_says_so() -> None:
    """And the header counts none."""
    engine = ConsoleEngine()
    engine.world.alerts = []
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        await sees(pilot, "nothing fires")
        assert "alert" not in shown(app)[0]
        await pilot.press("A")
        await sees(pilot, "ack: no alert selected")
