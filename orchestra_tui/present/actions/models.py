"""Keys of the Models view."""

from orchestra_tui.present.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action(
        "model.load",
        ("L",),
        "load",
        "load the selected model (asks first)",
        "screen.load",
        ("models",),
        2,
        mutates=True,
        palette=False,
    ),
    Action(
        "model.unload",
        ("U",),
        "unload",
        "unload the selected model (asks first)",
        "screen.unload",
        ("models",),
        3,
        mutates=True,
        palette=False,
    ),
)
