"""Keys one after the other: none is taken before all is done that the one before it has caused.

Textual gives a key to what has the focus at that moment, whose queue it then waits in, while another key may be
taken at once, or open a line that swallows the first. What is typed quickly, or comes in one piece over a slow
line, would be lost or mean something else.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widgets import Input, TextArea

# How often what a key causes may cause something else, each by a message from the focus up to the application: a
# line is submitted, is given, and is closed. One more than was ever needed.
ROUNDS = 4
# Seconds after which the next key is taken whatever the one before it still does.
PATIENCE = 1.0


def after_escape(event: events.Key) -> str:
    """The letter or digit that came together with escape; empty if none. Terminals write alt with a key in the same
    way."""
    if not event.key.startswith("alt+"):
        return ""
    name = event.key.removeprefix("alt+")
    upper = name.startswith("shift+") and len(name) == len("shift+") + 1
    return name[-1].upper() if upper else name if len(name) == 1 else ""


class Typing:
    """Whatever is typed, in order; `take` is what the application does with a key or what was pasted."""

    def __init__(self, app: App[Any], take: Callable[[events.Event], Awaitable[None]]) -> None:
        self._app = app
        self._take = take
        self._waiting: deque[events.Event] = deque()
        self._turn = 0
        self._guard: asyncio.TimerHandle | None = None

    async def typed(self, event: events.Event) -> None:
        self._waiting += self._parted(event)
        if self._guard is None:
            await self._next()

    async def _next(self) -> None:
        if not self._waiting:
            return
        event = self._waiting.popleft()
        self._turn += 1
        self._guard = asyncio.get_running_loop().call_later(PATIENCE, self._give_up, self._turn)
        path, screen = self._path(), self._screen()
        await self._take(event)
        await self._climb(path, self._turn, 1 if self._is_text(event) else ROUNDS, screen)

    async def _climb(self, path: Sequence[MessagePump], turn: int, rounds: int, screen: object) -> None:
        """On to the next of the path behind everything that waits there, and so on for so many rounds; `screen` was
        there before."""
        for number, node in enumerate(path):
            if node.call_later(self._climb, path[number + 1 :], turn, rounds, screen):
                return
        now = self._screen()
        if rounds > 1:
            await self._climb(self._path(), turn, rounds - 1, screen)
        elif now is None or now is screen or not now.call_after_refresh(self._done, turn):
            await self._done(turn)

    async def _done(self, turn: int) -> None:
        if turn == self._turn and self._guard is not None:
            self._guard.cancel()
            self._guard = None
            await self._next()

    def _parted(self, event: events.Event) -> Sequence[events.Event]:
        """Escape and another key so soon after it that the terminal sent both as one are two keys."""
        then = after_escape(event) if isinstance(event, events.Key) else ""
        if not then:
            return [event]
        # Sent as the driver sends: a key of a screen's own does not bubble.
        return [event.set_sender(self._app) for event in (events.Key("escape", None), events.Key(then, then))]

    def _give_up(self, turn: int) -> None:
        self._app.call_later(self._done, turn)

    def _path(self) -> Sequence[MessagePump]:
        """Where a message of what has the focus comes by."""
        focus = self._app.focused or self._screen()
        return [] if focus is None else [*focus.ancestors_with_self]

    def _screen(self) -> Screen[Any] | None:
        return self._app.screen if self._app.screen_stack else None

    def _is_text(self, event: events.Event) -> bool:
        """A letter for a text changes nothing that a key could mean."""
        written = isinstance(self._app.focused, Input | TextArea)
        return written and isinstance(event, events.Key) and event.is_printable
