"""Keys of fault drills."""

from orchestra_tui.present.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action(
        "drill",
        ("F",),
        "drill",
        "fault drill: inject a fault (asks first), or end one that runs",
        "screen.drill",
        ("models", "backends"),
        16,
        mutates=True,
        palette=False,
    ),
    Action(
        "drills", (), "drills", "fault drills that run, and the last reports", "app.drills", command="drills"
    ),
)
