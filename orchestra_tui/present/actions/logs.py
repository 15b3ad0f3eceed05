"""Keys of the views that go on by themselves: requests, and what happened."""

from orchestra_tui.present.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action(
        "follow",
        ("f",),
        "follow",
        "stay with the newest; moving ends it",
        "screen.follow",
        ("requests", "events"),
        5,
        command="follow",
    ),
    Action(
        "request.cancel",
        ("X",),
        "cancel",
        "cancel the selected or marked requests (asks first)",
        "screen.cancel_requests",
        ("requests",),
        2,
        mutates=True,
        palette=False,
    ),
    Action(
        "events.next",
        ("right_square_bracket",),
        "next tab",
        "next of: all, events, audit",
        "screen.tab(1)",
        ("events",),
        2,
    ),
    Action(
        "events.before",
        ("left_square_bracket",),
        "tab before",
        "the tab before",
        "screen.tab(-1)",
        ("events",),
    ),
)
