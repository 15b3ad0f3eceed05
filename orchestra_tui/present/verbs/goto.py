"""goto and back: the display at another time, of the last minutes or of a recording."""

import re

from orchestra_tui.present.replay import is_time
from orchestra_tui.present.verbs.verb import Command, Mistake, Verb

_SPAN = re.compile(r"[0-9]{1,6}[smh]?")


def _goto(text: str) -> Command | Mistake:
    if not is_time(text):
        return Mistake("goto: a time of day (UTC) such as 12:03 or 12:03:11, or -5m, +30s, start, end")
    return Command("goto", call=f"app.goto('{text}')")


def _back(text: str) -> Command | Mistake:
    """So much before what is shown."""
    if not _SPAN.fullmatch(text):
        return Mistake("back: how far? 90s, 2m or 1h; esc shows what is now")
    return Command("back", call=f"app.goto('-{text}')")


VERBS = (
    Verb("goto", "goto TIME", lambda _: ("start", "end"), lambda rest, _: _goto(rest)),
    Verb("back", "back SPAN", lambda _: ("30s", "1m", "2m", "5m"), lambda rest, _: _back(rest)),
)
