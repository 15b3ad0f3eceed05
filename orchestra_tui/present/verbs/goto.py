"""goto: the display at another time, of the last minutes or of a recording."""

from orchestra_tui.present.replay import is_time
from orchestra_tui.present.verbs.verb import Command, Mistake, Verb


def _goto(text: str) -> Command | Mistake:
    if not is_time(text):
        return Mistake("goto: a time of day (UTC) such as 12:03 or 12:03:11, or -5m, +30s, start, end")
    return Command("goto", call=f"app.goto('{text}')")


VERBS = (Verb("goto", "goto TIME", lambda _: ("start", "end"), lambda rest, _: _goto(rest)),)
