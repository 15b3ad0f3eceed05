"""The Playground: ask a model and watch the answer arrive."""

from collections.abc import Iterable
from contextlib import aclosing
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import Worker

from orchestra_core.domain.snapshot import ModelView
from orchestra_tui.messages import PromptGiven, PromptLeft, SelectionLost
from orchestra_tui.pieces import Done, Failed, Started, Token
from orchestra_tui.present import answer as present
from orchestra_tui.present.answer import AUTO, Answer
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, line, pad, span
from orchestra_tui.screens.dialogs import PickScreen
from orchestra_tui.screens.view import ViewScreen, bindings
from orchestra_tui.widgets.lines import Pane
from orchestra_tui.widgets.prompts import PromptArea

FLUSH = 0.12


class PlaygroundScreen(ViewScreen):
    """Prompts and answers, the prompt below, the numbers beside or under them."""

    VIEW = "playground"
    BINDINGS: ClassVar[list[BindingType]] = bindings("playground")

    def __init__(self) -> None:
        super().__init__()
        self.model = AUTO
        self._answers: list[Answer] = []
        self._worker: Worker[None] | None = None
        self._timer: Timer | None = None
        self._dirty = False

    def body(self) -> Iterable[Widget]:
        with Horizontal(id="split"):
            with Vertical(id="talk"):
                yield Pane(self._transcript, "Answers", id="answers", follow=True)
                yield Pane(self._ticker, id="ticker", focusable=False)
                yield PromptArea()
            yield Pane(self._facts, "This answer", id="numbers", focusable=False)

    @property
    def place(self) -> str:
        return "prompt" if isinstance(self.focused, PromptArea) else "view"

    @property
    def answer(self) -> Answer | None:
        return self._answers[-1] if self._answers else None

    @property
    def idle_actions(self) -> frozenset[str]:
        running = self.answer is not None and self.answer.running
        return frozenset() if running else frozenset({"cancel"})

    def on_mount(self) -> None:
        self._timer = self.set_interval(FLUSH, self._flush, pause=True)
        self.query_one(PromptArea).border_title = "Prompt"
        self.home()

    def home(self) -> None:
        self.set_focus(self.query_one(PromptArea))

    def draw(self, picture: Picture) -> None:
        for pane in self.query(Pane):
            pane.show(picture)
            pane.age(False)

    def action_write(self) -> None:
        self.home()

    def action_pick(self) -> None:
        """Opens the list of models; `auto` lets the engine choose."""
        rows = _choices(self.picture)

        def chosen(name: str | None) -> None:
            if name:
                self.choose(name)
            self.home()

        self.app.push_screen(PickScreen("Model", rows, self.model), chosen)

    def choose(self, name: str) -> None:
        """The model the next prompts go to."""
        self.model = name
        self._redraw()

    def action_cancel(self) -> None:
        if self._worker is not None and self.answer is not None and self.answer.running:
            self._worker.cancel()
            self._end("cancelled")

    def action_back(self) -> None:
        self.action_cancel()

    def copied(self) -> str:
        return self.answer.text if self.answer else ""

    def moving(self) -> Pane:
        return self.query_one("#answers", Pane)

    def on_prompt_given(self, event: PromptGiven) -> None:
        event.stop()
        if self.answer is not None and self.answer.running:
            self.say(line(span("one answer is still running: ctrl+x cancels it", "warn")))
            return
        self.query_one(PromptArea).clear()
        self._answers = [*self._answers, Answer(event.text, self.model, self.console.now())][-present.KEPT :]
        self._worker = self.run_worker(self._ask(self._answers[-1]), group="route", exclusive=True)
        if self._timer is not None:
            self._timer.resume()
        self._redraw()
        self.call_after_refresh(self.moving().to_end)

    def on_prompt_left(self, event: PromptLeft) -> None:
        event.stop()
        self.set_focus(self.moving())
        if event.then:
            self.console.press(event.then)

    def on_selection_lost(self, event: SelectionLost) -> None:
        event.stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """ctrl+x is the prompt's own cut while nothing runs."""
        if action == "cancel":
            return self.answer is not None and self.answer.running
        return super().check_action(action, parameters)

    async def _ask(self, answer: Answer) -> None:
        wish = {"prompt": answer.prompt} | ({} if answer.asked == AUTO else {"model": answer.asked})
        async with aclosing(self.console.engine.route(wish)) as pieces:
            async for piece in pieces:
                if answer.running:
                    self._take(answer, piece)

    def _take(self, answer: Answer, piece: Started | Token | Done | Failed) -> None:
        if isinstance(piece, Token):
            answer.add(piece.text, self.console.now())
            self._dirty = True
        elif isinstance(piece, Started):
            answer.model, answer.backend, answer.why = piece.model, piece.backend, piece.reasoning
            self._dirty = True
        elif isinstance(piece, Failed):
            answer.error = piece.message
            self._end("failed")
        else:
            _finish(answer, piece)
            self._end("done")

    def _end(self, how: str) -> None:
        if self.answer is not None:
            self.answer.ended = how
        if self._timer is not None:
            self._timer.pause()
        self._redraw()

    def _flush(self) -> None:
        if self._dirty:
            self._redraw()
        elif self.standing:
            self.query_one("#numbers", Pane).redraw()
            self.query_one("#ticker", Pane).redraw()

    def _redraw(self) -> None:
        self._dirty = False
        if self.standing:
            for pane in self.query(Pane):
                pane.redraw()
                pane.age(False)
            self.frame()

    def _ticker(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        return [present.ticker(self.answer, self.model, cells, self.console.now(), picture.glyphs)]

    def _transcript(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        if not self._answers:
            return [line(span(" Nothing asked yet.", "muted"))]
        return present.transcript(self._answers, cells, picture.glyphs)

    def _facts(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        return present.facts(self.answer, self.model, cells, self.console.now(), picture.glyphs)


def _finish(answer: Answer, done: Done) -> None:
    answer.model = done.model_used or answer.model
    answer.backend = done.backend or answer.backend
    answer.why = done.reasoning or answer.why
    answer.tokens = done.metrics.tokens_generated
    answer.prompt_tokens = done.metrics.tokens_prompt
    answer.cost = done.metrics.cost
    if done.metrics.time_to_first_token_ms is not None:
        answer.engine_first = done.metrics.time_to_first_token_ms / 1000
    if done.metrics.response_time_ms is not None:
        answer.engine_total = done.metrics.response_time_ms / 1000


def _talks(view: ModelView) -> bool:
    """Whether a model answers prompts; one that says nothing of itself is given the chance."""
    return not view.capabilities or bool({"chat", "completion"} & set(view.capabilities))


def _choices(picture: Picture) -> list[tuple[str, Line]]:
    rows = [(AUTO, line(span(f"  {pad(AUTO, 34)}", "accent"), span(" the engine chooses", "muted")))]
    snapshot = picture.snapshot
    for name in sorted({view.model for view in snapshot.models if _talks(view)} if snapshot else ()):
        views = [view for view in snapshot.models if view.model == name] if snapshot else []
        ready = sum(view.residency == "ready" for view in views)
        where = ", ".join(view.backend for view in views)
        tone = "good" if ready else "muted"
        rows.append(
            (
                name,
                line(
                    span(f"  {pad(name, 34)}", "strong"),
                    span(f" {'ready' if ready else 'unloaded':<9}", tone),
                    span(where, "muted"),
                ),
            )
        )
    return rows
