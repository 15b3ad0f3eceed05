"""The command line: words to a command, or a sentence that says what is wrong."""

from collections.abc import Sequence

import msgspec

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.actions import ACTIONS

_WITH_MODEL = ("load", "unload", "model")
_ALIASES = {
    "quit": "q",
    "exit": "q",
    "overview": "ov",
    "models": "mo",
    "backends": "be",
    "breakers": "be",
    "playground": "pg",
    "alerts": "al",
    "usage": "us",
    "co": "us",
    "h": "help",
}


class Command(msgspec.Struct, frozen=True):
    """`call` is an action to run, or empty; then `verb` works on `target`."""

    verb: str
    target: str = ""
    call: str = ""


class Mistake(msgspec.Struct, frozen=True):
    message: str


def parse(text: str, snapshot: Snapshot | None) -> Command | Mistake | None:
    """The command meant by `text`; None for an empty line."""
    words = text.strip().lstrip(":").split(None, 1)
    if not words:
        return None
    verb = _ALIASES.get(words[0], words[0])
    rest = words[1].strip() if len(words) > 1 else ""
    if verb in _WITH_MODEL:
        return _with_model(verb, rest, snapshot)
    call = _calls().get(verb)
    if call is None:
        return Mistake(f"unknown command {words[0]!r}; known: {', '.join(names())}")
    return Command(verb, rest, call)


def names() -> tuple[str, ...]:
    return (*_calls(), *_WITH_MODEL)


def complete(text: str, snapshot: Snapshot | None) -> str | None:
    """The first whole line that begins with what was typed."""
    if not text:
        return None
    verb, _, rest = text.partition(" ")
    if not rest and " " not in text:
        return next((name for name in (*names(), *_ALIASES) if name.startswith(verb) and name != verb), None)
    if verb not in _WITH_MODEL:
        return None
    return next((f"{verb} {name}" for name in targets(verb, snapshot) if name.startswith(rest)), None)


def targets(verb: str, snapshot: Snapshot | None) -> list[str]:
    """Names a verb can be given: endpoints for load and unload, models for the playground."""
    if snapshot is None:
        return []
    if verb == "model":
        return ["auto", *sorted({view.model for view in snapshot.models})]
    return [view.model for view in snapshot.models] + [view.id for view in snapshot.models]


def endpoints(name: str, snapshot: Snapshot | None) -> Sequence[str]:
    """The ids that `name` (a model, or backend/model) can mean."""
    views = snapshot.models if snapshot else ()
    exact = [view.id for view in views if view.id == name]
    return exact or [view.id for view in views if view.model == name]


def _with_model(verb: str, name: str, snapshot: Snapshot | None) -> Command | Mistake:
    if not name:
        return Mistake(f"{verb}: which model?")
    if verb == "model":
        known = targets(verb, snapshot)
        return Command(verb, name) if name in known else Mistake(f"model: {name!r} is not known")
    found = endpoints(name, snapshot)
    if not found:
        return Mistake(f"{verb}: {name!r} is not known")
    if len(found) > 1:
        return Mistake(f"{verb}: {name!r} is on several backends; say one of {', '.join(found)}")
    return Command(verb, found[0])


def _calls() -> dict[str, str]:
    return {action.command: action.call for action in ACTIONS if action.command}
