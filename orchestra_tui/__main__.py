"""The console's entry: attach to an engine, start one if there is none and we were told how."""

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from textual import constants

from orchestra_tui.app import Orchestra
from orchestra_tui.late import LateClient
from orchestra_tui.launch import Launcher
from orchestra_tui.player import Player, Tape
from orchestra_tui.preferences import kept, places, settings
from orchestra_tui.preferences.beginning import Beginning, Wishes, begin
from orchestra_tui.preferences.keymap import listing, nearest
from orchestra_tui.present.actions.views import BY_NAME, named
from orchestra_tui.terminal import Terminal, describe, keep_escaped_keys
from orchestra_tui.widgets.themes import STANDING

WRONG_USAGE = 2
# Looks for garbage: a view that is opened makes thousands of objects, all to stay. None may take long either.
_LOOKS = (2000, 5, 50)


def main(
    socket: str,
    url: str | None,
    start: Sequence[str] | None,
    log: str | None = None,
    *,
    api_key: str | None = None,
    wishes: Mapping[str, object] | None = None,
) -> int:
    """Runs the console to its end and returns the exit code.

    Attaches to `url`, else to the Unix socket. `start` is the command line of an engine to start if nothing
    listens; its output is appended to `log` (by default `engine.log` beside the socket). `api_key` is for `url`;
    `wishes` are the flags of the command line by the fields of `Wishes`.
    """
    _spare_looks()
    environ = os.environ  # noqa: TID251 - the one place where the console looks at its terminal's variables
    beginning, problems = _beginning(msgspec.convert(wishes or {}, Wishes), environ)
    if problems:
        print(*problems, sep="\n", file=sys.stderr)
        return WRONG_USAGE
    launcher = None
    if start and not url:
        launcher = Launcher(start, log or str(Path(socket).with_name("engine.log")))
    client = LateClient(socket, url, api_key=api_key, read_only=beginning.read_only)
    app = Orchestra(client, launcher=launcher, terminal=_terminal(environ, beginning), beginning=beginning)
    result = app.run(mouse=beginning.mouse)
    if result == "kept" and launcher is not None:
        print(f"The engine keeps running (process {launcher.pid}); ai-orchestra attaches to it again.")
    elif result == "left":
        print("The engine keeps running; ai-orchestra attaches to it again, ai-orchestra shutdown stops it.")
    elif result == "stopped":
        print("The engine was stopped.")
    return app.return_code or 0


def replay(tape: Tape, name: str, documents: Mapping[str, Any]) -> int:
    """Runs the console on a recording and returns the exit code. `documents` are told by Player."""
    _spare_looks()
    environ = os.environ  # noqa: TID251 - as above
    beginning, problems = _beginning(Wishes(), environ)
    if problems:
        print(*problems, sep="\n", file=sys.stderr)
        return WRONG_USAGE
    # What one looks for in the past is no wish for the next look at the present.
    beginning = msgspec.structs.replace(beginning, file=None, view="overview")
    app = Orchestra(
        Player(tape, name, documents), terminal=_terminal(environ, beginning), beginning=beginning
    )
    app.run(mouse=beginning.mouse)
    return app.return_code or 0


def _spare_looks() -> None:
    """What was imported stays: no look for garbage goes through it."""
    gc.freeze()
    gc.set_threshold(*_LOOKS)


def _terminal(environ: Mapping[str, str], beginning: Beginning) -> Terminal:
    keep_escaped_keys()
    terminal = describe(environ, bool(sys.flags.utf8_mode))
    if beginning.slow:
        terminal = msgspec.structs.replace(terminal, basic_colors=True)
        setattr(constants, "COLOR_SYSTEM", "standard")  # noqa: B010 - as if the user had set Textual's variable
    return terminal


def keys() -> int:
    """Prints the table of keys as they are with the settings file; returns the exit code."""
    environ = os.environ  # noqa: TID251 - as above
    try:
        found = settings.read(places.settings_file(environ), STANDING)
    except settings.SettingsError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return WRONG_USAGE
    print(listing(found.keys))
    return 0


def _beginning(wishes: Wishes, environ: Mapping[str, str]) -> tuple[Beginning, list[str]]:
    """How to begin, or what is wrong with what was asked for."""
    file = places.settings_file(environ)
    problems = []
    view = named(wishes.view)
    if view is None and wishes.view:
        problems.append(f"--view: there is no view {wishes.view!r}{nearest(wishes.view, BY_NAME)}")
    try:
        found = settings.read(file, STANDING)
    except settings.SettingsError as error:
        return Beginning(), [*problems, *error.problems]
    themes = [*found.themes, *STANDING]
    if wishes.theme and wishes.theme not in themes:
        near = nearest(wishes.theme, themes)
        problems.append(f"--theme: there is no theme {wishes.theme!r}{near} Known: {', '.join(themes)}")
    memory = places.kept_file(environ)
    remembered, word = kept.read(memory)
    wishes = msgspec.structs.replace(wishes, view=view.name if view else "")
    whole = msgspec.structs.replace(
        begin(wishes, found, remembered),
        file=memory,
        settings=file,
        log=places.log_file(environ),
        word=word,
    )
    return whole, problems


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], None, None))
