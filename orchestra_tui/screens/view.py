"""What every view shares: header, tabs, status or command line, footer, and the keys that move."""

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Size
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from orchestra_core.domain.events import Event
from orchestra_tui.messages import CandidatesFound, CommandClosed, FilterChanged
from orchestra_tui.present import frame
from orchestra_tui.present.actions import table
from orchestra_tui.present.commands import candidates
from orchestra_tui.present.copies import Copy
from orchestra_tui.present.numbers import file_stamp
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, line, span
from orchestra_tui.present.steady import steady
from orchestra_tui.screens.help import HelpScreen
from orchestra_tui.screens.menus import MenuScreen
from orchestra_tui.widgets.lines import Bar, Lines, Pane
from orchestra_tui.widgets.prompts import CommandLine
from orchestra_tui.widgets.rail import Rail
from orchestra_tui.widgets.table import LiveTable

# From so many cells on the rail is at the right.
WIDE = 160
# Until Textual's own delay between two views is looked at again, in seconds.
_SOON = 0.01

if TYPE_CHECKING:
    from orchestra_tui.app import Orchestra


def bindings(view: str) -> list[BindingType]:
    """The key bindings of a view, generated from the table of actions."""
    return [
        Binding(
            ",".join(action.keys),
            action.call,
            action.label,
            show=False,
            id=action.id,
            priority=action.priority,
        )
        for action in table.of_view(view)
        if action.keys and action.call
    ]


