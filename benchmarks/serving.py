"""The engine under test: what every benchmark of it configures alike, and the environment it runs in."""

import os
from pathlib import Path

# Variables that would change the engine's configuration.
_OURS = ("ORCHESTRAT", "ORCHESTRA_", "API_PORT", "RESOURCE_PORTS", "LOG_LEVEL")
_ALONE = """
[server]
host = "127.0.0.1"
port = {port}
socket = "{place}/engine.sock"

[storage]
url = "sqlite:///{place}/orchestra.db"

[discovery]
enabled = false

[embedded]
enabled = false
"""


def alone(place: Path, port: int) -> str:
    """Configuration of an engine that keeps everything in `place` and knows no backend yet."""
    return _ALONE.format(place=place, port=port)


def environment(place: Path) -> dict[str, str]:
    """Nothing of this user's, and every directory of the engine in `place`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    homes = {f"XDG_{kind}_HOME": str(place / kind.lower()) for kind in ("DATA", "STATE", "CACHE")}
    return {**kept, **homes, "XDG_RUNTIME_DIR": str(place)}
