"""The application: one feed from the engine, one picture of it, and the actions that are not a view's own."""

import asyncio
import gc
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.driver import TerminalDriver
from orchestra_tui.engine import Engine
from orchestra_tui.launch import Launcher
from orchestra_tui.messages import CommandGiven, EventArrived, LinkLost, SnapshotArrived
from orchestra_tui.parts.commanding import Commanding
from orchestra_tui.parts.crash import report
from orchestra_tui.parts.drilling import Drilling
from orchestra_tui.parts.feed import Feed, loop_time
from orchestra_tui.parts.leaving import Leaving
from orchestra_tui.parts.looks import Looks
from orchestra_tui.parts.options import Options
from orchestra_tui.parts.pacing import Pacing
from orchestra_tui.parts.pausing import Pausing
from orchestra_tui.parts.reloading import Reloading
from orchestra_tui.parts.remembering import Remembering
from orchestra_tui.parts.replaying import Replaying
from orchestra_tui.parts.speech import Clipboard, Speech
from orchestra_tui.parts.typing import Typing
from orchestra_tui.player import Player
from orchestra_tui.preferences.beginning import Beginning
from orchestra_tui.present.actions.table import Keymap
from orchestra_tui.present.deeds.deed import Deed
from orchestra_tui.present.environment import barred
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line
from orchestra_tui.screens.dialogs import ConfirmScreen
from orchestra_tui.screens.gate import Gate
from orchestra_tui.screens.help import SheetScreen
from orchestra_tui.screens.modes import MODES
from orchestra_tui.screens.options import OptionsScreen
from orchestra_tui.screens.tabled import TableScreen
from orchestra_tui.screens.view import ViewScreen
from orchestra_tui.terminal import PLAIN, Terminal
from orchestra_tui.widgets.themes import framed
from orchestra_tui.widgets.tones import TONE_CLASSES

# Events after which the state is asked for at once.
CHANGES = ("model.", "breaker.", "backend.", "engine.", "alert.", "drill.")


