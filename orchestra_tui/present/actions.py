"""The one table of what a user can do: bindings, help, footer, palette and command line all come from it."""

import msgspec

VIEWS = ("overview", "models", "backends", "playground", "alerts", "usage")
TITLES = {
    "overview": "Overview",
    "models": "Models",
    "backends": "Backends",
    "playground": "Playground",
    "alerts": "Alerts",
    "usage": "Usage",
}
SHORT = {
    "overview": "ov",
    "models": "mo",
    "backends": "be",
    "playground": "pg",
    "alerts": "al",
    "usage": "us",
}
DIGITS = {"overview": "1", "models": "2", "backends": "3", "playground": "6", "alerts": "7", "usage": "8"}


class Action(msgspec.Struct, frozen=True):
    """`keys` are key names; `shown` is how help writes them; `rank` orders the footer (0: not in it).

    `views` empty means every view. `place` is `view`, or `prompt` while the playground's prompt is focused.
    `mutates` marks what changes the engine: such an action never has a lower-case key.
    """

    id: str
    keys: tuple[str, ...]
    shown: str
    label: str
    help: str
    call: str
    views: tuple[str, ...] = ()
    rank: int = 0
    place: str = "view"
    mutates: bool = False
    command: str = ""
    palette: bool = True
    priority: bool = False
    """Taken before the next key is looked at: text typed at once after it must not be read as keys."""


_LISTS = ("models", "backends", "alerts")

ACTIONS: tuple[Action, ...] = (
    *(
        Action(
            f"view.{view}",
            (DIGITS[view],),
            DIGITS[view],
            TITLES[view],
            f"go to {TITLES[view]}",
            f"app.view('{view}')",
            command=SHORT[view],
        )
        for view in VIEWS
    ),
    Action("view.last", ("0",), "0", "Last view", "back to the view before", "app.last_view"),
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
        "open",
        ("enter",),
        "enter",
        "open",
        "go to the view of the focused pane",
        "screen.open",
        ("overview",),
        1,
    ),
    Action(
        "model.load",
        ("L",),
        "L",
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
        "U",
        "unload",
        "unload the selected model (asks first)",
        "screen.unload",
        ("models",),
        3,
        mutates=True,
        palette=False,
    ),
    Action(
        "alert.ack",
        ("A",),
        "A",
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
        "M",
        "silence",
        "silence the alert or its rule for a time, or end that",
        "screen.silence",
        ("alerts",),
        3,
        mutates=True,
        palette=False,
    ),
    Action(
        "firing",
        ("e",),
        "e",
        "firing",
        "only what fires, and all again",
        "screen.only_firing",
        ("alerts",),
        5,
    ),
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
    Action(
        "prompt", ("i", "enter"), "enter i", "write", "write a prompt", "screen.write", ("playground",), 1
    ),
    Action(
        "model.pick", ("m", "ctrl+o"), "m", "model", "choose the model", "screen.pick", ("playground",), 2
    ),
    Action(
        "send", (), "enter", "send", "send the prompt", "", ("playground",), 1, place="prompt", palette=False
    ),
    Action(
        "newline",
        (),
        "ctrl+j",
        "new line",
        "start a new line in the prompt",
        "",
        ("playground",),
        0,
        place="prompt",
        palette=False,
    ),
    Action(
        "cancel",
        ("ctrl+x",),
        "ctrl+x",
        "cancel",
        "cancel the running answer (outside the prompt esc too)",
        "screen.cancel",
        ("playground",),
        3,
        place="both",
        priority=True,
    ),
    Action(
        "model.pick.prompt",
        (),
        "ctrl+o",
        "model",
        "choose the model",
        "",
        ("playground",),
        2,
        place="prompt",
        palette=False,
    ),
    Action(
        "leave",
        (),
        "esc",
        "keys",
        "leave the prompt, so that letters are keys again",
        "",
        ("playground",),
        4,
        place="prompt",
        palette=False,
    ),
    Action(
        "quit.prompt",
        (),
        "ctrl+q",
        "quit",
        "quit, from anywhere",
        "app.leave",
        ("playground",),
        5,
        place="prompt",
        palette=False,
    ),
    Action(
        "pane.next",
        ("tab",),
        "tab",
        "pane",
        "next pane (shift+tab: the one before)",
        "app.focus_next",
        ("overview",),
        5,
        palette=False,
    ),
    Action("down", ("j", "down"), "j down", "down", "one down", "screen.move(1)", palette=False),
    Action("up", ("k", "up"), "k up", "up", "one up", "screen.move(-1)", palette=False),
    Action("top", ("g", "home"), "g home", "top", "first row", "screen.edge(-1)", palette=False),
    Action("bottom", ("G", "end"), "G end", "bottom", "last row", "screen.edge(1)", palette=False),
    Action(
        "page.down",
        ("ctrl+d", "pagedown"),
        "ctrl+d",
        "page down",
        "a page down",
        "screen.page(1)",
        palette=False,
    ),
    Action(
        "page.up", ("ctrl+u", "pageup"), "ctrl+u", "page up", "a page up", "screen.page(-1)", palette=False
    ),
    Action(
        "copy",
        ("y",),
        "y",
        "copy",
        "copy the selection, pane or answer to the clipboard",
        "screen.copy",
        (),
        8,
    ),
    Action(
        "zoom",
        ("z",),
        "z",
        "zoom",
        "enlarge the focused pane, and back",
        "screen.zoom",
        ("overview", "models"),
        7,
    ),
    Action(
        "pause",
        ("p",),
        "p",
        "pause",
        "hold the display still; data goes on",
        "app.pause",
        (),
        6,
        command="pause",
    ),
    Action("faster", ("plus", "equals_sign"), "+", "faster", "update more often", "app.interval(-1)"),
    Action("slower", ("minus",), "-", "slower", "update less often", "app.interval(1)"),
    Action(
        "refresh",
        ("r",),
        "r",
        "refresh",
        "ask the engine now; when lost, try again now",
        "app.renew",
        (),
        12,
        command="refresh",
    ),
    Action("theme", ("t",), "t", "theme", "choose a theme", "app.change_theme", (), 13, command="theme"),
    Action(
        "palette",
        ("ctrl+p",),
        "ctrl+p",
        "palette",
        "search all commands",
        "app.command_palette",
        palette=False,
    ),
    Action(
        "command",
        ("colon",),
        ":",
        "cmd",
        "command line",
        "screen.command",
        (),
        10,
        palette=False,
        priority=True,
    ),
    Action(
        "help", ("question_mark",), "?", "help", "keys of this view", "screen.help", (), 9, command="help"
    ),
    Action(
        "back",
        ("escape", "backspace"),
        "esc",
        "back",
        "clear the filter, leave the zoom",
        "screen.back",
        palette=False,
    ),
    Action(
        "suspend",
        ("ctrl+z",),
        "ctrl+z",
        "suspend",
        "to the shell; fg brings it back",
        "app.suspend_process",
        palette=False,
    ),
    Action("quit", ("q", "ctrl+q"), "q", "quit", "quit (ctrl+q anywhere)", "app.leave", (), 11, command="q"),
)


def of_view(view: str, place: str = "view") -> tuple[Action, ...]:
    """What can be done in a view, in the order of the table."""
    return tuple(
        action
        for action in ACTIONS
        if (not action.views or view in action.views) and action.place in (place, "both")
    )


def footer(view: str, place: str = "view") -> tuple[Action, ...]:
    return tuple(sorted((act for act in of_view(view, place) if act.rank), key=lambda act: act.rank))
