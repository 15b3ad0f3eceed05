"""The help of a view, from the table of actions."""

from orchestra_tui.present import actions
from orchestra_tui.present.commands import names
from orchestra_tui.present.spans import Line, cut_line, line, span, wrapped

_ABOUT = {
    "overview": "Health, memory, traffic, problems and the last events. tab moves between the panes.",
    "models": "Every model on every backend. The selection stays on its model while rows move.",
    "backends": "Each endpoint's breaker: closed lets calls through, open keeps them away until a probe.",
    "alerts": "What is wrong, and since when. Silenced alerts are dim: nobody is told of them.",
    "usage": "What was asked and what it cost. A cost with a + leaves out requests without a known price.",
    "playground": "Ask a model, or auto, and watch the answer arrive. Each prompt stands on its own.",
}


def lines(view: str, cells: int) -> list[Line]:
    drawn = [*wrapped(_ABOUT[view], cells - 1, "", " ", " "), ()]
    own = [action for action in actions.of_view(view) if action.views]
    prompt = [action for action in actions.of_view(view, "prompt") if action.place == "prompt"]
    everywhere = [action for action in actions.of_view(view) if not action.views]
    for title, group in (("This view", own), ("In the prompt", prompt), ("Everywhere", everywhere)):
        if group:
            drawn.append(line(span(f" {title}", "title")))
            drawn += [_row(action, cells) for action in group]
            drawn.append(())
    drawn += wrapped(f"Commands: {' '.join(f':{name}' for name in names())}", cells - 1, "muted", " ", " ")
    drawn += wrapped("Lower-case keys never change the engine.", cells - 1, "muted", " ", " ")
    return drawn


def _row(action: actions.Action, cells: int) -> Line:
    return cut_line(line(span(f"   {action.shown:<10}", "key"), span(f" {action.help}")), cells)
