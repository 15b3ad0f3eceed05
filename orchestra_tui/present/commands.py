"""The command line: words to a command, or a sentence that says what is wrong."""

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present.actions.table import ACTIONS
from orchestra_tui.present.actions.views import VIEWS
from orchestra_tui.present.verbs.table import BY_NAME, VERBS
from orchestra_tui.present.verbs.verb import Command, Mistake

_ALIASES = {"quit": "q", "exit": "q", "h": "help"} | {
    alias: view.short for view in VIEWS for alias in view.aliases
}
_CALLS = {action.command: action.call for action in ACTIONS if action.command}


def parse(text: str, snapshot: Snapshot | None) -> Command | Mistake | None:
    """The command meant by `text`; None for an empty line."""
    words = text.strip().lstrip(":").split(None, 1)
    if not words:
        return None
    name = _ALIASES.get(words[0], words[0])
    rest = words[1].strip() if len(words) > 1 else ""
    verb = BY_NAME.get(name)
    if verb is not None:
        return verb.meant(rest, snapshot)
    call = _CALLS.get(name)
    if call is None:
        return Mistake(f"unknown command {words[0]!r}; known: {', '.join(names())}")
    return Command(name, rest, call)


def names() -> tuple[str, ...]:
    return (*_CALLS, *(verb.name for verb in VERBS))


def candidates(text: str, snapshot: Snapshot | None) -> list[str]:
    """The whole lines that begin with what was typed, each once."""
    if not text:
        return []
    name, space, rest = text.partition(" ")
    if not space:
        known = (*names(), *_ALIASES)
        return [each for each in dict.fromkeys(known) if each.startswith(name) and each != name]
    verb = BY_NAME.get(name)
    if verb is None:
        return []
    found = dict.fromkeys(verb.completed(snapshot))
    return [f"{name} {whole}" for whole in found if whole.startswith(rest) and whole != rest]
