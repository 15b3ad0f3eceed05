"""Where the console's own files are, by the XDG rules."""

from collections.abc import Mapping
from pathlib import Path

NAME = "ai-orchestra"


def settings_file(environ: Mapping[str, str]) -> Path:
    return _under(environ, "XDG_CONFIG_HOME", ".config") / "console.toml"


def kept_file(environ: Mapping[str, str]) -> Path:
    return _under(environ, "XDG_STATE_HOME", ".local/state") / "console.json"


def log_file(environ: Mapping[str, str]) -> Path:
    """Where a crash of the console is written to."""
    return _under(environ, "XDG_STATE_HOME", ".local/state") / "console.log"


def _under(environ: Mapping[str, str], name: str, fallback: str) -> Path:
    given = environ.get(name, "")
    home = (
        Path(given) if Path(given).is_absolute() else Path(environ.get("HOME", "~")).expanduser() / fallback
    )
    return home / NAME
