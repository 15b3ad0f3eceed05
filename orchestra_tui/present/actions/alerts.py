"""Keys of the Alerts view."""

from orchestra_tui.present.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action(
        "alert.ack",
        ("A",),
        "ack",
        "take note of the selected alert",
        "screen.acknowledge",
        ("alerts",),
        2,
        mutates=True,
        palette=False,
    ),
    Action(
        "alert.silence",
        ("M",),
        "silence",
        "silence the alert or its rule for a time, or end that",
        "screen.silence",
        ("alerts",),
        3,
        mutates=True,
        palette=False,
    ),
)
