"""Keys of the views around one table."""

from orchestra_tui.present.actions.action import Action

# Views whose rows are objects; the one about sums has rows without a life of their own.
LISTS = ("models", "backends", "requests", "alerts", "events")

ACTIONS: tuple[Action, ...] = (
    Action(
        "detail", ("enter",), "details", "details of the selected row", "screen.detail", (*LISTS, "cost"), 1
    ),
    Action("describe", ("d",), "describe", "details beside the table, or away", "screen.describe", LISTS),
    Action(
        "raw",
        ("J",),
        "JSON",
        "all that the engine says of the row, as JSON",
        "screen.raw",
        LISTS,
        command="json",
    ),
    Action(
        "filter",
        ("slash",),
        "filter",
        "filter: word !word ^regex$ state:ready tok/s>20",
        "screen.filter",
        LISTS,
        4,
        palette=False,
        priority=True,
    ),
    Action(
        "problems",
        ("e",),
        "problems",
        "only rows with a problem, and all again",
        "screen.problems",
        LISTS,
        14,
        command="problems",
    ),
    Action("sort.right", ("greater_than_sign",), "sort", "sort by the next column", "screen.sort(1)", LISTS),
    Action(
        "sort.left", ("less_than_sign",), "sort back", "sort by the column before", "screen.sort(-1)", LISTS
    ),
    Action("sort.reverse", ("S",), "reverse", "turn the order of the sort round", "screen.reverse", LISTS),
    Action(
        "mark",
        ("space",),
        "mark",
        "mark the row: deeds are done to all marked",
        "screen.mark",
        LISTS,
        15,
        palette=False,
    ),
    Action(
        "mark.invert",
        ("asterisk",),
        "invert",
        "mark what is not marked, and the other way round",
        "screen.invert_marks",
        LISTS,
    ),
    Action(
        "mark.clear",
        ("backslash",),
        "unmark",
        "take all marks away",
        "screen.unmark",
        LISTS,
        command="unmark",
    ),
    Action(
        "wide", ("w",), "wide", "all columns; left and right scroll", "screen.wide", LISTS, command="wide"
    ),
    Action(
        "columns.right",
        ("right",),
        "right",
        "to the columns on the right",
        "screen.sideways(10)",
        LISTS,
        palette=False,
    ),
    Action(
        "columns.left",
        ("left",),
        "left",
        "to the columns on the left",
        "screen.sideways(-10)",
        LISTS,
        palette=False,
    ),
)
