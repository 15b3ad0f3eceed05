"""The console's entry: attach to an engine, start one if there is none and we were told how."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestra_tui.app import Orchestra
from orchestra_tui.client import EngineClient
from orchestra_tui.launch import Launcher
from orchestra_tui.terminal import describe, keep_escaped_digits


def main(
    socket: str,
    url: str | None,
    start: Sequence[str] | None,
    log: str | None = None,
    *,
    api_key: str | None = None,
    mouse: bool = True,
) -> int:
    """Runs the console to its end and returns the exit code.

    Attaches to `url`, else to the Unix socket. `start` is the command line of an engine to start if nothing
    listens; its output is appended to `log` (by default `engine.log` beside the socket). `api_key` is for `url`.
    """
    launcher = None
    if start and not url:
        launcher = Launcher(start, log or str(Path(socket).with_name("engine.log")))
    environ = os.environ  # noqa: TID251 - the one place where the console looks at its terminal's variables
    keep_escaped_digits()
    terminal = describe(environ, bool(sys.flags.utf8_mode))
    app = Orchestra(EngineClient(socket, url, api_key=api_key), launcher=launcher, terminal=terminal)
    result = app.run(mouse=mouse)
    if result == "kept" and launcher is not None:
        print(f"The engine keeps running (process {launcher.pid}); ai-orchestra attaches to it again.")
    elif result == "left":
        print("The engine keeps running; ai-orchestra attaches to it again, ai-orchestra shutdown stops it.")
    elif result == "stopped":
        print("The engine was stopped.")
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], None, None))
