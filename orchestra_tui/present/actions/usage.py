"""Keys of the Usage view."""

from orchestra_tui.present.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action(
        "usage.by",
        ("b",),
        "b",
        "by",
        "by model, task, key, backend or day",
        "screen.group",
        ("usage",),
        2,
    ),
    Action(
        "usage.longer",
        ("right_square_bracket",),
        "]",
        "more days",
        "more days: today, 7, 30, all",
        "screen.window(1)",
        ("usage",),
        3,
    ),
    Action(
        "usage.shorter",
        ("left_square_bracket",),
        "[",
        "fewer",
        "fewer days",
        "screen.window(-1)",
        ("usage",),
        4,
    ),
)
