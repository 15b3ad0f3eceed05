"""The Requests view: a live log of what runs and what has ended, one of them explained, and cancelling."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from orchestra_tui.asking import requests as asking
from orchestra_tui.engine import EngineError
from orchestra_tui.messages import SelectionLost
from orchestra_tui.present.copies import Copy, curl
from orchestra_tui.present.deeds.cancel import cancel
from orchestra_tui.present.deeds.deed import path
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.requests import detail
from orchestra_tui.present.requests.ledger import Ended, Report, Running
from orchestra_tui.present.requests.log import WINDOW, Entry, Log
from orchestra_tui.present.requests.rows import Layout, Painter
from orchestra_tui.present.requests.subject import REQUESTS
from orchestra_tui.present.spans import Line, cut_line, line, span, wrapped
from orchestra_tui.screens.following import FollowingScreen
from orchestra_tui.screens.help import SheetScreen
from orchestra_tui.screens.tabled import Rows
from orchestra_tui.screens.view import bindings
from orchestra_tui.widgets.lines import Pane

# At most so often; a little less than a second, as snapshots do not come by the clock.
_SECONDS = 0.9
# Rows that are asked for at a time; the whole window only where a filter looks through it.
_PAGE = 100
_REPORTS = 32
# A selection that rests for so long on a wide terminal is explained beside the table.
_REST_SECONDS = 0.4


class RequestsScreen(FollowingScreen):
    """It asks the engine only while it is seen and not paused, and never twice at a time."""

    VIEW = "requests"
    SUBJECT = REQUESTS
    BINDINGS: ClassVar[list[BindingType]] = bindings("requests")

    def __init__(self) -> None:
        super().__init__()
        self.log_of_requests = Log()
        self._painter = Painter()
        self._reports: dict[str, Report] = {}
        self._refused: dict[str, str] = {}
        self._explaining: str | None = None
        self._problem = ""
        self.asking = False
        self._asked_at = float("-inf")

    def body(self) -> Iterable[Widget]:
        with Horizontal(id="split"):
            yield self.live_table()
            yield Pane(self._beside, "Request", id="detail")

    # -- what is asked

    def show(self, picture: Picture, *, frozen: bool = False) -> None:
        """Each new state of the engine is a reason to ask for the requests too."""
        super().show(picture, frozen=frozen)
        if not frozen and self.standing and not picture.paused and picture.link.live:
            self._renew()

    def _renew(self) -> None:
        """Below a dialog or a sheet it is still about what runs now."""
        now = self.console.now()
        if self in self.app.screen_stack and now - self._asked_at >= _SECONDS:
            self._asked_at = now
            self._ask()

    def _ask(self) -> None:
        if not self.asking:
            self.asking = True
            self.run_worker(self._asked(), group="requests")

    async def _asked(self) -> None:
        log, engine, failed = self.log_of_requests, self.console.engine, self.listing.problems
        limit = WINDOW if self.listing.query or log.missing else _PAGE
        try:
            running = await self._what_runs()
            page = await asking.page(engine, limit, failed=failed)
            if failed == self.listing.problems:
                log.runs(running)
                log.newest(page)
                self._problem = ""
        except EngineError as error:
            self._problem = error.message
        finally:
            self.asking = False
        self._changed()

    async def _what_runs(self) -> Running:
        """Nothing where that cannot be told: of a recording, or by an engine of an earlier version."""
        try:
            return await asking.running(self.console.engine)
        except EngineError:
            return Running()

    def reached_end(self) -> None:
        """More rows at the bottom, as long as there are some and there is room for them."""
        log = self.log_of_requests
        if log.full and log.cursor is not None:
            self.console.say(f"older ones: ai-orchestra requests --cursor {log.cursor}", "muted")
        elif log.cursor is not None:
            self.run_worker(self._page(log.cursor), group="older", exclusive=True)

    async def _page(self, cursor: str) -> None:
        log, failed = self.log_of_requests, self.listing.problems
        try:
            page = await asking.page(self.console.engine, _PAGE, failed=failed, cursor=cursor)
        except EngineError as error:
            self.console.say(f"older requests: {error.message}", "warn")
            return
        if cursor == log.cursor and failed == self.listing.problems:
            log.older(page)
            self._changed()

    def _explain(self, key: str | None) -> None:
        """Asks for the report of one that has ended, unless it is there or on its way."""
        entry = self.log_of_requests.entry(key)
        if key is None or key in self._reports or key == self._explaining or entry is None:
            return
        if isinstance(entry, Ended):
            self._explaining = key
            self.run_worker(self._explained(key), group="report", exclusive=True)

    async def _explained(self, key: str) -> None:
        self._refused.pop(key, None)
        try:
            self._reports[key] = await asking.report(self.console.engine, key)
        except EngineError as error:
            self._refused[key] = error.message
        finally:
            # Cancelled by another one, which is under way by now.
            if self._explaining == key:
                self._explaining = None
        while len(self._reports) > _REPORTS:
            del self._reports[next(iter(self._reports))]
        self._changed()

    def _changed(self) -> None:
        if not self.picture.paused:
            self.draw(self.picture)
        if self in self.app.screen_stack and isinstance(self.app.screen, SheetScreen):
            self.app.screen.show(self.picture)

    # -- what is shown

    def things(self, picture: Picture) -> Sequence[Entry]:  # noqa: ARG002  they are no part of it
        return self.log_of_requests.entries()

    def thing(self, key: str | None) -> Entry | None:
        return self.log_of_requests.entry(key)

    def drawn(self, things: Sequence[Entry], picture: Picture, cells: int) -> Rows:
        now = picture.snapshot.now if picture.snapshot else ""
        if not things:
            return self._nothing(picture, cells), ()
        return self._painter.table(things, cells, picture.glyphs, now)

    def _nothing(self, picture: Picture, cells: int) -> Line:
        if self._problem:
            return wrapped(self._problem, max(cells - 2, 1), "bad", " ")[0]
        said = "asking the engine …" if picture.link.live else ""
        if self.log_of_requests.known:
            listing = self.listing
            more = f" among the last {len(self.log_of_requests.ended)}" if listing.query else ""
            said = f"no such request{more}" if listing.query or listing.problems else "no requests yet"
            if self.log_of_requests.only:
                said = "none failed by then; a file of `ai-orchestra incident` has the others"
        return cut_line(line(span(f" {said}", "muted")), cells)

    def extent(self, things: Sequence[Entry]) -> tuple[int, int]:
        return Layout.widest(things)

    def titled(self, shown: int, total: int) -> str:
        log = self.log_of_requests
        title = super().titled(shown, total)
        running = f"  {log.total} running" if log.total else ""
        problem = f"  ! {self._problem}" if self._problem and log.known else ""
        only = f"  {log.only}" if log.only else ""
        return f"{title}{running}{only}{problem}"

    def on_selection_lost(self, event: SelectionLost) -> None:
        """One that ended while only what runs is shown is no surprise, and what was said of it should stand."""
        if self.log_of_requests.entry(event.key) is not None:
            event.prevent_default()

    def lost(self, key: str) -> str:
        if self.log_of_requests.entry(key) is not None or self.listing.problems:
            return "is filtered out"
        return f"is older than the {WINDOW} that are shown" if self.log_of_requests.full else "is gone"

    def _beside(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        key = self.table.selected
        if key is None and self.following and self.table.keys:
            return wrapped(
                "following: enter looks at the newest, j goes through them", cells - 1, "muted", " ", " "
            )
        if key is not None and key in self._reports:
            return self._whole(key, picture, cells)
        return detail.about(self.thing(key), self.log_of_requests.currency, cells, picture.glyphs)

    def _whole(self, key: str, picture: Picture, cells: int) -> list[Line]:
        return detail.whole(
            self.thing(key),
            self._reports.get(key),
            self._refused.get(key, ""),
            self.log_of_requests.currency,
            cells,
            picture.glyphs,
        )

    # -- keys

    def action_detail(self) -> None:
        """Of the newest one, where it follows."""
        self._started()
        key = self.table.selected
        if key is None:
            self.console.say("no request selected", "warn")
            return
        self._open_sheet(key)

    def _open_sheet(self, key: str) -> None:
        def drawn(picture: Picture, cells: int, _rows: int) -> list[Line]:
            self._explain(key)
            return self._whole(key, picture, cells)

        self.sheet("Request", drawn, key)

    def action_cancel_requests(self) -> None:
        self.console.do(cancel(self.chosen(), self.log_of_requests.still))

    def action_problems(self) -> None:
        """The engine looks for those that failed: the last ones may be older than the window."""
        super().action_problems()
        self.log_of_requests.forget()
        self.redraw(self.picture)
        self._ask()

    def filter(self, text: str) -> None:
        super().filter(text)
        if self.standing and self.listing.query and not self.picture.paused:
            self._ask()

    def _follow(self) -> None:
        super()._follow()
        if self.has_class("-wide"):
            key = self.table.selected
            self.set_timer(_REST_SECONDS, lambda: self._rested(key))

    def _rested(self, key: str | None) -> None:
        if key == self.table.selected:
            self._explain(key)

    def reveal(self, key: str) -> None:
        """Selects a request if it is in the window; else shows it alone, if the ledger has it."""
        if key in self.table.keys:
            super().reveal(key)
            return
        self.run_worker(self._found(key), group="report", exclusive=True)

    async def _found(self, key: str) -> None:
        try:
            self._reports[key] = await asking.report(self.console.engine, key)
        except EngineError as error:
            self.console.say(error.message, "warn")
            return
        self._open_sheet(key)

    def own_copies(self, things: Sequence[Entry]) -> Sequence[Copy]:
        explain = [f"ai-orchestra explain {one.id}" for one in things if isinstance(one, Ended)]
        return (Copy("e", "explain command", "\n".join(explain)),)

    def command(self, things: Sequence[Entry]) -> str:
        if len(things) != 1 or not isinstance(things[0], Ended):
            return ""
        return curl(self.picture.target, path("requests", things[0].id))
