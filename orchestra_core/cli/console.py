"""Opens the console, and tells it how to start an engine should none run."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestra_core.cli.target import find_target
from orchestra_core.config import load, process_environment
from orchestra_core.recording.reading import Recording
from orchestra_tui.__main__ import keys as print_keys
from orchestra_tui.__main__ import main as open_console
from orchestra_tui.__main__ import replay as open_replay


def run(
    *,
    config: str | None,
    url: str | None,
    socket: str | None,
    api_key: str | None,
    demo: bool,
    users: int | None,
    wishes: Mapping[str, object],
) -> int:
    """Returns the exit code. The console attaches to `url`, else to the engine's socket; `wishes` are the flags that
    are the console's own."""
    environ = process_environment()
    remote = url or (None if socket else environ.get("ORCHESTRATOR_URL"))
    if remote:
        url = find_target(remote, None, environ).url
        key = api_key or environ.get("ORCHESTRATOR_API_KEY")
        return open_console(socket="", url=url, start=None, log=None, api_key=key, wishes=wishes)
    settings = load({"config": config, "socket": socket, "demo": demo, "users": users}, environ, Path.cwd())
    start = [sys.executable, "-m", "orchestra_core", "serve", "--socket", settings.server.socket]
    start += ["--config", str(settings.paths.config_file)] if settings.paths.config_file else []
    start += ["--demo"] if demo else []
    start += ["--users", str(users)] if users else []
    log = settings.paths.state_dir / "engine.log"
    return open_console(socket=settings.server.socket, url=None, start=start, log=str(log), wishes=wishes)


def keys() -> int:
    """Prints the keys of the console; returns the exit code."""
    return print_keys()


def replay(tape: Recording, name: str, documents: Mapping[str, Any]) -> int:
    """The console on a recording; returns the exit code."""
    return open_replay(tape, name, documents)
