"""A console on its Requests view, with the steps that tests of it take."""

from typing import Any

from textual.pilot import Pilot

from orchestra_tui.app import Orchestra
from orchestra_tui.screens.requests import RequestsScreen
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, shown, until


class Scene:
    """A console on the Requests view; `go_on` lets a second pass and tells the console the next state."""

    def __init__(self, engine: ConsoleEngine, clock: Hand, pilot: Pilot[Any]) -> None:
        self.engine, self.clock, self.pilot = engine, clock, pilot

    @property
    def app(self) -> Orchestra:
        app = self.pilot.app
        assert isinstance(app, Orchestra)
        return app

    @property
    def screen(self) -> RequestsScreen:
        screen = self.app.get_screen_stack("requests")[0]
        assert isinstance(screen, RequestsScreen)
        return screen

    @property
    def pages(self) -> list[dict[str, str]]:
        """The questions to the ledger so far."""
        read = self.engine.read
        return [query for path, query in read if path == "/api/v1/requests" and "running" not in query]

    async def go_on(self) -> None:
        """Returns when the console has asked, and has been answered or refused."""
        before = len(self.engine.read)
        self.clock.at += 1
        self.engine.tick()
        await until(self.pilot, lambda: len(self.engine.read) > before)
        await until(self.pilot, lambda: not self.screen.asking)
        await self.pilot.pause()

    async def select(self, identity: str) -> None:
        """Moves to a row by keys."""
        await self.pilot.press("g")
        while self.screen.table.selected != identity:
            before = self.screen.table.selected
            await self.pilot.press("j")
            assert self.screen.table.selected != before, identity

    def row(self, words: str) -> str:
        return next((each for each in shown(self.app) if words in each), "")

    async def sees(self, words: str) -> None:
        await sees(self.pilot, words)


def scene(size: tuple[int, int] = (80, 24), **changes: Any) -> Any:
    """Opened on the view, live."""
    engine, clock = ConsoleEngine(), Hand()
    for name, value in changes.items():
        setattr(engine.requests, name, value)
    engine.tick()
    app = console(engine, clock=clock)

    class Opened:
        async def __aenter__(self) -> Scene:
            self._running = app.run_test(size=size)
            pilot = await self._running.__aenter__()
            await pilot.press("5")
            await sees(pilot, "TOTAL")
            return Scene(engine, clock, pilot)

        async def __aexit__(self, *failure: Any) -> None:
            await self._running.__aexit__(*failure)

    return Opened()
