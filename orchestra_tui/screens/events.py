"""The Events view: what the engine did and what operators did, in one order of time."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from orchestra_tui.asking.audit import audit
from orchestra_tui.engine import EngineError
from orchestra_tui.present.copies import Copy
from orchestra_tui.present.happenings import rows
from orchestra_tui.present.happenings.entry import TABS, Audit, Happening, Told, merged, of_action
from orchestra_tui.present.happenings.subject import HAPPENINGS
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.screens.following import FollowingScreen
from orchestra_tui.screens.tabled import Rows
from orchestra_tui.screens.view import bindings
from orchestra_tui.widgets.lines import Pane

# Reading the audit log is a look into a file, and what operators do is rare.
_SECONDS = 3.0
# Actions that are held; twice as many for a moment.
_MOST = 1000
_NOT_FOR_ALL = "no audit: scope admin needed"
_FORBIDDEN = ("forbidden", "insufficient_scope", "invalid_api_key")


class EventsScreen(FollowingScreen):
    """Events come with the stream; the audit log is asked for while it is seen, by whoever may read it."""

    VIEW = "events"
    SUBJECT = HAPPENINGS
    BINDINGS: ClassVar[list[BindingType]] = bindings("events")

    def __init__(self) -> None:
        super().__init__()
        self._tab = 0
        self._told = Told()
        self._actions: dict[str, Happening] = {}
        self._place: str | None = None
        self._problem = ""
        self._barred = False
        self._asking = False
        self._asked_at = float("-inf")

    def body(self) -> Iterable[Widget]:
        with Horizontal(id="split"):
            yield self.live_table()
            yield Pane(self._beside, "Event", id="detail")

    def on_screen_suspend(self) -> None:
        # Opened anew it asks anew.
        self._barred = False

    # -- what operators did

    def show(self, picture: Picture, *, frozen: bool = False) -> None:
        super().show(picture, frozen=frozen)
        if not frozen and self.standing and not picture.paused and picture.link.live:
            self._renew()

    def _renew(self) -> None:
        now, seen = self.console.now(), self in self.app.screen_stack
        if seen and now - self._asked_at >= _SECONDS and not self._barred and self.tab != "events":
            self._asked_at = now
            self._ask()

    def _ask(self) -> None:
        if not self._asking:
            self._asking = True
            self.run_worker(self._asked(), group="audit")

    async def _asked(self) -> None:
        try:
            page = await audit(self.console.engine)
            self._take(page, first=not self._actions)
            self._problem = ""
        except EngineError as error:
            self._barred = error.code in _FORBIDDEN
            self._problem = _NOT_FOR_ALL if self._barred else error.message
        finally:
            self._asking = False
        if not self.picture.paused:
            self.redraw(self.picture)

    def _take(self, page: Audit, *, first: bool) -> None:
        """Where older ones begin is told by the oldest page that was read."""
        self._actions |= {one.key: one for one in map(of_action, page.entries)}
        if len(self._actions) > 2 * _MOST:
            newest = sorted(self._actions.values(), key=lambda one: one.at)[-_MOST:]
            self._actions = {one.key: one for one in newest}
        if first:
            self._place = page.next

    def reached_end(self) -> None:
        """Older actions, as long as there are some and there is room for them."""
        if self._place is not None and self.tab != "events" and len(self._actions) < _MOST:
            self.run_worker(self._older(self._place), group="older", exclusive=True)

    async def _older(self, place: str) -> None:
        try:
            page = await audit(self.console.engine, before=place)
        except EngineError as error:
            self.console.say(f"older actions: {error.message}", "warn")
            return
        if place == self._place:
            self._take(page, first=True)
            self.redraw(self.picture)

    # -- what is shown

    @property
    def tab(self) -> str:
        return TABS[self._tab]

    def things(self, picture: Picture) -> Sequence[Happening]:
        """As of the moment that is shown: of operators too nothing that came after it."""
        now = picture.snapshot.now if picture.snapshot else ""
        told = (*(picture.snapshot.events if picture.snapshot else ()), *self.console.happened())
        actions = [one for one in self._actions.values() if not now or one.at <= now]
        return merged(self._told.rows(told), actions, self.tab)

    def lost(self, key: str) -> str:
        of_this_tab = self.tab == TABS[0] or (key in self._actions) is (self.tab == "audit")
        return super().lost(key) if of_this_tab else "is on another tab"

    def drawn(self, things: Sequence[Happening], picture: Picture, cells: int) -> Rows:
        now = picture.snapshot.now if picture.snapshot else ""
        if not things and self._problem and self.tab == "audit":
            return line(span(f" {self._problem}", "warn")), ()
        return rows.table(things, cells, picture.glyphs, now)

    def extent(self, things: Sequence[Happening]) -> tuple[int, int]:
        return rows.widest(things)

    def titled(self, shown: int, total: int) -> str:
        names = "  ".join(f"<{name}>" if name == self.tab else name for name in TABS)
        problem = f"  ! {self._problem}" if self._problem and self.tab != "events" else ""
        return f"{super().titled(shown, total)}  {names}{problem}"

    def _beside(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        """Of the newest one while it follows: to look at it takes no key."""
        keys = self.table.keys
        key = keys[0] if self.following and keys else self.table.selected
        return rows.detail(self.thing(key), cells, picture.glyphs)

    # -- keys

    def action_tab(self, by: int) -> None:
        self._tab = (self._tab + by) % len(TABS)
        self.redraw(self.picture)
        self._renew()

    def action_detail(self) -> None:
        """Goes to what it happened to, of the newest where it follows; what has no view of its own is told in full."""
        self._started()
        one: Happening | None = self.thing(self.table.selected)
        if one is None:
            self.console.say("nothing selected", "warn")
        elif one.target is not None:
            self.console.go_to(one.target.view, one.target.key)
        else:
            self._open_sheet(one)

    def action_describe(self) -> None:
        self._started()
        one: Happening | None = self.thing(self.table.selected)
        if self.has_class("-narrow") and one is not None:
            self._open_sheet(one)
        else:
            super().action_describe()

    def _open_sheet(self, one: Happening) -> None:
        def drawn(picture: Picture, cells: int, _rows: int) -> list[Line]:
            return rows.detail(one, cells, picture.glyphs)

        self.sheet("Event", drawn, one.what)

    def copies(self) -> Sequence[Copy]:
        """First the commands that do it again, where there are some: the key of an event says nothing to anybody."""
        chosen = self.chosen()
        things = [one for one in self.things(self.picture) if one.key in chosen]
        commands = "\n".join(one.command for one in things if one.command)
        lines = "\n".join(f"{one.at} {one.who} {one.what} {one.subject} {one.text}" for one in things)
        first = Copy("y", "equivalent command", commands) if commands else Copy("y", "what happened", lines)
        return (first, *(each for each in super().copies() if each.key != "y"))
