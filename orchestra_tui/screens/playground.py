"""The Playground: ask a model and watch the answer arrive."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import ClassVar

import msgspec
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import Worker

from orchestra_core.domain.snapshot import ModelView
from orchestra_core.domain.text import one_line
from orchestra_tui.messages import PromptGiven, PromptLeft, PromptRecalled, SelectionLost
from orchestra_tui.pieces import Done, Failed, Started, Token
from orchestra_tui.present import answer as present
from orchestra_tui.present.answer import AUTO, Answer
from orchestra_tui.present.form import mistakes
from orchestra_tui.present.parameters import FIELDS, told, wish
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, line, pad, span
from orchestra_tui.present.transcript import Transcript
from orchestra_tui.screens.dialogs import PickScreen
from orchestra_tui.screens.form import FormScreen
from orchestra_tui.screens.view import ViewScreen, bindings
from orchestra_tui.widgets.lines import Pane
from orchestra_tui.widgets.prompts import PromptArea

FLUSH = 0.12
_SIDES = ("answers", "beside")


class PlaygroundScreen(ViewScreen):
    """Prompts and answers, the prompt below, the numbers beside or under them. With a second model each prompt goes to
    both at once, and their answers stand side by side."""

    VIEW = "playground"
    BINDINGS: ClassVar[list[BindingType]] = bindings("playground")

    def __init__(self) -> None:
        super().__init__()
        self.models: tuple[str, ...] = (AUTO,)
        self.typed: dict[str, str] = {}
        self._turns: list[tuple[Answer, ...]] = []
        self._recent: list[str] = []
        self._saved: list[str] = []
        self._workers: dict[int, Worker[None]] = {}
        self._transcripts = tuple(Transcript() for _ in _SIDES)
        self._timer: Timer | None = None
        self._dirty = False

    def body(self) -> Iterable[Widget]:
        with Horizontal(id="split"):
            with Vertical(id="talk"):
                with Horizontal(id="sides"):
                    yield Pane(partial(self._side, 0), "Answers", id="answers", follow=True)
                    yield Pane(partial(self._side, 1), "Beside", id="beside", follow=True)
                yield Pane(self._ticker, id="ticker", focusable=False)
                yield PromptArea()
            yield Pane(self._facts, "This answer", id="numbers", focusable=False)

    @property
    def place(self) -> str:
        return "prompt" if isinstance(self.focused, PromptArea) else "view"

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Those to the last prompt, one for each model."""
        return self._turns[-1] if self._turns else ()

    @property
    def running(self) -> bool:
        return any(answer.running for answer in self.answers)

    @property
    def idle_actions(self) -> frozenset[str]:
        return frozenset() if self.running else frozenset({"cancel"})

    def on_mount(self) -> None:
        self._timer = self.set_interval(FLUSH, self._flush, pause=True)
        self.call_after_refresh(self._anew)
        self.home()

    def home(self) -> None:
        self.set_focus(self.query_one(PromptArea))

    def draw(self, picture: Picture) -> None:
        for pane in self.query(Pane):
            pane.show(picture)
            pane.age(False)

    # -- what is asked next, and of whom

    def action_write(self) -> None:
        self.home()

    def action_pick(self) -> None:
        """Opens the list of models; `auto` lets the engine choose."""
        self._picked("Model", self.models[0], self.choose)

    def action_versus(self) -> None:
        """Opens the list for a second model beside the first, or takes it away."""
        if len(self.models) > 1:
            self.models = self.models[:1]
            self._anew()
        else:
            self._picked("Second model, beside the first", AUTO, self.beside)

    def action_parameters(self) -> None:
        def given(typed: dict[str, str] | None) -> None:
            if typed is not None:
                self.typed = typed
                self._anew()
            self.home()

        self.app.push_screen(FormScreen("Parameters of the next prompts", FIELDS, self.typed), given)

    def kept(self) -> dict[str, str]:
        """Models, parameters and saved prompts: what was asked and answered is not kept."""
        chosen = {"models": self.models, "parameters": self.typed, "saved": self._saved}
        return {name: msgspec.json.encode(value).decode() for name, value in chosen.items() if value}

    def recall(self, kept: Mapping[str, str]) -> None:
        """As it was left; what cannot be read is as if it had never been chosen."""
        with contextlib.suppress(msgspec.MsgspecError):
            self._saved = msgspec.json.decode(kept.get("saved", "[]"), type=list[str])
            typed = msgspec.json.decode(kept.get("parameters", "{}"), type=dict[str, str])
            self.typed = (
                {} if mistakes(FIELDS, typed) else {f.name: typed[f.name] for f in FIELDS if f.name in typed}
            )
            models = msgspec.json.decode(kept.get("models", "[]"), type=list[str])
            self.models = tuple(models[:2]) or (AUTO,)

    def action_save(self) -> None:
        """The prompt that is written, or else the last one asked, is kept for other days; or not any more."""
        text = self.query_one(PromptArea).text.strip() or (self._recent[-1] if self._recent else "")
        if text in self._saved:
            self._saved = [each for each in self._saved if each != text]
            self.console.say("the prompt is not saved any more")
        elif not text or len(text) > present.LONGEST_SAVED or len(self._saved) >= present.SAVED:
            full = f"{present.SAVED} prompts of {present.LONGEST_SAVED} characters can be saved"
            self.console.say(full if text else "nothing is written or was asked that could be saved", "warn")
        else:
            self._saved = [*self._saved, text]
            self.console.say("the prompt is saved: h lists it; a once more forgets it")

    def action_recall(self) -> None:
        """Opens the list of saved prompts and of what was asked, the last first."""
        if not self._recent and not self._saved:
            self.say(line(span("nothing was asked or saved yet", "warn")))
            return
        texts = dict.fromkeys([*self._saved, *reversed(self._recent)])
        rows = [
            (
                text,
                line(
                    span("  saved  " if text in self._saved else "         ", "accent"),
                    span(one_line(text[:300])),
                ),
            )
            for text in texts
        ]

        def chosen(text: str | None) -> None:
            if text:
                self.query_one(PromptArea).text = text
            self.home()

        self.app.push_screen(PickScreen("Asked before", rows, rows[0][0]), chosen)

    def choose(self, name: str) -> None:
        """The model the next prompts go to."""
        self.models = (name, *self.models[1:])
        self._anew()

    def beside(self, name: str) -> None:
        """The model whose answers stand beside."""
        self.models = (self.models[0], name)
        self._anew()

    def _picked(self, title: str, current: str, take: Callable[[str], None]) -> None:
        def chosen(name: str | None) -> None:
            if name:
                take(name)
            self.home()

        self.app.push_screen(PickScreen(title, _choices(self.picture), current), chosen)

    def _anew(self) -> None:
        self._entitle()
        self._redraw()

    def _entitle(self) -> None:
        """Who is asked next stands over the answers and the prompt."""
        two = len(self.models) > 1
        self.set_class(two, "-versus")
        for name, title in zip(_SIDES, self.models, strict=False):
            self.query_one(f"#{name}", Pane).entitle(f"Next asks {title}" if two else "Answers")
        with_ = told(self.typed)
        self.query_one(PromptArea).border_title = f"Prompt  {with_}".rstrip().replace("[", "\\[")

    # -- asking

    def on_prompt_given(self, event: PromptGiven) -> None:
        event.stop()
        if self.running:
            self.say(line(span("an answer is still running: ctrl+x cancels it", "warn")))
            return
        self.query_one(PromptArea).clear()
        self._recent = [*self._recent, event.text][-present.RECENT :]
        turn = tuple(Answer(event.text, model, self.console.now()) for model in self.models)
        self._turns = [*self._turns, turn][-present.KEPT :]
        for side, answer in enumerate(turn):
            asked = partial(self._ask, answer, wish(event.text, answer.asked, self.typed))
            self._workers[side] = self.run_worker(asked, group=f"route-{side}", exclusive=True)
        if self._timer is not None:
            self._timer.resume()
        self._redraw()
        for name in _SIDES:
            self.call_after_refresh(self.query_one(f"#{name}", Pane).to_end)

    def on_prompt_recalled(self, event: PromptRecalled) -> None:
        event.stop()
        self.query_one(PromptArea).recall(self._recent, event.by)

    def on_prompt_left(self, event: PromptLeft) -> None:
        event.stop()
        self.set_focus(self.moving())

    def on_selection_lost(self, event: SelectionLost) -> None:
        event.stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """ctrl+x is the prompt's own cut while nothing runs."""
        if action == "cancel":
            return self.running
        return super().check_action(action, parameters)

    def action_cancel(self) -> None:
        for side, answer in enumerate(self.answers):
            if answer.running:
                self._workers[side].cancel()
                self._end(answer, "cancelled")

    def action_back(self) -> None:
        self.action_cancel()

    def copied(self) -> str:
        side = 1 if self.focused is self.query_one("#beside") else 0
        return self.answers[side].text if side < len(self.answers) else ""

    def moving(self) -> Pane:
        focused = self.focused
        return (
            focused
            if isinstance(focused, Pane) and focused.id in _SIDES
            else self.query_one("#answers", Pane)
        )

    async def _ask(self, answer: Answer, body: Mapping[str, object]) -> None:
        async with contextlib.aclosing(self.console.engine.route(body)) as pieces:
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
            self._end(answer, "failed")
        else:
            _finish(answer, piece)
            self._end(answer, "done")

    def _end(self, answer: Answer, how: str) -> None:
        answer.ended = how
        if self._timer is not None and not self.running:
            self._timer.pause()
        self._redraw()

    # -- what is shown

    def _flush(self) -> None:
        if self._dirty:
            self._redraw()
        elif self.standing and self.is_current:
            self.query_one("#numbers", Pane).redraw()
            self.query_one("#ticker", Pane).redraw()

    def _redraw(self) -> None:
        self._dirty = False
        if self.standing and self.is_current:
            for pane in self.query(Pane):
                pane.redraw()
                pane.age(False)
            self.frame()

    def _ticker(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        now, glyphs = self.console.now(), picture.glyphs
        shown = self.answers if len(self.answers) == len(self.models) else self.answers[:1]
        tickers = [
            present.ticker(each, asked, cells, now, glyphs)
            for each, asked in zip(shown, self.models, strict=False)
        ]
        return tickers or [present.ticker(None, " and ".join(self.models), cells, now, glyphs)]

    def _side(self, side: int, picture: Picture, cells: int, _rows: int) -> list[Line]:
        answers = [turn[side] for turn in self._turns if side < len(turn)]
        if not answers:
            return [line(span(" Nothing asked yet.", "muted"))]
        return self._transcripts[side].lines(answers, cells, picture.glyphs)

    def _facts(self, picture: Picture, cells: int, _rows: int) -> list[Line]:
        now, more = self.console.now(), told(self.typed)
        return present.facts(self.answers, self.models, cells, now, picture.glyphs, more)


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
