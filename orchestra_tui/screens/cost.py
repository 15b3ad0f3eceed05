"""The Cost view: how budgets stand and where they lead, who used what, what routing saved, what could be better."""

import contextlib
from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.worker import Worker

from orchestra_core.domain.series import SeriesView
from orchestra_tui.asking import series
from orchestra_tui.asking import usage as asking
from orchestra_tui.engine import EngineError
from orchestra_tui.messages import SelectionLost
from orchestra_tui.present import budgets, spending, usage
from orchestra_tui.present.deeds.budget import reset_limit, set_limit
from orchestra_tui.present.deeds.deed import Deed, Refusal, consider, refused
from orchestra_tui.present.form import Field
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.present.verbs.budgets import amount
from orchestra_tui.screens.form import FormScreen
from orchestra_tui.screens.tabled import TableScreen
from orchestra_tui.screens.view import bindings
from orchestra_tui.widgets.lines import Lines, Pane
from orchestra_tui.widgets.table import LiveTable

# Sums change slowly, and asking for them costs the engine some milliseconds.
_SECONDS = 5.0
# So often also what was spent today and this month, and what an hour costs now.
_SPENT_SECONDS = 30.0
_CONFIGURED = "configured"
_NONE = "no budgets: each is a [[budgets]] table of the configuration"


