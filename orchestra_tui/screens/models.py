"""The Models view: what is where, and loading and unloading it."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from orchestra_core.domain.snapshot import ModelView
from orchestra_tui.present import models, pools
from orchestra_tui.present.copies import Copy
from orchestra_tui.present.deeds.backends import restart
from orchestra_tui.present.deeds.load import load
from orchestra_tui.present.deeds.unload import unload
from orchestra_tui.present.picture import Picture, model
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.present.subjects import MODELS
from orchestra_tui.screens.tabled import Rows, TableScreen
from orchestra_tui.screens.view import bindings
from orchestra_tui.widgets.lines import Pane


class ModelsScreen(TableScreen):
    """A table of endpoints with the details of the selected one beside it where there is room, and how full the memory
    is that they share."""

    VIEW = "models"
    SUBJECT = MODELS
    BINDINGS: ClassVar[list[BindingType]] = bindings("models")

    def body(self) -> Iterable[Widget]:
        with Horizontal(id="split"):
            yield self.live_table()
            yield Pane(self._detail, "Details", id="detail")
        yield Pane(_memory, id="pools", focusable=False)

    @property
    def selected(self) -> ModelView | None:
        return model(self.picture.snapshot, self.table.selected)

    def action_detail(self) -> None:
        key = self.table.selected
        if key is None:
            self.say(line(span("no model selected", "warn")))
            return

        def drawn(picture: Picture, cells: int, _rows: int) -> list[Line]:
            view = model(picture.snapshot, key)
            return models.detail(view, picture, cells) if view else [line(span(f" {key} is gone", "warn"))]

        self.sheet("Model", drawn, key)

    def action_load(self) -> None:
        self.console.do(load(self.chosen(), self.console.fresh()))

    def action_unload(self) -> None:
        self.console.do(unload(self.chosen(), self.console.fresh()))

    def action_restart(self) -> None:
        """The backends of the chosen models."""
        views = (model(self.console.fresh().snapshot, each) for each in self.chosen())
        self.console.do(restart(tuple(dict.fromkeys(view.backend for view in views if view is not None))))

    def own_copies(self, things: Sequence[ModelView]) -> Sequence[Copy]:
        return (Copy("m", "model's name", "\n".join(view.model for view in things)),)

    def things(self, picture: Picture) -> Sequence[ModelView]:
        return models.ordered(picture.snapshot)

    def drawn(self, things: Sequence[ModelView], picture: Picture, cells: int) -> Rows:
        return models.table(things, picture, cells)

    def extent(self, things: Sequence[ModelView]) -> tuple[int, int]:
        return models.widest(things)

    def _detail(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        view = model(picture.snapshot, self.table.selected)
        if view is None:
            return [line(span(" nothing selected" if picture.snapshot else "", "muted"))]
        return models.detail(view, picture, cells)


def _memory(picture: Picture, cells: int, _rows: int) -> list[Line]:
    return [pools.brief(picture.snapshot, cells, picture.glyphs, picture.trends)] if picture.snapshot else []
