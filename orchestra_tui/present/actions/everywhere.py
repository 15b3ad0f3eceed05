"""Keys that mean the same in every view."""

from orchestra_tui.present.actions.action import Action
from orchestra_tui.present.actions.views import VIEWS

ACTIONS: tuple[Action, ...] = (
    *(
        Action(
            f"view.{view.name}",
            (view.digit,),
            view.digit,
            view.title,
            f"go to {view.title}",
            f"app.view('{view.name}')",
            command=view.short,
        )
        for view in VIEWS
    ),
    Action("view.last", ("0",), "0", "Last view", "back to the view before", "app.last_view"),
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
