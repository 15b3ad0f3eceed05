"""The help of a view, from the table of actions."""

from orchestra_tui.present.actions.action import Action
from orchestra_tui.present.actions.table import ACTIONS, Keymap, of_view
from orchestra_tui.present.actions.views import BY_NAME, VIEWS
from orchestra_tui.present.commands import names
from orchestra_tui.present.searching import lit
from orchestra_tui.present.spans import Line, cut_line, line, span, wrapped
from orchestra_tui.present.verbs.table import BY_NAME as BY_VERB
from orchestra_tui.present.verbs.table import VERBS


def lines(view: str, cells: int, keymap: Keymap | None = None, words: str = "") -> list[Line]:
    """All of it, or only the keys that have to do with some words."""
    drawn: list[Line] = [] if words else [*wrapped(BY_NAME[view].about, cells - 1, "", " ", " "), ()]
    own = [action for action in of_view(view, keymap=keymap) if action.views]
    prompt = [action for action in of_view(view, "prompt", keymap) if action.place == "prompt"]
    everywhere = [action for action in of_view(view, keymap=keymap) if not action.views]
    for title, group in (("This view", own), ("In the prompt", prompt), ("Everywhere", everywhere)):
        fitting = [action for action in group if _fits(action, words)]
        if fitting:
            drawn.append(line(span(f" {title}", "title")))
            drawn += lit([_row(action, cells) for action in fitting], words.strip())
            drawn.append(())
    said = [f":{verb.usage}" for verb in VERBS if _has(words, verb.usage)]
    if said:
        drawn.append(line(span(" Commands that take words", "title")))
        drawn += lit([cut_line(line(span(f"   {one}", "key")), cells) for one in said], words.strip())
        drawn.append(())
    if words:
        return drawn or [line(span(f" no key has to do with {words.strip()!r}", "warn"))]
    alone = [f":{name}" for name in names() if name not in BY_VERB]
    drawn += wrapped(f"Other commands: {' '.join(alone)}", cells - 1, "muted", " ", " ")
    drawn += wrapped("Lower-case keys never change the engine.", cells - 1, "muted", " ", " ")
    return drawn


def _fits(action: Action, words: str) -> bool:
    """Every word is in its key, its name, what it does or its command."""
    told = f"{action.shown} {action.label} {action.help} {action.command} {action.id}"
    return _has(words, told)


def _has(words: str, told: str) -> bool:
    return all(word in told.lower() for word in words.lower().split())


def _row(action: Action, cells: int) -> Line:
    return cut_line(line(span(f"   {action.shown:<10}", "key"), span(f" {action.help}")), cells)


def markdown() -> str:
    """Every key as a table for a document: a row for each view with its own keys, the lists' and everybody's first."""
    groups: dict[tuple[str, ...], list[Action]] = {(): []}
    for action in ACTIONS:
        if action.shown and not action.id.startswith("view."):
            groups.setdefault((*action.views, *(["prompt"] if action.place == "prompt" else [])), []).append(
                action
            )
    digits = ", ".join(f"`{view.digit}` {view.title}" for view in VIEWS)
    rows = ["| where | keys |", "|---|---|", f"| views | {digits}, `0` the last one |"]
    for views, actions in groups.items():
        titles = ", ".join(BY_NAME[name].title for name in views if name in BY_NAME) or "everywhere"
        typed = " (while typing)" if "prompt" in views else ""
        rows.append(f"| {titles}{typed} | {', '.join(map(_keys, actions))} |")
    return "\n".join(rows)


def _keys(action: Action) -> str:
    keys = " ".join(f"`{key}`" for key in action.shown.split())
    return f"{keys} {action.label}".replace("|", "\\|")
