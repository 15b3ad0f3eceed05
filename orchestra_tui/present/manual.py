"""The help of a view, from the table of actions."""

from orchestra_tui.present.actions.action import Action
from orchestra_tui.present.actions.table import Keymap, of_view
from orchestra_tui.present.actions.views import BY_NAME
from orchestra_tui.present.commands import names
from orchestra_tui.present.spans import Line, cut_line, line, span, wrapped


def lines(view: str, cells: int, keymap: Keymap | None = None) -> list[Line]:
    drawn = [*wrapped(BY_NAME[view].about, cells - 1, "", " ", " "), ()]
    own = [action for action in of_view(view, keymap=keymap) if action.views]
    prompt = [action for action in of_view(view, "prompt", keymap) if action.place == "prompt"]
    everywhere = [action for action in of_view(view, keymap=keymap) if not action.views]
    for title, group in (("This view", own), ("In the prompt", prompt), ("Everywhere", everywhere)):
        if group:
            drawn.append(line(span(f" {title}", "title")))
            drawn += [_row(action, cells) for action in group]
            drawn.append(())
    drawn += wrapped(f"Commands: {' '.join(f':{name}' for name in names())}", cells - 1, "muted", " ", " ")
    drawn += wrapped("Lower-case keys never change the engine.", cells - 1, "muted", " ", " ")
    return drawn


def _row(action: Action, cells: int) -> Line:
    return cut_line(line(span(f"   {action.shown:<10}", "key"), span(f" {action.help}")), cells)
