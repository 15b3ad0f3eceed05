"""Tables that grow by themselves at the top: they follow the newest row, or hold what is looked at still."""

from orchestra_tui.present.picture import Picture
from orchestra_tui.screens.tabled import TableScreen
from orchestra_tui.widgets.prompts import CommandLine


class FollowingScreen(TableScreen):
    """While it follows nothing is selected: a key must not reach a row that came a moment ago.

    Otherwise the selected row stays where it is on the screen while others come above it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.following = True
        self._counts: tuple[int, int] | None = None

    def rows(self, picture: Picture, cells: int) -> None:
        table, before = self.table, self._depth()
        self._counts = (0, 0)
        super().rows(picture, cells)
        if self.following and not self.query_one(CommandLine).is_open:
            if table.selected is not None:
                table.select(None)
            self._scroll(0)
        elif before is not None and table.selected is not None:
            self._scroll(max(table.keys.index(table.selected) - before, 0))
        counts, self._counts = self._counts, None
        self.entitle(*counts)

    def _scroll(self, top: int) -> None:
        if round(self.table.scroll_y) != top:
            self.table.scroll_to(y=top, animate=False, immediate=True)

    def _depth(self) -> int | None:
        """How many rows below the first one that is seen the selected row stands."""
        table = self.table
        if table.selected is None:
            return None
        depth = table.keys.index(table.selected) - round(table.scroll_y)
        return depth if 0 <= depth < table.page + 1 else None

    def entitle(self, shown: int, total: int) -> None:
        """While rows are shown the place is not known yet: then the title waits for it."""
        if self._counts is not None:
            self._counts = (shown, total)
            return
        above = round(self.table.scroll_y)
        place = "following" if self.following else f"{above} above" if above else "holding"
        self.table.entitle(f"{self.titled(shown, total)}  {place}")

    def titled(self, shown: int, total: int) -> str:
        return self.listing.title(self.picture.glyphs, shown, total, self.table.marked)

    def action_follow(self) -> None:
        self._set(following=not self.following)
        self.console.say("following the newest" if self.following else "holding still")

    def action_move(self, by: int) -> None:
        if not self._started():
            super().action_move(by)
        self._look_for_end(by)

    def action_page(self, by: int) -> None:
        self._started()
        super().action_page(by)
        self._look_for_end(by)

    def action_edge(self, end: int) -> None:
        self._set(following=False)
        keys = self.table.keys
        if end > 0 and keys and self.table.selected is None:
            self.table.select(keys[-1])
        super().action_edge(end)
        self._look_for_end(end)

    def _look_for_end(self, by: int) -> None:
        keys = self.table.keys
        if by > 0 and keys and self.table.selected == keys[-1] and not self.picture.paused:
            self.reached_end()

    def reached_end(self) -> None:
        """The last row is selected, and the user would go on."""

    def action_mark(self) -> None:
        self._set(following=False)
        super().action_mark()

    def filter(self, text: str) -> None:
        super().filter(text)
        self._follow()

    def reveal(self, key: str) -> None:
        self._set(following=False)
        super().reveal(key)

    def _started(self) -> bool:
        """Ends following with the newest row selected, whichever row was selected before it began."""
        first = self.following and self.table.selected is None and bool(self.table.keys)
        self._set(following=False)
        if first:
            self.table.select(self.table.keys[0])
            self._follow()
        return first

    def _set(self, *, following: bool) -> None:
        if following != self.following:
            self.following = following
            self.redraw(self.picture)