class CostScreen(TableScreen):
    """Budgets as they stand each second; below them sums by one column over some days, asked for while it is seen."""

    VIEW = "cost"
    BINDINGS: ClassVar[list[BindingType]] = bindings("cost")

    def __init__(self) -> None:
        super().__init__()
        self._by = usage.GROUPS[0]
        self._window = 1
        self._report: usage.Report | None = None
        self._days: usage.Report | None = None
        self._last: SeriesView | None = None
        self._spent_at = float("-inf")
        self._error = ""
        self._asking: Worker[None] | None = None

    def body(self) -> Iterable[Widget]:
        with Vertical(id="stack"):
            yield LiveTable(id="budgets", classes="pane", resized=lambda: self._budgets(self.picture))
            yield Pane(self._spent, id="spent", focusable=False)
            yield self.live_table()
            yield Pane(self._below, "Savings and suggestions", id="savings")

    @property
    def table(self) -> LiveTable:
        return self.query_one("#table", LiveTable)

    def on_mount(self) -> None:
        self.set_interval(_SECONDS, self._renew)

    async def on_screen_resume(self) -> None:
        self._ask()

    def moving(self) -> Lines | None:
        return self.focused if isinstance(self.focused, Lines) else self.table

    def copied(self) -> str:
        focused = self.focused
        return (focused.selected or "") if isinstance(focused, LiveTable) else super().copied()

    def kept(self) -> dict[str, str]:
        return super().kept() | {"by": self._by, "window": usage.WINDOWS[self._window][0]}

    def recall(self, kept: Mapping[str, str]) -> None:
        super().recall(kept)
        self._by = kept["by"] if kept.get("by") in usage.GROUPS else self._by
        names = [name for name, _ in usage.WINDOWS]
        self._window = names.index(kept["window"]) if kept.get("window") in names else self._window

    # -- what is asked

    def action_group(self) -> None:
        self._by = usage.GROUPS[(usage.GROUPS.index(self._by) + 1) % len(usage.GROUPS)]
        self._anew()

    def action_window(self, by: int) -> None:
        place = self._window + by
        if not 0 <= place < len(usage.WINDOWS):
            self.say(line(span(f"{usage.WINDOWS[self._window][0]} is all there is", "warn")))
            return
        self._window = place
        self._anew()

    def _anew(self) -> None:
        """Other rows: what was shown is not what is asked for any more."""
        self._report, self._error = None, ""
        self.draw(self.picture)
        self._ask()

    def _renew(self) -> None:
        # What is under way is waited for: over a slow line it would never come else.
        slow = self._asking is not None and not self._asking.is_finished
        if self.is_current and not slow and not self.picture.paused and self.picture.link.live:
            self._ask()

    def _ask(self) -> None:
        # Not a coroutine but what makes one: of two asked for at once the first never runs.
        self._asking = self.run_worker(self._asked, group="usage", exclusive=True)

    async def _asked(self) -> None:
        engine, since = self.console.engine, usage.WINDOWS[self._window][1]
        try:
            self._report, self._error = await asking.usage(engine, self._by, since), ""
        except EngineError as error:
            self._error = error.message
        self.draw(self.picture)
        if not self._error and self.console.now() - self._spent_at >= _SPENT_SECONDS:
            # Not worth a word of its own where the sums came.
            with contextlib.suppress(EngineError):
                self._days = await asking.days(engine, spending.DAYS)
                self._spent_at = self.console.now()
                self._last = await series.series(engine, "15m", "model")
            self.draw(self.picture)

    # -- what is shown

    def draw(self, picture: Picture) -> None:
        self._budgets(picture)
        super().draw(picture)

    def _budgets(self, picture: Picture) -> None:
        if not self.standing:
            return
        table = self.query_one("#budgets", LiveTable)
        views = picture.snapshot.budgets if picture.snapshot else ()
        frame = 2 if self.has_class("-narrow") else 3
        table.styles.height = min(len(views), max(self.app.size.height // 4, 2)) + frame
        table.display = bool(views)
        cells = table.scrollable_content_region.width
        if views and cells >= 10:
            table.show_rows(*budgets.table(views, cells, picture.glyphs, self._last))
            table.age(picture.stale)
            note = "  * set by an operator" if any(view.configured is not None for view in views) else ""
            table.entitle(f"Budgets  {len(views)}{note}")

    def _spent(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        found = spending.spending(self._days, self._last) if self._days else None
        bare = picture.snapshot is not None and not picture.snapshot.budgets
        return [spending.summary(found, cells, picture.glyphs, note=_NONE if bare else "")]

    def action_detail(self) -> None:
        focused = self.focused if isinstance(self.focused, LiveTable) else self.table
        key, by = focused.selected, self._by
        if key is None:
            self.say(line(span("no row selected", "warn")))
            return
        if focused.id == "budgets":
            self.sheet(
                "Budget", lambda picture, cells, _: _told(key, picture, cells, self._last), "Budget", key
            )
            return

        def drawn(picture: Picture, cells: int, _rows: int) -> list[Line]:
            rows = self._report.rows if self._report else ()
            row = next((one for one in rows if (one.name(by) or "") == key), None)
            if row is None or self._report is None:
                return [line(span(f" {key} is gone", "warn"))]
            return usage.detail(row, by, self._report.currency, cells, picture.glyphs)

        self.sheet("Usage", drawn, key)

    def on_selection_lost(self, event: SelectionLost) -> None:
        """Other rows were asked for: nothing has gone."""
        event.stop()
        event.prevent_default()

    def rows(self, picture: Picture, cells: int) -> None:
        rows = self._report.rows if self._report else ()
        self.table.show_rows(*usage.table(rows, self._by, cells, picture.glyphs))
        self.table.age(picture.stale and self._report is not None)
        more = f"+{self._report.rows_left_out}" if self._report and self._report.rows_left_out else ""
        self.table.entitle(f"Usage by {self._by}, {usage.WINDOWS[self._window][0]}  {len(rows)}{more}")

    def _below(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        if self._report is None or self._error:
            return usage.nothing(picture.link.live, self._error)
        return usage.below(self._report, cells, picture.glyphs)

    # -- another limit

    def action_budget(self) -> None:
        """Asks for the limit of the selected budget, and then whether it shall be."""
        key = self.query_one("#budgets", LiveTable).selected
        fresh = self.console.fresh()
        view = budgets.budget(fresh.snapshot, key)
        if view is None:
            self.console.do(refused("budget", "there is none" if key is None else f"{key} is gone"))
            return
        barred = consider(set_limit(view.name, view.limit + 1), fresh)
        if isinstance(barred, Refusal):
            self.console.say(barred.reason, "warn")
            return

        def given(typed: dict[str, str] | None) -> None:
            text = (typed or {}).get("limit", "")
            if text:
                self.console.do(_deed(view.name, text))
            else:
                self.console.say("budget: nothing was changed", "muted")

        glyphs = fresh.glyphs
        now = f"{budgets.money(view.limit, glyphs)} {view.currency} a {view.period}"
        own = "" if view.configured is None else f", or configured ({budgets.money(view.configured, glyphs)})"
        fields = (Field("limit", "Limit", f"{now}; an amount{own}", _read),)
        self.app.push_screen(FormScreen(f"Budget {view.name}", fields, {}), given)


def _read(text: str) -> object:
    if text.lower() == _CONFIGURED:
        return None
    value = amount(text)
    if value is None:
        raise ValueError("an amount from 0 up, or the word configured")
    return value


def _deed(name: str, text: str) -> Deed:
    value = amount(text)
    return reset_limit(name) if value is None else set_limit(name, value)


def _told(key: str, picture: Picture, cells: int, last: SeriesView | None) -> list[Line]:
    view = budgets.budget(picture.snapshot, key)
    if view is None or picture.snapshot is None:
        return [line(span(f" {key} is gone", "warn"))]
    return budgets.detail(view, picture.snapshot.now, cells, picture.glyphs, last)
