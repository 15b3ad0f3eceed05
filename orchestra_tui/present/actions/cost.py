"""Keys of the Cost view."""

from orchestra_tui.present.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("cost.by", ("b",), "by", "by model, task, key, backend or day", "screen.group", ("cost",), 2),
    Action(
        "cost.longer",
        ("right_square_bracket",),
        "more days",
        "more days: today, 7, 30, all",
        "screen.window(1)",
        ("cost",),
        3,
    ),
    Action(
        "cost.shorter", ("left_square_bracket",), "fewer", "fewer days", "screen.window(-1)", ("cost",), 4
    ),
    Action(
        "cost.budget",
        ("B",),
        "budget",
        "another limit for the selected budget",
        "screen.budget",
        ("cost",),
        5,
        mutates=True,
    ),
)
