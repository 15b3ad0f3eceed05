"""One thing that happened, whoever did it, in the words of the table."""

from collections.abc import Iterable
from urllib.parse import unquote

import msgspec

from orchestra_core.domain.events import Event
from orchestra_tui.present.glyphs import Glyphs
from orchestra_tui.present.states import State

# What the tabs show, in their order.
TABS = ("all", "events", "audit")
ENGINE = "engine"
# Events that are shown at most.
KEPT = 1000
# Characters of a foreign text that are looked at; a line of a table shows a fraction of it.
_LONGEST = 2000


class Done(msgspec.Struct, frozen=True):
    """A line of the audit log. `refused` counts those that are not in it one by one, `most` says of whom."""

    at: str
    request_id: str = ""
    key: str = ""
    who: str = ""
    peer: str = ""
    method: str = ""
    path: str = ""
    status: int = 0
    outcome: str = ""
    command: str = ""
    refused: int = 0
    most: str = ""


class Audit(msgspec.Struct, frozen=True):
    """Newest first; `next` is where older ones begin."""

    entries: tuple[Done, ...] = ()
    next: str | None = None


class Target(msgspec.Struct, frozen=True):
    """Where the object is that something happened to: a view, and its row there."""

    view: str
    key: str


class Happening(msgspec.Struct, frozen=True):
    """`result` is the level of an event or the outcome of an action. `command` is what one would type for it."""

    key: str
    at: str
    who: str
    what: str
    result: str
    text: str
    subject: str = ""
    command: str = ""
    from_engine: bool = True
    done: Done | None = None
    target: Target | None = None

    @property
    def problem(self) -> bool:
        return self.result in ("warning", "error", "refused", "failed")


def of_event(key: str, event: Event) -> Happening:
    return Happening(
        key,
        event.at,
        ENGINE,
        event.kind,
        event.level,
        event.message[:_LONGEST],
        subject=event.subject[:_LONGEST],
        target=_object(event.kind, event.subject),
    )


def of_action(done: Done) -> Happening:
    """The request's id makes it the same row whenever it is read."""
    if done.refused:
        text = f"{done.refused} more were refused: {done.most[:_LONGEST]}"
        return Happening(
            f"refused {done.at}", done.at, "several", "refused", "refused", text, from_engine=False
        )
    who = done.who or done.peer
    asked = f"{done.method} {unquote(done.path[:_LONGEST])}"
    return Happening(
        f"action {done.request_id or done.at}",
        done.at,
        who[:_LONGEST],
        _verb(done),
        done.outcome,
        done.command[:_LONGEST] or asked,
        subject=_named(done.path),
        command=done.command,
        from_engine=False,
        done=done,
        target=_asked_of(done.path),
    )


def merged(events: Iterable[Happening], actions: Iterable[Happening], tab: str) -> list[Happening]:
    """Newest first, also of what happened at the same time."""
    chosen: list[Happening] = []
    if tab != "audit":
        chosen += events
    if tab != "events":
        chosen += actions
    chosen.sort(key=lambda one: one.at)
    chosen.reverse()
    return chosen


def state(one: Happening, glyphs: Glyphs) -> State:
    known = {
        "error": State(glyphs.cross, "error", "bad"),
        "warning": State(glyphs.high, "warning", "warn"),
        "info": State(glyphs.dot, "info", "muted"),
        "debug": State(glyphs.dot, "debug", "muted"),
        "done": State(glyphs.ok, "done", "good"),
        "refused": State(glyphs.cross, "refused", "bad"),
        "failed": State(glyphs.cross, "failed", "warn"),
        "abandoned": State(glyphs.hollow, "left", "muted"),
    }
    return known.get(one.result, State(glyphs.dot, one.result or glyphs.unknown, ""))


def _verb(done: Done) -> str:
    """The first words of the command, else the last word of the path."""
    words = done.command.split()
    if len(words) > 1:
        return words[1]
    return done.path.rsplit("/", 1)[-1][:_LONGEST]


_VIEWS = {"models": "models", "backends": "backends", "breakers": "backends", "alerts": "alerts",
          "requests": "requests"}  # fmt: skip


def _asked_of(path: str) -> Target | None:
    """The object in a path such as /api/v1/breakers/NAME/trip."""
    parts = path.split("/")
    view = _VIEWS.get(parts[3]) if len(parts) == 6 else None
    return None if view is None else Target(view, unquote(parts[4]))


def _named(path: str) -> str:
    target = _asked_of(path)
    return "" if target is None else target.key[:_LONGEST]


def _object(kind: str, subject: str) -> Target | None:
    group = kind.partition(".")[0]
    view = _VIEWS.get(f"{group}s")
    return None if view is None or not subject else Target(view, subject)


class Told:
    """Events as rows, made once of each: an event that is told again is the same row as before."""

    def __init__(self) -> None:
        self._known: dict[Event, Happening] = {}
        self._number = 0

    def rows(self, events: Iterable[Event]) -> list[Happening]:
        """The last ones, oldest first; what is told twice is there once."""
        told = sorted(dict.fromkeys(events), key=lambda event: event.at)[-KEPT:]
        found = [self._known.get(event) or self._new(event) for event in told]
        if len(self._known) > 2 * KEPT:
            self._known = dict(zip(told, found, strict=True))
        return found

    def _new(self, event: Event) -> Happening:
        self._number += 1
        made = self._known[event] = of_event(f"event {self._number}", event)
        return made
