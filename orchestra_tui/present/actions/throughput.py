"""Keys of the Throughput view."""

from orchestra_tui.present.actions.action import Action

_VIEW = ("throughput",)

ACTIONS: tuple[Action, ...] = (
    Action(
        "throughput.open",
        ("enter",),
        "enlarge",
        "the chart large with its numbers; a model or backend alone",
        "screen.detail",
        _VIEW,
        1,
    ),
    Action(
        "throughput.longer",
        ("right_square_bracket",),
        "longer",
        "a longer window: 5m 15m 1h 6h 24h",
        "screen.window(1)",
        _VIEW,
        2,
    ),
    Action(
        "throughput.shorter",
        ("left_square_bracket",),
        "shorter",
        "a shorter window",
        "screen.window(-1)",
        _VIEW,
        3,
    ),
    Action("throughput.by", ("b",), "by", "rows by model or by backend", "screen.group", _VIEW, 4),
)
