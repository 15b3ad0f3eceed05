"""Keys of the Backends view."""

from orchestra_tui.present.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action(
        "backend.drain",
        ("D",),
        "drain",
        "drain the backend or resume it (a menu; asks first)",
        "screen.drain",
        ("backends",),
        2,
        mutates=True,
    ),
    Action(
        "breaker.menu",
        ("B",),
        "breaker",
        "force it open, close it, probe it (a menu; asks first)",
        "screen.breaker",
        ("backends",),
        3,
        mutates=True,
    ),
    Action(
        "backend.restart",
        ("R",),
        "restart",
        "restart the backend's processes (asks first)",
        "screen.restart",
        ("backends", "models"),
        5,
        mutates=True,
    ),
)
