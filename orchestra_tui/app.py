"""The application: one feed from the engine, one picture of it, and the actions that are not a view's own."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from orchestra_core.domain.events import Event
from orchestra_core.domain.snapshot import Snapshot
from orchestra_core.domain.text import safe_text
from orchestra_tui.asking.stopping import shutdown
from orchestra_tui.engine import Engine, EngineError, Lost
from orchestra_tui.launch import Launcher
from orchestra_tui.messages import CommandGiven, EventArrived, LinkLost, SnapshotArrived
from orchestra_tui.present.actions import table
from orchestra_tui.present.commands import parse
from orchestra_tui.present.connection import Connection
from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.present.picture import Launch, Link, Picture
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.present.verbs.verb import Mistake
from orchestra_tui.screens.alerts import AlertsScreen
from orchestra_tui.screens.backends import BackendsScreen
from orchestra_tui.screens.dialogs import ChoiceScreen, ConfirmScreen
from orchestra_tui.screens.gate import Gate
from orchestra_tui.screens.help import SheetScreen
from orchestra_tui.screens.models import ModelsScreen
from orchestra_tui.screens.overview import OverviewScreen
from orchestra_tui.screens.playground import PlaygroundScreen
from orchestra_tui.screens.usage import UsageScreen
from orchestra_tui.screens.view import ViewScreen
from orchestra_tui.terminal import PLAIN, Terminal, tmux_buffer
from orchestra_tui.widgets.themes import THEMES

INTERVALS = (0.5, 1.0, 2.0, 5.0, 10.0)
STOPPING_SECONDS = 20.0
SAID_SECONDS = 12.0
# How long a warning or an error can be read before the next event takes its place.
HELD_SECONDS = 5.0


class Orchestra(App[str]):
    """The console. Its result says what became of an engine it started: `kept`, `stopped` or nothing."""

    TITLE = "AI Orchestra"
    CSS_PATH = Path(__file__).with_name("orchestra.tcss")
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        "overview": OverviewScreen,
        "models": ModelsScreen,
        "backends": BackendsScreen,
        "playground": PlaygroundScreen,
        "alerts": AlertsScreen,
        "usage": UsageScreen,
    }
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
    ) -> None:
        super().__init__()
        self.engine = engine
        self.message: Line = ()
        self.latest: Event | None = None
        self._launcher = launcher
        self._terminal = terminal
        self._clock = now
        self._glyphs = ASCII if terminal.ascii else UNICODE
        self._snapshot: Snapshot | None = None
        self._held: Snapshot | None = None
        self._connection = Connection()
        self._gate = Gate(self)
        self._launched: float | None = None
        self._paused = False
        self._asking_news = False
        self._said = 0.0
        self._overtaken = False
        self._interval = 1.0
        self._last_view = "models"
        self.animation_level = "none"

    # -- the picture

    def now(self) -> float:
        """Monotonic seconds: the loop's clock, or the one given for a test."""
        return self._clock() if self._clock else asyncio.get_running_loop().time()

    def picture(self) -> Picture:
        """What the views show: while paused the data is that of the moment of pausing, the link is live."""
        return Picture(
            snapshot=self._held if self._paused else self._snapshot,
            link=self._link(),
            launch=self._launch(),
            glyphs=self._glyphs,
            paused=self._paused,
            interval=self._interval,
            target=self.engine.target,
            can_start=self._can_start(),
        )

    def _link(self) -> Link:
        starting = self._launcher is not None and self._launcher.alive
        return self._connection.link(self.now(), self._interval, starting=starting)

    def _launch(self) -> Launch | None:
        ours = self._launcher
        if ours is None or self._launched is None or self._link().live:
            return None
        if ours.code is None and self._snapshot is not None:
            return None
        return Launch(ours.pid, self.now() - self._launched, ours.log, ours.tail(6), ours.code)

    # -- the feed

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "ansi-dark" if self._terminal.basic_colors else "orchestra-dark"
        self.set_class(self._terminal.ascii, "-ascii")
        self._follow()
        self.set_interval(1.0, self._tick)
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, self.exit)

    async def on_unmount(self) -> None:
        await self.engine.close()

    def _follow(self) -> None:
        self.run_worker(self._feed(), group="feed", exclusive=True)

    async def _feed(self) -> None:
        async for update in self.engine.watch(self._interval):
            if isinstance(update, Snapshot):
                self.post_message(SnapshotArrived(update))
            elif isinstance(update, Lost):
                self.post_message(LinkLost(update.attempt, update.delay, update.reason, update.absent))
            else:
                self.post_message(EventArrived(update))

    def on_snapshot_arrived(self, event: SnapshotArrived) -> None:
        before, self._snapshot = self._snapshot, event.snapshot
        self._connection.arrived(self.now())
        if before is not None and (before.pid, before.started) != (
            self._snapshot.pid,
            self._snapshot.started,
        ):
            self.say("the engine was restarted; connected again", "warn")
        if self._snapshot.events and self.latest is None:
            self.latest = max(self._snapshot.events, key=lambda each: each.at)
        self._show(frozen=self._paused)

    def on_event_arrived(self, event: EventArrived) -> None:
        self.latest = event.event
        if event.event.kind.startswith(("model.", "breaker.", "backend.", "engine.", "alert.")):
            self._overtaken = True
            self._forget()
            self._ask_for_news()
        self._frames()

    def _ask_for_news(self) -> None:
        """Fetches the state a change led to, so that keys never act on the second before it."""
        if not self._asking_news:
            self._asking_news = True
            self.run_worker(self._news(), group="news")

    async def _news(self) -> None:
        with contextlib.suppress(EngineError):
            self.post_message(SnapshotArrived(await self.engine.fetch()))
        self._asking_news = False

    def on_link_lost(self, event: LinkLost) -> None:
        self._connection.failed(self.now(), event.attempt, event.delay, event.reason, absent=event.absent)
        if event.absent and self._launched is None and self._snapshot is None:
            self._start_engine()
        self._show(frozen=self._paused)

    def _can_start(self) -> bool:
        """Whether an engine could be started now: we know how, ours is not running, and nothing listens."""
        return self._launcher is not None and not self._launcher.alive and self._connection.absent

    def _start_engine(self) -> None:
        if self._launcher is None:
            return
        self._launched = self.now()
        try:
            self._launcher.start()
        except OSError as error:
            self.say(f"the engine cannot be started: {error}", "bad")
            self._launched = None
            self._launcher = None

    def _tick(self) -> None:
        """Ages and countdowns go on without data."""
        self._forget()
        self._show(frozen=self._paused or self._link().live)

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

    def say(self, text: str, tone: str = "accent") -> None:
        """Puts one line into the status bar, where it stays until something newer."""
        self.say_line(line(span(text, tone)))

    def say_line(self, message: Line) -> None:
        self.message = message
        self._said = self.now()
        self._overtaken = False
        self._frames()

    def _forget(self) -> None:
        """What was said makes room for the news: at once, but a warning or an error not before it could be read.

        Without news it stays for a while, and an error until there are some.
        """
        age = self.now() - self._said
        tones = {part.tone for part in self.message}
        if self._overtaken:
            old = tones.isdisjoint(("warn", "bad")) or age >= HELD_SECONDS
        else:
            old = age > SAID_SECONDS and "bad" not in tones
        if old:
            self.message = ()

    def copy(self, text: str) -> None:
        """Copies to the terminal's clipboard by OSC 52, and to tmux's buffer inside tmux."""
        text = safe_text(text)
        if not text.strip():
            self.say("nothing to copy here", "warn")
            return
        self.copy_to_clipboard(text)
        self.run_worker(self._copied(text), group="copy", exclusive=True)

    async def _copied(self, text: str) -> None:
        where = "the terminal's clipboard (OSC 52)"
        if self._terminal.tmux:
            where += " and tmux's buffer" if await tmux_buffer(text) else "; tmux took nothing"
        self.say(f"copied {len(text)} characters to {where}")

    def press(self, key: str) -> None:
        """As if the user had pressed it. Sent as the driver sends: a key of a screen's own does not bubble."""
        self.post_message(events.Key(key, key).set_sender(self))

    # -- actions of every view

    def action_view(self, view: str) -> None:
        if view != self.current_mode:
            self._last_view = self.current_mode
            self.switch_mode(view)

    def action_last_view(self) -> None:
        self.action_view(self._last_view)

    def action_pause(self) -> None:
        if self._snapshot is None:
            self.say("nothing to pause yet", "warn")
            return
        self._paused = not self._paused
        self._held = self._snapshot
        self._show()

    def action_interval(self, by: int) -> None:
        place = INTERVALS.index(self._interval) + by
        if 0 <= place < len(INTERVALS):
            self._interval = INTERVALS[place]
            self.say(f"updates every {self._interval:g} s")
            self._follow()
        else:
            self.say(f"{self._interval:g} s is the {'shortest' if by < 0 else 'longest'} interval", "warn")

    def action_renew(self) -> None:
        if self._can_start():
            self._start_engine()
        self.engine.retry_now()
        self.run_worker(self._renew(), group="renew", exclusive=True)

    async def _renew(self) -> None:
        try:
            snapshot = await self.engine.fetch()
        except EngineError as error:
            self.say(f"refresh: {error.message}", "warn")
            return
        self._paused = False
        self.post_message(SnapshotArrived(snapshot))
        self.say("refreshed")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        view = screen.VIEW if isinstance(screen, ViewScreen) else self.current_mode
        for action in table.of_view(view):
            if action.palette and action.call:
                yield SystemCommand(
                    action.help.capitalize(), f"key {action.shown}", self._calling(action.call)
                )

    def _calling(self, call: str) -> Callable[[], None]:
        def run() -> None:
            self.call_later(self._run, call)

        return run

    async def _run(self, call: str) -> None:
        await self.run_action(call, self.screen)

    async def on_command_given(self, event: CommandGiven) -> None:
        command = parse(event.text, self._snapshot)
        if command is None:
            return
        if isinstance(command, Mistake):
            self.say(command.message, "warn")
        elif command.verb == "model":
            self.action_view("playground")
            self.call_after_refresh(self._choose, command.target)
        elif command.call:
            self.call_later(self._run, command.call)
        else:
            self.ask(command.verb, command.target)

    def _choose(self, name: str) -> None:
        if isinstance(self.screen, PlaygroundScreen):
            self.screen.choose(name)

    # -- load and unload

    def ask(self, verb: str, target: str | None) -> None:
        """Asks whether to load or unload an endpoint, by its id."""
        self._gate.ask(verb, target)

    def fresh(self) -> Picture:
        """The newest state, whatever is displayed."""
        return Picture(snapshot=self._snapshot, link=self._link(), glyphs=self._glyphs)

    # -- leaving

    async def action_leave(self) -> None:
        """Quits; asks first when an engine this console started still runs."""
        if any(isinstance(screen, ChoiceScreen) for screen in self.screen_stack):
            return
        if self._launcher is None or not self._launcher.alive:
            self.exit("left" if self._link().live else "")
            return
        rows = [
            line(span(f"  This console started the engine (process {self._launcher.pid}).")),
            line(span("  Kept running, it goes on serving; start the console", "muted")),
            line(span("  again to attach to it.", "muted")),
        ]
        choices = [("keep", "k", "Keep running"), ("stop", "s", "Stop it"), ("cancel", "c", "Cancel")]
        self.push_screen(ChoiceScreen("Quit: what about the engine?", rows, choices), self._left)

    def _left(self, choice: str | None) -> None:
        if choice == "keep":
            self.exit("kept")
        elif choice == "stop":
            self.say("stopping the engine …", "warn")
            self.run_worker(self._stop_engine(), group="stop", exclusive=True)

    async def _stop_engine(self) -> None:
        ours = self._launcher
        if ours is None:
            return
        try:
            await shutdown(self.engine)
        except EngineError:
            ours.terminate()
        if await asyncio.to_thread(ours.wait, STOPPING_SECONDS):
            self.exit("stopped")
        else:
            self.say(f"the engine (process {ours.pid}) does not stop; its log: {ours.log}", "bad")
