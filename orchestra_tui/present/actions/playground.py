"""Keys of the Playground, in its prompt and outside."""

from orchestra_tui.present.actions.action import Action

ACTIONS: tuple[Action, ...] = (
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
)
