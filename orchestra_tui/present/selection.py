"""Which object of a list is selected and which are marked: always objects, never row numbers."""

from collections.abc import Collection, Sequence


class Selection:
    """`place` is the row of the selected object, or the one where moving goes on when nothing is selected.

    What vanishes is selected no longer, and nothing else is instead, so that no key can reach an object the user did
    not choose; when it comes back, as after the engine's restart, it is selected again. Marks stay with objects that
    are not shown, and vanish with those that do not exist.
    """

    def __init__(self) -> None:
        self.keys: tuple[str, ...] = ()
        self.selected: str | None = None
        self.place = 0
        self.marks: frozenset[str] = frozenset()
        self._missed: str | None = None
        self._started = False

    def show(self, keys: Sequence[str]) -> str | None:
        """Other rows; the key that was selected and is not shown any more, if there is one."""
        self.keys = tuple(keys)
        if self.selected is None and self._missed in self.keys:
            self.selected, self._missed = self._missed, None
        if self.selected is None:
            if not self._started and self.keys:
                self.selected, self.place, self._started = self.keys[0], 0, True
            return None
        if self.selected in self.keys:
            self.place = self.keys.index(self.selected)
            return None
        self._missed, self.selected = self.selected, None
        self.place = min(self.place, max(len(self.keys) - 1, 0))
        return self._missed

    def select(self, key: str | None) -> None:
        """Selects a key that is shown, or nothing."""
        self._missed = None
        self.selected = key if key in self.keys else None
        if self.selected is not None:
            self.place = self.keys.index(self.selected)
            self._started = True

    def move(self, by: int) -> None:
        """Selects another row; without a selected one, starts where the last one was."""
        if not self.keys:
            return
        place = self.place + by if self.selected is not None else self.place
        self.select(self.keys[min(max(place, 0), len(self.keys) - 1)])

    def toggle(self) -> bool:
        """Marks the selected object or takes its mark away; False where none is selected."""
        if self.selected is None:
            return False
        self.marks ^= {self.selected}
        return True

    def invert(self) -> None:
        """Marks what is shown and not marked, and the other way round; what is not shown stays as it is."""
        self.marks ^= frozenset(self.keys)

    def unmark(self) -> None:
        self.marks = frozenset()

    def retain(self, existing: Collection[str]) -> None:
        """Drops the marks of what does not exist any more."""
        if self.marks:
            self.marks &= frozenset(existing)

    @property
    def chosen(self) -> tuple[str, ...]:
        """What a deed is done to: the marked objects, those shown first and in their order, or the selected one."""
        if not self.marks:
            return () if self.selected is None else (self.selected,)
        shown = tuple(key for key in self.keys if key in self.marks)
        return (*shown, *sorted(self.marks.difference(shown)))

    @property
    def marked(self) -> str:
        """For a title; empty without marks."""
        hidden = len(self.marks.difference(self.keys))
        return f"{len(self.marks)} marked" + (f" ({hidden} hidden)" if hidden else "") if self.marks else ""
