"""Fault drills in the console: begun at the right endpoint and only when meant, told of while they run, reported."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from orchestra_core.domain.drills import DrillPlan, DrillReport, DrillView
from orchestra_core.domain.snapshot import Snapshot
from orchestra_core.resilience.drill_grades import graded
from orchestra_tui.present.connection import Lost
from orchestra_tui.screens.dialogs import ConfirmScreen
from orchestra_tui.screens.help import SheetScreen
from orchestra_tui.screens.models import ModelsScreen
from tests.fakes.console_engine import ConsoleEngine, console, sees, shown, text, until

PATH = "/api/v1/drills"
PLACE, OTHER = "box1/llama3.2:3b", "box2/llama3.2:3b"
PLAN = DrillPlan(
    PLACE,
    "HTTP 500 to every call",
    30.0,
    True,
    others=(OTHER,),
    cost="requests that go elsewhere may be paid at cloud/gpt-5-mini (0.25/2 USD)",
)
VIEW = DrillView("d-1", PLACE, "errors", "HTTP 500 to every call", "running", 30.0, 24.4, "ann", 3, 3)
REPORT = DrillReport(
    "d-1",
    PLACE,
    "errors",
    "HTTP 500 to every call",
    1.0,
    30.0,
    "done",
    "ann",
    "2026-03-02T13:02:00.000Z",
    ended="2026-03-02T13:02:30.000Z",
    ran=30.0,
    ended_by="its time was over",
    requests=20,
    struck=20,
    answered=20,
    attempts=40,
    retries=20,
    failovers=20,
    failures=5,
    opened_after=0.8,
    closed_after=9.4,
)
WISH = {"endpoint": PLACE, "fault": "errors", "seconds": 30.0, "share": 1.0, "status": 500, "traffic": 0.0}


def engine(plan: DrillPlan = PLAN, *reports: DrillReport) -> ConsoleEngine:
    """One that answers to drills: the plan for a dry run, an id for a real one."""
    made = ConsoleEngine()
    made.answers[PATH] = {
        **msgspec.to_builtins(plan),
        "id": "d-1",
        "running": [],
        "reports": [msgspec.to_builtins(graded(one)) for one in reports],
    }
    made.tick()
    return made


def with_drills(made: ConsoleEngine, *views: DrillView) -> Snapshot:
    made.world.advance()
    return msgspec.structs.replace(made.world.snapshot(), drills=views)


def sent(made: ConsoleEngine) -> Sequence[dict[str, object]]:
    """What was begun, without the plans."""
    return [body for path, body in made.posted if path == PATH and not body.get("dry_run")]


async def at(pilot: Pilot[Any], identity: str = PLACE) -> None:
    """In Models, on this endpoint."""
    await pilot.press("2")
    await sees(pilot, "MODEL")
    screen = pilot.app.screen
    assert isinstance(screen, ModelsScreen)
    await until(pilot, lambda: screen.table.keys)
    screen.table.select(identity)
    await until(pilot, lambda: screen.table.selected == identity)


async def asked(pilot: Pilot[Any], fault: str = "errors") -> None:
    """From the key to the question at the gate."""
    await pilot.press("F")
    await sees(pilot, "calls are taken and nothing is said")
    await pilot.press(*fault, "enter")
    await sees(pilot, "enter takes all of it")
    await pilot.press("enter")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
async def test_a_simulated_endpoint_is_asked_about_once(size: tuple[int, int]) -> None:
    """Fault, form, and a box with what it is, who takes over and what it may cost; Enter says no, y yes."""
    made = engine()
    app = console(made)
    async with app.run_test(size=size) as pilot:
        await at(pilot)
        await asked(pilot)
        await sees(pilot, f"Fault drill on {PLACE}?")
        for words in ("HTTP 500 to every call", OTHER, "in flight there now", "may be paid at"):
            assert words in text(app)
        assert all(len(row) <= size[0] for row in shown(app))
        await pilot.press("enter")
        await sees(pilot, "drill cancelled")
        assert sent(made) == []
        await asked(pilot)
        await sees(pilot, "y confirms")
        await pilot.press("y")
        await sees(pilot, f"drill d-1 runs on {PLACE}")
        assert sent(made) == [WISH]


async def test_a_real_endpoint_takes_its_name() -> None:
    """Neither Enter nor y is enough: what is typed is what the engine wants to hear."""
    made = engine(msgspec.structs.replace(PLAN, simulated=False, confirm=PLACE))
    app = console(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await at(pilot)
        await asked(pilot)
        await sees(pilot, "this is no simulation")
        await pilot.press("y", "enter")
        await sees(pilot, "drill cancelled")
        assert sent(made) == []
        await asked(pilot)
        await sees(pilot, f"Type {PLACE} and Enter")
        for letter in PLACE:
            await pilot.press({"/": "slash", ".": "full_stop", ":": "colon"}.get(letter, letter))
        await pilot.press("enter")
        await sees(pilot, "drill d-1 runs on")
        assert sent(made) == [{**WISH, "confirm": PLACE}]


async def test_the_drill_is_at_the_endpoint_that_was_selected() -> None:
    """Whatever the rows do while the form is open."""
    made = engine()
    app = console(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await at(pilot)
        await pilot.press("F")
        await sees(pilot, "calls are taken")
        screen = app.screen_stack[1] if isinstance(app.screen_stack[1], ModelsScreen) else app.screen_stack[0]
        assert isinstance(screen, ModelsScreen)
        screen.table.select("cloud/gpt-5-mini")
        made.tick()
        await pilot.press("enter")
        await sees(pilot, "enter takes all of it")
        await pilot.press("enter")
        await sees(pilot, f"Fault drill on {PLACE}?")
        await pilot.press("y")
        await until(pilot, lambda: sent(made))
        assert sent(made)[0]["endpoint"] == PLACE


async def test_what_is_typed_is_checked_and_kept() -> None:
    """A mistake says what is allowed and sends nothing; the next form begins with what was typed."""
    made = engine()
    app = console(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await at(pilot)
        await pilot.press("F")
        await sees(pilot, "calls are taken")
        await pilot.press("enter")
        await sees(pilot, "% of calls")
        await pilot.press("ctrl+x", "9", "9", "9", "enter")
        await sees(pilot, "seconds: a number from 5 to 600")
        await pilot.press("ctrl+x", "4", "5", "down", "2", "5", "enter")
        await sees(pilot, "Fault drill on")
        assert [body for path, body in made.posted if path == PATH] == [
            {"endpoint": PLACE, "fault": "errors", "seconds": 45.0, "share": 0.25, "dry_run": True}
        ]
        await pilot.press("escape")
        await pilot.press("F")
        await sees(pilot, "calls are taken")
        await pilot.press("enter")
        await sees(pilot, "seconds       45")


async def test_while_it_runs_every_view_says_so_and_f_ends_it() -> None:
    """The header has the time that is left; on its endpoint the same key stops it without a question."""
    made = engine()
    app = console(made)
    async with app.run_test(size=(80, 24)) as pilot:
        made.push(with_drills(made, VIEW))
        for view in ("1", "3", "7", "2"):
            await pilot.press(view)
            await sees(pilot, "DRILL 24s")
        await at(pilot)
        await pilot.press("F")
        await sees(pilot, f"drill d-1 on {PLACE} has ended")
        assert [path for path, _ in made.posted] == [f"{PATH}/d-1/stop"]


async def test_its_report_comes_up_when_it_is_done() -> None:
    """Of a drill that was begun here; grades with their numbers, and esc goes back."""
    made = engine(PLAN, REPORT)
    app = console(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await at(pilot)
        await asked(pilot)
        await sees(pilot, "y confirms")
        await pilot.press("y")
        await sees(pilot, "runs on")
        made.push(with_drills(made, VIEW))
        await sees(pilot, "DRILL 24s")
        made.push(with_drills(made, msgspec.structs.replace(VIEW, state="recovering", remaining=0.0)))
        await until(pilot, lambda: "DRILL" not in shown(app)[0])
        assert not isinstance(app.screen, SheetScreen)
        made.push(with_drills(made))
        await sees(pilot, "in all: clients noticed nothing that matters")
        for words in (
            "20 of 20 answered",
            "opened after 800 ms, 5 failed attempts",
            "closed 9.4 s after the end",
        ):
            assert words in text(app)
        await pilot.press("escape")
        assert isinstance(app.screen, ModelsScreen)


async def test_a_report_does_not_come_over_somebody_who_types() -> None:
    """The status line tells of it instead; nor does that of a drill that others began."""
    made = engine(PLAN, REPORT)
    app = console(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await at(pilot)
        made.push(with_drills(made, VIEW))
        await sees(pilot, "DRILL")
        made.push(with_drills(made))
        await until(pilot, lambda: "DRILL" not in shown(app)[0])
        assert made.read == []
        await asked(pilot)
        await sees(pilot, "y confirms")
        await pilot.press("y")
        await sees(pilot, "runs on")
        made.push(with_drills(made, VIEW))
        await sees(pilot, "DRILL")
        await pilot.press("colon", "l")
        made.push(with_drills(made))
        await until(pilot, lambda: made.read)
        await pilot.press("escape")
        await sees(pilot, f"drill d-1 on {PLACE}: grade A; see :drills")
        assert isinstance(app.screen, ModelsScreen)


async def test_the_list_opens_reports() -> None:
    """:drills; one line for each, and enter tells all of it. Without any it says how to begin one."""
    lost = msgspec.structs.replace(REPORT, id="d-0", answered=0, lost=20, lost_ids=("req-1",))
    made = engine(PLAN, REPORT, lost)
    app = console(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await at(pilot)
        await pilot.press("colon", *"drills", "enter")
        await sees(pilot, "grade A")
        assert "grade F" in text(app)
        await pilot.press("down", "enter")
        await sees(pilot, "in all: not coped with")
        assert "not answered: req-1" in text(app)
        await pilot.press("escape")
        made.answers[PATH] = {"running": [], "reports": []}
        await pilot.press("colon", *"drills", "enter")
        await sees(pilot, "no drills since the engine started")


async def test_the_command_line_names_the_endpoint() -> None:
    """:drill with a name; one that is on several backends, or none, is said."""
    made = engine()
    app = console(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await at(pilot)
        for name, said in (("llama3.2:3b", "is on several backends"), ("nothing", "'nothing' is not known")):
            await pilot.press("colon")
            await pilot.press(*(_key(letter) for letter in f"drill {name}"), "enter")
            await sees(pilot, said)
        await pilot.press("colon")
        await pilot.press(*(_key(letter) for letter in "drill gpt-5-mini"), "enter")
        await sees(pilot, "Fault drill on cloud/gpt-5-mini")


async def test_nothing_is_asked_of_an_engine_that_is_away() -> None:
    """Not connected: it says so at once, before anything is typed."""
    made = engine()
    app = console(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await at(pilot)
        made.push(Lost(3, 5.0, "connection refused"))
        await sees(pilot, "lost")
        await pilot.press("F")
        await sees(pilot, "drill: not connected")
        assert made.posted == []


async def test_what_the_engine_refuses_is_said() -> None:
    """In its words, and no box asks about what cannot be."""
    made = engine()
    made.refusals[PATH] = "4 drills run already; wait for one, or stop it"
    app = console(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await at(pilot)
        await asked(pilot)
        await sees(pilot, "drill: 4 drills run already")
        assert not isinstance(app.screen, ConfirmScreen)


def _key(letter: str) -> str:
    names = {" ": "space", "/": "slash", ".": "full_stop", ":": "colon", "-": "minus"}
    return names.get(letter, letter)
