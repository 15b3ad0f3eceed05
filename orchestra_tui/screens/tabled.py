"""What the views around one table share: filter, sort, marks, wide columns, and the sheets about the selected row."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from orchestra_tui.messages import FilterChanged, SelectionLost
from orchestra_tui.present import raw
from orchestra_tui.present.changes import Changes
from orchestra_tui.present.copies import Copy, as_csv, as_json, as_text, curl, member
from orchestra_tui.present.drawn import Drawn
from orchestra_tui.present.listing import Listing, Sort, Subject, arrow, with_arrow
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, line, plain, span
from orchestra_tui.screens.help import SheetScreen
from orchestra_tui.screens.view import ViewScreen
from orchestra_tui.widgets.lines import Lines, Pane
from orchestra_tui.widgets.prompts import CommandLine
from orchestra_tui.widgets.table import LiveTable

# A table that is narrower is not laid out yet.
_NARROWEST = 10
_NOTHING = Subject("", identity=str, words=str, facets=(), problem=lambda _: False)

Rows = tuple[Line, Sequence[tuple[str, Line]]]


class TableScreen(ViewScreen):
    """Subclasses compose a body with one `live_table()`, say what its objects are, and draw them.

    With a `SUBJECT`, `things` and `drawn` they can be filtered, sorted, marked, copied and exported.
    """

    SUBJECT: ClassVar[Subject] = _NOTHING

    def __init__(self) -> None:
        super().__init__()
        self.listing = Listing(self.SUBJECT)
        self._wide = False
        self._changes = Changes()
        # What was selected when a filter began to be typed.
        self._wanted: str | None = None

    # -- what a view says of its objects

    def things(self, picture: Picture) -> Sequence[Any]:  # noqa: ARG002  for views that have some
        """All objects there are, in the view's own order."""
        return ()

    def drawn(self, things: Sequence[Any], picture: Picture, cells: int) -> Rows:  # noqa: ARG002  see above
        """The header, and for each object its id and its row of at most so many cells."""
        return (), ()

    def extent(self, things: Sequence[Any]) -> tuple[int, int]:  # noqa: ARG002  see above
        """The cells that all columns need, and how many of them, at the left, are not scrolled away."""
        return 0, 0

    def lost(self, key: str) -> str:
        """What has become of a row that was selected."""
        exists = any(self.SUBJECT.identity(thing) == key for thing in self.things(self.picture))
        return "is filtered out" if exists else "is gone"

    # -- what is remembered

    def kept(self) -> dict[str, str]:
        sort = self.listing.sort
        flags = {"wide": self._wide, "problems": self.listing.problems, "alone": self.has_class("-alone")}
        texts = {"filter": self.listing.query.text, "sort": f"{'-' if sort.down else ''}{sort.name}"}
        return {name: text for name, text in texts.items() if text} | {
            name: "1" for name in flags if flags[name]
        }

    def recall(self, kept: Mapping[str, str]) -> None:
        self.listing.filter(kept.get("filter", ""))
        name = kept.get("sort", "").removeprefix("-")
        if self.SUBJECT.facet(name) is not None:
            self.listing.sort_by(Sort(name, kept["sort"].startswith("-")))
        self._wide, self.listing.problems = "wide" in kept, "problems" in kept
        self.set_class("alone" in kept, "-alone")

    # -- the table

    @property
    def table(self) -> LiveTable:
        return self.query_one(LiveTable)

    def chosen(self) -> Sequence[str]:
        """The ids of what a key works on: what is marked, also where a filter hides it, else what is selected."""
        return self.table.chosen

    def thing(self, key: str | None) -> Any:
        """The object with this id as it is shown, None where there is none."""
        things = () if key is None else self.things(self.picture)
        return next((thing for thing in things if self.SUBJECT.identity(thing) == key), None)

    @property
    def shown(self) -> list[Any]:
        """The objects that the filter lets through, in the order in which they are shown."""
        by_key = {self.SUBJECT.identity(thing): thing for thing in self.things(self.picture)}
        return [by_key[key] for key in self.table.keys if key in by_key]

    def draw(self, picture: Picture) -> None:
        self.redraw(picture)
        super().draw(picture)

    def redraw(self, picture: Picture) -> None:
        """The table alone, where there is one to draw into."""
        if not self.standing:
            return
        cells = self.table.scrollable_content_region.width
        if cells >= _NARROWEST:
            self.rows(picture, cells)

    def rows(self, picture: Picture, cells: int) -> None:
        """Shows the rows in a table of so many cells."""
        listing, things, table = self.listing, self.things(picture), self.table
        shown = listing.arranged(
            things, _stamp(picture), self.console.now(), held=self.app.screen is not self
        )
        wide, pinned = self.extent(shown) if self._wide else (0, 0)
        header, rows = self.drawn(shown, picture, max(cells, wide))
        if isinstance(rows, Drawn):
            rows = self._changes.of_rows(picture, rows, max(cells, wide))
        header = with_arrow(header, listing.subject.facet(listing.sort.name), listing.sort, picture.glyphs)
        if picture.snapshot is not None:
            table.retain_marks({self.SUBJECT.identity(thing) for thing in things})
        table.show_rows(header, rows, cells=wide if wide > cells else 0, pinned=pinned)
        table.age(bool(picture.aged), picture.aged)
        self.entitle(len(shown), len(things))
        if self.query_one(CommandLine).is_open and table.keys:
            self._select_while_typing()

    def _select_while_typing(self) -> None:
        """Half a word may hide what was selected; the whole one brings it back."""
        if self._wanted in self.table.keys:
            if self.table.selected != self._wanted:
                self.table.select(self._wanted)
        elif self.table.selected is None:
            self.table.select(self.table.keys[0])

    def entitle(self, shown: int, total: int) -> None:
        self.table.entitle(self.listing.title(self.picture.glyphs, shown, total, self.table.marked))

    def live_table(self) -> LiveTable:
        """The table, which draws itself anew when its size has changed."""
        return LiveTable(id="table", classes="pane", resized=lambda: self.redraw(self.picture))

    def home(self) -> None:
        self.set_focus(self.table)

    def on_mount(self) -> None:
        self.home()

    # -- moving

    def moving(self) -> Lines | None:
        focused = super().moving()
        return focused if focused is not None and focused.display else self.table

    def action_move(self, by: int) -> None:
        super().action_move(by)
        self._follow()

    def action_page(self, by: int) -> None:
        super().action_page(by)
        self._follow()

    def action_edge(self, end: int) -> None:
        super().action_edge(end)
        self._follow()

    def on_click(self) -> None:
        """A click selects a row as well."""
        self._follow()

    def _follow(self) -> None:
        """Details stand beside the table where there is room."""
        for pane in self.query("#detail").results(Pane):
            pane.redraw()

    def reveal(self, key: str) -> None:
        """Selects a row by its id, or the first one of a backend; a filter that hides it gives way."""
        if self.listing.query or self.listing.problems:
            self.listing.problems = False
            self.filter("")
        found = next((one for one in self.table.keys if one == key or one.startswith(f"{key}/")), None)
        if found is None:
            self.console.say(f"{key} is not there any more", "warn")
            return
        self.table.select(found)
        self._follow()

    # -- filter, order, columns

    def suggested(self, text: str) -> str | None:
        return self.listing.completed(text, self.things(self.picture), _stamp(self.picture))

    def filter(self, text: str) -> None:
        """Shows only what passes a filter; an empty one shows all."""
        self.listing.filter(text)
        self.redraw(self.picture)
        self._follow()

    def action_filter(self) -> None:
        self._wanted = self.table.selected
        self._open(filtering=True, text=self.listing.query.text)

    def action_zoom(self) -> None:
        """The table alone, without what stands beside it."""
        if self.has_class("-narrow"):
            self.console.say("zoom: the table has all the room there is", "muted")
        else:
            self.toggle_class("-zoomed")

    def action_back(self) -> None:
        if self.has_class("-zoomed"):
            self.remove_class("-zoomed")
        elif self.listing.query:
            self.filter("")
        elif self.listing.problems:
            self.action_problems()

    def action_problems(self) -> None:
        self.listing.problems = not self.listing.problems
        self.redraw(self.picture)
        self.console.say("only what has a problem" if self.listing.problems else "all rows")

    def action_sort(self, by: int) -> None:
        header = plain(self.table.header).replace(self.picture.glyphs.down, " ")
        titles = header.replace(self.picture.glyphs.high, " ")
        things = self.things(self.picture)
        self.listing.sort_by(self.listing.next_sort(by, titles, things, _stamp(self.picture)))
        self._sorted()

    def action_reverse(self) -> None:
        if not self.listing.sort.name:
            self.console.say("reverse: choose a column with < or > first", "warn")
            return
        self.listing.reverse()
        self._sorted()

    def _sorted(self) -> None:
        self.redraw(self.picture)
        sort = self.listing.sort
        sign = arrow(sort, self.picture.glyphs)
        self.console.say(f"sorted by {sort.name} {sign}" if sort.name else "the view's own order")

    def action_wide(self) -> None:
        self._wide = not self._wide
        self.redraw(self.picture)
        room = self.table.scrollable_content_region.width
        needed = self.extent(self.shown)[0]
        if not self._wide:
            self.console.say("as many columns as fit")
        elif needed > room:
            self.console.say("all columns; left and right scroll")
        else:
            self.console.say("all columns are shown already", "muted")

    def action_sideways(self, by: int) -> None:
        if not self.table.max_scroll_x:
            self.console.say("all columns that are shown fit; w shows more", "muted")
        self.table.scroll_relative(x=by, animate=False)

    # -- marks

    def action_mark(self) -> None:
        if not self.table.mark():
            self.console.say("mark: nothing is selected", "warn")
        self._marked()

    def action_invert_marks(self) -> None:
        self.table.invert_marks()
        self._marked()

    def action_unmark(self) -> None:
        self.table.unmark()
        self._marked()

    def _marked(self) -> None:
        self.entitle(len(self.table.keys), len(self.things(self.picture)))

    # -- copies and exports

    def own_copies(self, things: Sequence[Any]) -> Sequence[Copy]:  # noqa: ARG002  see above
        """What only this view can copy of some objects."""
        return ()

    def command(self, things: Sequence[Any]) -> str:
        """The command that gets the same from the engine; empty where there is none."""
        subject = self.SUBJECT
        if not things or not subject.member:
            return ""
        keys = [subject.identity(thing) for thing in things]
        return curl(self.picture.target, "/api/v1/snapshot", member(*subject.member, keys))

    def copied_from(self) -> str:
        return self.table.marked or f"of {self.table.selected or 'nothing that is selected'}"

    def copies(self) -> Sequence[Copy]:
        keys = self.chosen()
        by_key = {self.SUBJECT.identity(thing): thing for thing in self.things(self.picture)}
        things = [by_key[key] for key in keys if key in by_key]
        rows = [
            plain(row) for key, row in zip(self.table.keys, self.table.lines, strict=False) if key in keys
        ]
        return (
            Copy("y", "id" if len(keys) < 2 else f"{len(keys)} ids", "\n".join(keys)),
            *self.own_copies(things),
            Copy("r", "row as text", "\n".join(row.strip() for row in rows)),
            Copy("j", "JSON", as_json(things) if things else ""),
            Copy("c", "curl command", self.command(things)),
            Copy("s", "screen as text", self.console.painted()),
        )

    def exports(self) -> Mapping[str, tuple[str, str, Callable[[], str]]]:
        things, now = self.shown, _stamp(self.picture)

        def text() -> str:
            cells = max(self.table.scrollable_content_region.width, self.extent(things)[0])
            header, rows = self.drawn(things, self.picture, cells)
            return as_text(header, [row for _, row in rows])

        if not self.SUBJECT.facets:
            painted = as_text(self.table.header, self.table.lines)
            return {"t": ("table as text", ".txt", lambda: painted), **super().exports()}
        number = f"{len(things)} rows" if len(things) != 1 else "1 row"
        return {
            "c": (f"CSV of {number}", ".csv", lambda: as_csv(self.SUBJECT, things, now)),
            "j": (f"JSON of {number}", ".json", lambda: as_json([things]) + "\n"),
            "t": (f"text of {number}", ".txt", text),
            **super().exports(),
        }

    # -- one object

    def action_drill(self) -> None:
        """A fault on the selected endpoint, in views whose rows are endpoints."""
        self.console.action_drill(self.table.selected or "")

    def action_raw(self) -> None:
        """Everything the engine says of the selected object, as JSON that follows it."""
        key = self.table.selected
        if key is None:
            self.console.say("raw: nothing is selected", "warn")
            return

        def drawn(picture: Picture, cells: int, _rows: int) -> list[Line]:
            things = self.things(picture)
            thing = next((thing for thing in things if self.SUBJECT.identity(thing) == key), None)
            return [line(span(f" {key} is gone", "warn"))] if thing is None else raw.lines(thing, cells)

        self.sheet(f"JSON of {key}", drawn, key, "JSON")

    def action_describe(self) -> None:
        """Details beside the table, or away; over it where there is no room beside it."""
        if self.has_class("-narrow") or not self.query("#detail"):
            self.action_detail()
        else:
            self.toggle_class("-alone")

    def sheet(self, title: str, drawn: Callable[[Picture, int, int], list[Line]], *crumbs: str) -> None:
        """Everything about one row, over the view; `crumbs` name it."""
        sheet = SheetScreen(title, drawn, crumbs)
        self.app.push_screen(sheet)
        self.call_after_refresh(lambda: sheet.show(self.picture))

    def on_filter_changed(self, event: FilterChanged) -> None:
        event.stop()
        self.filter(event.text)

    def on_selection_lost(self, event: SelectionLost) -> None:
        event.stop()
        if not self.query_one(CommandLine).is_open:
            self.say(line(span(f"{event.key} {self.lost(event.key)}: nothing is selected", "warn")))


def _stamp(picture: Picture) -> str:
    """The engine's time; empty before it is known."""
    return picture.snapshot.now if picture.snapshot else ""
