"""Keys that mean the same in every view."""

from orchestra_tui.present.actions.action import Action
from orchestra_tui.present.actions.views import VIEWS

ACTIONS: tuple[Action, ...] = (
    *(
        Action(
            f"view.{view.name}",
            (view.digit,),
            view.title,
            f"go to {view.title}",
            f"app.view('{view.name}')",
            command=view.short,
        )
        for view in VIEWS
    ),
    Action("view.last", ("0",), "Last view", "back to the view before", "app.last_view"),
    Action("down", ("j", "down"), "down", "one down", "screen.move(1)", palette=False),
    Action("up", ("k", "up"), "up", "one up", "screen.move(-1)", palette=False),
    Action("top", ("g", "home"), "top", "first row", "screen.edge(-1)", palette=False),
    Action("bottom", ("G", "end"), "bottom", "last row", "screen.edge(1)", palette=False),
    Action(
        "page.down",
        ("ctrl+d", "pagedown"),
        "page down",
        "a page down",
        "screen.page(1)",
        palette=False,
        told="ctrl+d",
    ),
    Action(
        "page.up",
        ("ctrl+u", "pageup"),
        "page up",
        "a page up",
        "screen.page(-1)",
        palette=False,
        told="ctrl+u",
    ),
    Action(
        "copy",
        ("y",),
        "copy",
        "copy menu: id, row, JSON, curl, screen; y y the first",
        "screen.copy",
        (),
        8,
        priority=True,
    ),
    Action("copy.first", ("Y",), "copy id", "copy the id, pane or answer at once", "screen.copy_first"),
    Action(
        "export",
        ("ctrl+e",),
        "export",
        "export to a file: CSV, JSON, text, SVG",
        "screen.export",
        (),
        16,
        command="export",
        priority=True,
    ),
    Action(
        "zoom", ("z",), "zoom", "enlarge the focused pane, and back", "screen.zoom", ("overview", "models"), 7
    ),
    Action(
        "pause",
        ("p",),
        "pause",
        "hold the display still; data goes on behind it",
        "app.pause",
        (),
        6,
        command="pause",
    ),
    Action(
        "scrub.back", ("comma",), "earlier", "a step back in time (pauses)", "app.scrub(-1)", palette=False
    ),
    Action("scrub.on", ("full_stop",), "later", "a step forward while paused", "app.scrub(1)", palette=False),
    Action(
        "scrub.far.back",
        ("left_curly_bracket",),
        "30 earlier",
        "thirty steps back",
        "app.scrub(-30)",
        palette=False,
    ),
    Action(
        "scrub.far.on",
        ("right_curly_bracket",),
        "30 later",
        "thirty steps forward",
        "app.scrub(30)",
        palette=False,
    ),
    Action("faster", ("plus", "equals_sign"), "faster", "update more often", "app.interval(-1)", told="+"),
    Action("slower", ("minus",), "slower", "update less often", "app.interval(1)"),
    Action(
        "refresh",
        ("r",),
        "refresh",
        "ask the engine now; when lost, try again now",
        "app.renew",
        (),
        12,
        command="refresh",
    ),
    Action("options", ("o",), "options", "all options of the console", "app.options", command="options"),
    Action("theme", ("t",), "theme", "choose a theme", "app.change_theme", (), 13, command="theme"),
    Action("palette", ("ctrl+p",), "palette", "search all commands", "app.command_palette", palette=False),
    Action(
        "command", ("colon",), "cmd", "command line", "screen.command", (), 10, palette=False, priority=True
    ),
    Action(
        "help",
        ("question_mark",),
        "help",
        "keys of this view; type to search",
        "screen.help",
        (),
        9,
        command="help",
        priority=True,
    ),
    Action(
        "back",
        ("escape", "backspace"),
        "back",
        "go on live, clear the filter, leave the zoom",
        "app.return",
        palette=False,
        told="esc",
    ),
    Action(
        "suspend",
        ("ctrl+z",),
        "suspend",
        "to the shell; fg brings it back",
        "app.suspend_process",
        palette=False,
    ),
    Action(
        "quit", ("q", "ctrl+q"), "quit", "quit (ctrl+q anywhere)", "app.leave", (), 11, command="q", told="q"
    ),
)