class Orchestra(App[str]):
    """The console. Its result says what became of an engine it started: `kept`, `stopped` or nothing."""

    TITLE = "AI Orchestra"
    CSS_PATH = Path(__file__).with_name("orchestra.tcss")
    COMPONENT_CLASSES = TONE_CLASSES
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {**MODES}
    DEFAULT_MODE = "overview"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "leave", "Quit", show=False, priority=True, id="quit.anywhere"),
    ]

    def __init__(
        self,
        engine: Engine,
        *,
        launcher: Launcher | None = None,
        terminal: Terminal = PLAIN,
        now: Callable[[], float] | None = None,
        beginning: Beginning = Beginning(),  # noqa: B008 - frozen
    ) -> None:
        # Whether NO_COLOR takes all colour away or leaves greys is decided here, by this; later the theme decides.
        super().__init__(driver_class=TerminalDriver, ansi_color=terminal.basic_colors or None)
        self.set_reactive(App.ansi_color, None)
        self.beginning = beginning
        self.keymap: Keymap = beginning.keys
        self.engine = engine
        self._clock = now or loop_time
        self.looks = Looks(self, beginning, terminal)
        self.looks.begin()
        self._speech = Speech(self.now, lambda: self._show(frozen=True))
        self._copier = Clipboard(self, terminal, self.say)
        self._feed = Feed(self, engine, launcher, self.now, self.say)
        self._leaving = Leaving(self, self._feed, self.say, keeps=beginning.read_only)
        self._feed.chosen = beginning.interval
        self._remembering = Remembering(self, beginning, self.now, lambda: self._feed.chosen, self.say)
        self.pacing = Pacing(self, self.now, self._feed.spare)
        self._reloading = Reloading(self, beginning.settings, self._feed, self.say, self._rekey, self.looks)
        self._pausing = self._time(engine)
        self._gate = Gate(self)
        self._options = Options(self)
        self._commanding = Commanding(self)
        self._drilling = Drilling(self)
        self._typing = Typing(self, super().on_event)
        self._last_view = "models"
        self.animation_level = "none"

    def _time(self, engine: Engine) -> Pausing | Replaying:
        """What moves through time: a recording, or the last minutes of a live engine."""
        if isinstance(engine, Player):
            return Replaying(engine, self.say)
        feed = self._feed
        return Pausing(feed.history, lambda: feed.snapshot, self.say, feed.change_interval)

    def get_css_variables(self) -> dict[str, str]:
        looks: Looks | None = getattr(self, "looks", None)  # Textual asks for them before there are any
        return framed(super().get_css_variables(), looks.environment if looks else "")

    # -- the picture

    def now(self) -> float:
        """Monotonic seconds: the loop's clock, or the one given for a test."""
        return self._clock()

    def picture(self) -> Picture:
        """What the views show: while paused the data is that of the moment of pausing, the link is live."""
        shown = self._pausing.shown()
        return Picture(
            snapshot=shown,
            activity=self._feed.activity.until(shown),
            trends=self._feed.readings.until(shown),
            link=self._feed.link(),
            launch=self._feed.launch(),
            glyphs=self.looks.glyphs,
            paused=self._pausing.paused,
            position=self._pausing.position,
            replay=self._pausing.badge,
            interval=self._feed.interval,
            target=self.engine.target,
            can_start=self._feed.can_start(),
            read_only=self._read_only(),
            slow_link=self._feed.slow,
            plots=self.looks.plots,
        )

    def fresh(self) -> Picture:
        """The newest state, whatever is displayed."""
        return Picture(
            snapshot=self._feed.snapshot,
            link=self._feed.link(),
            glyphs=self.looks.glyphs,
            read_only=self._read_only(),
        )

    def _read_only(self) -> str:
        """Why nothing may be changed from here; empty where it may."""
        return self._pausing.read_only or barred(self._feed.snapshot, bound=self.beginning.read_only)

    @property
    def latest(self) -> Event | None:
        """The last thing that happened, or had happened at the moment that is shown."""
        return self._pausing.latest if self._pausing.past else self._feed.latest

    def happened(self) -> tuple[Event, ...]:
        """What happened within the memory of this console until the moment that is shown, oldest first."""
        return self._pausing.events()

    # -- what the user wants

    def _rekey(self, keys: Keymap) -> None:
        """Other keys than the usual, by the id of their action."""
        self.keymap = keys
        self.set_keymap({name: ",".join(several) for name, several in keys.items()})
        self._frames()

    @property
    def commands(self) -> Sequence[str]:
        """Command lines that were entered, this time and before; oldest first."""
        return self._remembering.commands

    def remembered(self, view: str) -> Mapping[str, str]:
        """What a view was when it was left."""
        return self._remembering.of_view(view)

    @property
    def interval(self) -> float:
        """Seconds between updates as the user chose them."""
        return self._feed.chosen

    def refresh_all(self) -> None:
        """Draws everything again: something about the looks has changed."""
        self._show()

    def action_options(self) -> None:
        self.push_screen(OptionsScreen(self._options.all, self._options.change, self.looks.glyphs))

    def action_change_theme(self) -> None:
        self.looks.pick_theme()

    # -- the feed

    def on_mount(self) -> None:
        self._rekey(self.beginning.keys)
        self._remembering.begun()
        if self.beginning.word:
            self.say(self.beginning.word, "warn")
        if self.beginning.view != self.current_mode:
            self.action_view(self.beginning.view)
        if self.is_headless:
            self._feed.follow()
        else:
            self.call_after_refresh(self._feed.follow)
        self._pausing.begin()
        self.set_interval(1.0, self._tick)
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, self.exit)

    def opened(self) -> None:
        """A view is there for the first time, and stays: to look through it for garbage would hold the loop for 50 ms
        and more, again and again."""
        if not self.is_headless:
            self.set_timer(1.0, gc.freeze)

    def _fatal_error(self) -> None:
        """Instead of Textual's page of source and variables: keys and prompts may be among them."""
        error = self._exception or RuntimeError("no reason known")
        when = datetime.now(UTC).isoformat(timespec="seconds")  # noqa: TID251 - for a file, not for a decision
        self._exit_renderables.append(Text(report(error, self.beginning.log, when)))
        self._close_messages_no_wait()

    async def on_unmount(self) -> None:
        self._remembering.close()
        await self.engine.close()

    def on_snapshot_arrived(self, event: SnapshotArrived) -> None:
        self._feed.arrived(event.snapshot)
        self.looks.belong(event.snapshot)
        self._drilling.arrived(event.snapshot)
        self._show(frozen=self._pausing.paused)

    def on_cursor_position(self) -> None:
        """The terminal's answer to the question how quick it is."""
        self.pacing.answered()

    def on_event_arrived(self, event: EventArrived) -> None:
        self._feed.happened(event.event)
        if event.event.kind.startswith(CHANGES):
            self._speech.overtake()
            self._feed.ask_for_news()
        self._frames()

    def on_link_lost(self, event: LinkLost) -> None:
        self._feed.lost(event.lost)
        self._show(frozen=self._pausing.paused)

    def _tick(self) -> None:
        """Ages and countdowns go on without data; with data all of it was drawn already."""
        said = self._speech.message
        self._speech.forget()
        self._remembering.tick()
        self.pacing.tick()
        self._reloading.tick(self.now())
        live = self._feed.link().live
        if not live or self._pausing.paused or self._speech.message is not said:
            self._show(frozen=self._pausing.paused or live)

    def _show(self, *, frozen: bool = False) -> None:
        picture = self.picture()
        for screen in self.screen_stack:
            if isinstance(screen, ViewScreen | SheetScreen):
                screen.show(picture, frozen=frozen)
            elif isinstance(screen, ConfirmScreen) and self.is_running:
                screen.follow(picture)

    def _frames(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, ViewScreen):
                screen.frame()

    # -- talking to the user

    @property
    def message(self) -> Line:
        """What was said last and still stands."""
        return self._speech.message

    def say(self, text: str, tone: str = "accent") -> None:
        """Puts one line into the status bar, where it stays until something newer."""
        self._speech.say(text, tone)

    def say_line(self, message: Line) -> None:
        self._speech.say_line(message)

    def copy(self, text: str, what: str = "") -> None:
        """Copies to the clipboard, and says where the text went; `what` is a word for it."""
        self._copier.copy(text, what)

    def export(self, stem: str, suffix: str, data: str) -> None:
        """Writes a file that does not exist yet, and says where."""
        self.run_worker(self._copier.export(stem, suffix, data), group="export")

    def painted(self) -> str:
        """The terminal as it is, as text."""
        # Textual can export the picture as SVG only; these are the rows from which it makes that.
        rows = self.screen._compositor.render_strips(self.size)
        return "\n".join(row.text.rstrip() for row in rows).rstrip() + "\n"

    async def on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Key | events.Paste):
            await super().on_event(event)
        elif not self.screen_stack:
            # A key that was still on its way up when the last screen closed; Textual would fail of it.
            event.stop()
        elif event.is_forwarded:
            await super().on_event(event)
        else:
            await self._typing.typed(event)

    # -- actions of every view

    def action_view(self, view: str) -> None:
        if view != self.current_mode:
            # What is not in front is not looked at any more.
            self._remembering.collect()
            self._last_view = self.current_mode
            self._speech.leave()
            self.switch_mode(view)

    def action_last_view(self) -> None:
        self.action_view(self._last_view)

    def action_pause(self) -> None:
        self._pausing.toggle()
        self._show()

    def action_scrub(self, by: int) -> None:
        """Steps through the last minutes."""
        self._pausing.step(by)
        self._show()

    def action_goto(self, text: str) -> None:
        """Shows another time."""
        self._pausing.goto(text)
        self._show()

    def action_return(self) -> None:
        """Leaves what is open; a display that was stopped becomes live first."""
        if self._pausing.paused:
            self._pausing.resume()
            self._show()
        elif isinstance(self.screen, ViewScreen):
            self.screen.action_back()

    def action_interval(self, by: int) -> None:
        self._pausing.pace(by)
        self._show(frozen=True)

    def action_renew(self) -> None:
        self._feed.renew(self._renewed)

    def _renewed(self, snapshot: Snapshot) -> None:
        self._pausing.resume()
        self.post_message(SnapshotArrived(snapshot))
        self.say("refreshed")

    async def action_leave(self) -> None:
        """Quits; asks first when an engine this console started still runs."""
        self._remembering.collect()
        self._leaving.leave()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        yield from self._commanding.offered(
            screen.VIEW if isinstance(screen, ViewScreen) else self.current_mode
        )

    def on_command_given(self, event: CommandGiven) -> None:
        self._remembering.commanded(event.text)
        self._commanding.given(event.text)

    def action_drill(self, endpoint: str) -> None:
        """A fault drill on an endpoint, or the end of one."""
        self._drilling.begin(endpoint)

    def action_drills(self) -> None:
        self._drilling.list()

    def go_to(self, view: str, key: str) -> None:
        """Shows one object in its view."""
        self.action_view(view)
        self.call_after_refresh(self._reveal, key)

    def _reveal(self, key: str) -> None:
        if isinstance(self.screen, TableScreen):
            self.screen.reveal(key)

    # -- changing the engine

    def do(self, deed: Deed) -> None:
        """The one way to change the engine: asks where something can be lost by it, and says what became of it."""
        self._gate.do(deed)