class ViewScreen(Screen[None]):
    """A view. Subclasses compose a body and draw the picture into it."""

    VIEW: ClassVar[str] = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (WIDE, "-wide")]  # noqa: RUF012  textual declares it so
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-tall")]  # noqa: RUF012  textual declares it so
    ESCAPE_TO_MINIMIZE = False
    # Not as Textual has it: to paint all of a screen because another pane has the focus takes a quarter of a second
    # on a slow line.
    focused = Reactive[Widget | None](None, repaint=False)

    def __init__(self) -> None:
        super().__init__(id=self.VIEW, classes=" ".join(self._sized(self.app.size)))
        # A new screen gets its styles as it is mounted. Without this all style sheets are read again before, which
        # takes longer than all the rest; Textual has no other way to say so.
        self._css_update_count = self.app._css_update_count
        self._styled = self._style_source()
        self._picture = Picture()
        self._header = steady(lambda picture, cells, _: (frame.header(picture, cells),))
        self._paints = False
        self._before: Widget | None = None

    def _style_source(self) -> tuple[object, ...]:
        """What styles depend on outside of this screen."""
        return self.app._css_update_count, frozenset(self.app.classes), self.app.size

    @on(events.ScreenResume)
    def keep_styles(self, event: events.ScreenResume) -> None:
        """Styles are not worked out anew where nothing has changed that they depend on: that takes longer than
        drawing the view."""
        source = self._style_source()
        event.refresh_styles, self._styled = source != self._styled, source

    def _sized(self, size: Size) -> set[str]:
        """The classes Textual will find for this size: with them from the beginning styles are applied once."""
        return self._get_breakpoint_classes(size.width, self.HORIZONTAL_BREAKPOINTS) | (
            self._get_breakpoint_classes(size.height, self.VERTICAL_BREAKPOINTS)
        )

    @property
    def console(self) -> "Orchestra":
        return cast("Orchestra", self.app)

    @property
    def picture(self) -> Picture:
        return self._picture

    @property
    def place(self) -> str:
        """`view`, or `prompt` while letters are text."""
        return "view"

    @property
    def idle_actions(self) -> frozenset[str]:
        """Ids of actions that would do nothing at the moment; the footer leaves them out."""
        return frozenset()

    def compose(self) -> ComposeResult:
        yield Bar(id="header")
        yield Bar(id="tabs")
        with Horizontal(id="main"):
            with Vertical(id="body"):
                yield from self.body()
            if self.has_class("-wide"):
                yield Rail()
        yield Bar(id="candidates")
        with Widget(id="bottom"):
            yield Bar(id="status")
            yield Bar(id="sign")
            yield CommandLine(self._completed, self.console.commands)
        yield Bar(id="footer")
        yield Lines(id="tiny")

    @abstractmethod
    def body(self) -> Iterable[Widget]:
        """What stands between the tabs and the status line."""

    def draw(self, picture: Picture) -> None:
        """Draws the body; the frame around it is drawn already."""
        for each in self.walk_children(Rail):
            each.give_room(picture.snapshot)
        for pane in self.walk_children(Pane):
            pane.show(picture)

    def show(self, picture: Picture, *, frozen: bool = False) -> None:
        """Shows a picture; `frozen` redraws only the frame, for a paused display."""
        self._picture = picture
        if not self.standing:
            return
        self.frame()
        if not frozen:
            self.draw(picture)

    @property
    def standing(self) -> bool:
        """Whether there are widgets to draw into: not before mounting, not while the application ends."""
        return self.is_mounted and self.app.is_running

    def frame(self) -> None:
        """Draws the lines around the body."""
        if not self.standing:
            return
        cells, rows = self.app.size
        tiny = cells < frame.NEEDED[0] or rows < frame.NEEDED[1]
        self.set_class(tiny, "-tiny")
        if tiny:
            self.query_one("#tiny", Lines).show_lines(frame.too_small(self._picture, cells, rows))
            return
        self.query_one("#header", Bar).show_lines(self._header(self._picture, cells, 1))
        self.query_one("#tabs", Bar).show(frame.tabs(self.VIEW, cells))
        self.query_one("#status", Bar).show(frame.status(self.console.message, self.news(), cells))
        self.query_one("#footer", Bar).show(
            frame.footer(self.VIEW, self.place, cells, self.idle_actions, self.console.keymap)
        )

    def news(self) -> Event | None:
        """What the status line shows when nothing was said."""
        return self.console.latest

    def kept(self) -> dict[str, str]:
        """What this view wants to be again at the next start, by names of its own: filter, sort, window …"""
        return {}

    def recall(self, kept: Mapping[str, str]) -> None:
        """Becomes what it was; what makes no sense any more is left as it is. There are no widgets yet to ask."""

    def on_mount(self) -> None:
        self.recall(self.console.remembered(self.VIEW))
        self.show(self.console.picture())
        self.console.opened()

    async def on_screen_resume(self) -> None:
        # To make a view, to draw it and to paint it are three holds of the loop, not one of them all.
        await asyncio.sleep(0)
        self.show(self.console.picture())
        await asyncio.sleep(0)

    def _compositor_refresh(self) -> None:
        """Paints a turn of the loop later than Textual does: then all that has another size is drawn for it, and a
        screen is painted once where it was painted blank, then with what it shows, then with its scrollbars."""
        if not self._paints:
            self._paints = True
            asyncio.get_running_loop().call_soon(self.call_later, self._paint)

    def _paint(self) -> None:
        self._paints = False
        if self.app._batch_count:
            self.set_timer(_SOON, self._compositor_refresh)
        elif not (self._layout_required or self._repaint_required):
            # What is not in sight yet would make it take the next layout for the present one, and paint nothing of it.
            known = self._compositor.visible_widgets.keys()
            self._compositor.update_widgets(self._dirty_widgets & known)
            super()._compositor_refresh()

    def on_resize(self) -> None:
        if self.app.size.width >= WIDE and not self.query(Rail):
            self.query_one("#main").mount(Rail())
        # The picture of then: a newer one may have come.
        self.call_after_refresh(lambda: self.show(self._picture))

    def on_descendant_focus(self) -> None:
        self.frame()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is taken before other keys is a key only while no text is typed."""
        if action in ("command", "filter", "copy", "export", "help"):
            return not isinstance(self.focused, Input | TextArea)
        return super().check_action(action, parameters)

    def action_command(self) -> None:
        self._open(filtering=False)

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen(self.VIEW, self.console.keymap))

    def action_back(self) -> None:
        """Leaves what is open on this view; nothing at the top level."""

    def action_detail(self) -> None:
        """Shows the details of the selection."""

    def action_move(self, by: int) -> None:
        target = self.moving()
        if isinstance(target, LiveTable):
            target.move(by)
        elif target is not None:
            target.scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        target = self.moving()
        if isinstance(target, LiveTable):
            target.move(by * target.page)
        elif target is not None:
            target.scroll_relative(y=by * max(target.size.height - 1, 1), animate=False)

    def action_edge(self, end: int) -> None:
        target = self.moving()
        if isinstance(target, LiveTable):
            target.move(end * len(target.keys))
        elif target is not None and end < 0:
            target.scroll_home(animate=False)
        elif target is not None:
            target.scroll_end(animate=False)

    def moving(self) -> Lines | None:
        """What the moving keys move."""
        return self.focused if isinstance(self.focused, Lines) else None

    def copied(self) -> str:
        """What `y` copies."""
        target = self.moving()
        return target.text if target is not None else ""

    def copies(self) -> Sequence[Copy]:
        """What the menu of `y` offers; the first is what `Y` copies at once."""
        return (
            Copy("y", "what is selected", self.copied()),
            Copy("s", "screen as text", self.console.painted()),
        )

    def copied_from(self) -> str:
        """What the menu of `y` is about."""
        return "from what is focused"

    def action_copy(self) -> None:
        """The menu; only what there is can be chosen."""
        offered = {copy.key: copy for copy in self.copies() if copy.text.strip()}

        def answered(key: str | None) -> None:
            if key:
                self.console.copy(offered[key].text, offered[key].label)

        entries = [(copy.key, copy.label, copy.text.strip()) for copy in offered.values()]
        self.app.push_screen(MenuScreen("Copy", self.copied_from(), entries), answered)

    def action_copy_first(self) -> None:
        first = next(iter(self.copies()))
        self.console.copy(first.text, first.label)

    def exports(self) -> Mapping[str, tuple[str, str, Callable[[], str]]]:
        """What the menu of ctrl+e offers, by letter: what it is, the suffix of its file, and what makes it."""
        painted = self.console.painted()
        return {
            "v": ("screen as SVG", ".svg", lambda: self.app.export_screenshot(title="ai-orchestra")),
            "s": ("screen as text", ".txt", lambda: painted),
        }

    def action_export(self) -> None:
        offered = self.exports()
        now = self._picture.snapshot.now if self._picture.snapshot else ""
        stem = "-".join(part for part in ("orchestra", self.VIEW, file_stamp(now)) if part)

        def write(key: str) -> None:
            _, suffix, made = offered[key]
            self.console.export(stem, suffix, made())

        def answered(key: str | None) -> None:
            if key:
                # Not before the menu is gone: a picture is taken of what is seen.
                self.call_after_refresh(write, key)

        entries = [(key, label, suffix) for key, (label, suffix, _) in offered.items()]
        self.app.push_screen(
            MenuScreen("Export", "into this directory, never over a file", entries), answered
        )

    def suggested(self, text: str) -> str | None:  # noqa: ARG002  for views with a filter
        """The filter that `text` begins."""
        return None

    def _completed(self, text: str) -> Sequence[str]:
        if self.query_one(CommandLine).filtering:
            whole = self.suggested(text)
            return [whole] if whole else []
        return candidates(text, self._picture.snapshot)

    def on_candidates_found(self, event: CandidatesFound) -> None:
        event.stop()
        bar = self.query_one("#candidates", Bar)
        bar.display = bool(event.lines)
        bar.show(frame.candidates(event.lines, event.at, self.app.size.width))

    def on_command_closed(self, event: CommandClosed) -> None:
        event.stop()
        self.query_one(CommandLine).close()
        self.query_one("#candidates").display = False
        self.query_one("#sign").display = False
        self.query_one("#status").display = True
        if self._before is not None and self._before.is_attached:
            self.set_focus(self._before)
        else:
            self.home()

    def on_key(self, event: events.Key) -> None:
        """A key of other views says where it is one."""
        if not isinstance(self.focused, Input | TextArea):
            known = table.elsewhere(self.VIEW, event.key, self.console.keymap)
            if known:
                self.say(line(span(known, "muted")))

    def on_filter_changed(self, event: FilterChanged) -> None:
        event.stop()

    def home(self) -> None:
        """Puts the focus where the view's keys work."""
        first = next(iter(self.stops()), None)
        if first is not None:
            self.set_focus(first)

    def stops(self) -> Sequence[Widget]:
        return [pane for pane in self.query(Lines) if pane.can_focus and pane.display]

    def say(self, message: Line) -> None:
        self.console.say_line(message)

    def begin_command(self, text: str) -> None:
        """Opens the command line with the beginning of a line in it."""
        self._open(filtering=False, text=text)

    def _open(self, *, filtering: bool, text: str = "") -> None:
        self._before = self.focused
        self.query_one("#status").display = False
        sign = self.query_one("#sign", Bar)
        sign.display = True
        sign.show(line(span("/" if filtering else ":", "key")))
        self.query_one(CommandLine).open(filtering=filtering, text=text)
