"""Keys of the Overview."""

from orchestra_tui.present.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("open", ("enter",), "open", "go to the view of the focused pane", "screen.open", ("overview",), 1),
    Action(
        "pane.next",
        ("tab",),
        "pane",
        "next pane (shift+tab: the one before)",
        "app.focus_next",
        ("overview",),
        5,
        palette=False,
    ),
)
