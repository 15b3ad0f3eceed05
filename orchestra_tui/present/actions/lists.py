"""Keys of the views around one table."""

from orchestra_tui.present.actions.action import Action

_LISTS = ("models", "backends", "alerts")

ACTIONS: tuple[Action, ...] = (
    Action(
        "detail",
        ("enter",),
        "enter",
        "details",
        "details of the selected row",
        "screen.detail",
        (*_LISTS, "usage"),
        1,
    ),
    Action(
        "filter",
        ("slash",),
        "/",
        "filter",
        "filter rows: word, !word, state:ready, backend:x",
        "screen.filter",
        _LISTS,
        4,
        palette=False,
        priority=True,
    ),
)
