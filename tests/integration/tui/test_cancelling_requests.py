"""Cancelling from the Requests view: the right ones, by identity, and only when it is meant."""

from tests.fakes.console_engine import text, until
from tests.fakes.request_log import LIVE, running
from tests.fakes.requests_console import scene

STREAMING, QUEUED, LOADING = (view.id for view in LIVE)


async def test_cancel_names_what_it_ends_and_only_yes_does_it() -> None:
    """Cancel is focused: enter does nothing; `y` sends it, by id, and the log says what became of it."""
    async with scene() as now:
        await now.sees("cached")
        await now.select(STREAMING)
        await now.pilot.press("X")
        await now.sees(f"Cancel {STREAMING}?")
        await now.sees("417 tokens")
        await now.pilot.press("enter")
        await until(now.pilot, lambda: "Cancel req" not in text(now.app))
        assert now.engine.posted == []
        await now.pilot.press("X")
        await now.sees(f"Cancel {STREAMING}?")
        await now.pilot.press("y")
        await now.sees(f"{STREAMING} is cancelled")
        assert now.engine.posted == [(f"/api/v1/requests/{STREAMING}/cancel", {})]
        await now.go_on()
        entry = now.screen.thing(STREAMING)
        assert entry is not None
        assert getattr(entry, "verdict", "") == "cancelled"


async def test_the_right_one_is_cancelled_however_rows_move_under_the_question() -> None:
    """It was chosen by its identity when the key was pressed."""
    async with scene() as now:
        await now.sees("cached")
        await now.select(QUEUED)
        await now.pilot.press("X")
        await now.sees(f"Cancel {QUEUED}?")
        now.engine.requests.live = [
            *now.engine.requests.live,
            *(running(number) for number in range(3000, 3005)),
        ]
        now.engine.requests.end(LOADING)
        await now.go_on()
        assert f"Cancel {QUEUED}?" in text(now.app)
        await now.pilot.press("y")
        await now.sees(f"{QUEUED} is cancelled")
        assert [path for path, _ in now.engine.posted] == [f"/api/v1/requests/{QUEUED}/cancel"]


async def test_what_ends_while_it_is_asked_about_is_not_cancelled() -> None:
    """It says so, and sends nothing."""
    async with scene() as now:
        await now.sees("cached")
        await now.select(LOADING)
        await now.pilot.press("X")
        await now.sees(f"Cancel {LOADING}?")
        now.engine.requests.end(LOADING)
        await now.go_on()
        await now.pilot.press("y")
        await now.sees("does not run")
        assert now.engine.posted == []


async def test_marked_ones_are_cancelled_together() -> None:
    """All ids are listed; one that has ended meanwhile is left out."""
    async with scene() as now:
        await now.sees("cached")
        for identity in (STREAMING, QUEUED, LOADING):
            await now.select(identity)
            await now.pilot.press("space")
        await now.pilot.press("X")
        await now.sees("Cancel 3 requests?")
        for identity in (STREAMING, QUEUED, LOADING):
            assert identity in text(now.app)
        now.engine.requests.end(LOADING)
        await now.go_on()
        # The question follows the log with the next state of the engine.
        await now.go_on()
        await now.sees("1 request ended meanwhile")
        await now.pilot.press("y")
        await now.sees("2 requests cancelled")
        assert {path.split("/")[4] for path, _ in now.engine.posted} == {STREAMING, QUEUED}
