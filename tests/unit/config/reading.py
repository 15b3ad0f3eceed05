"""Reading a configuration as seen from a place, for tests of what comes of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestra_core.config import Config, load
from orchestra_core.domain.errors import ConfigError

OLLAMA = "[[backends]]\nname = 'a'\nkind = 'ollama'\nurl = 'http://127.0.0.1:11434'\n"


def read(
    place: Path, text: str | None = None, flags: Mapping[str, Any] | None = None, /, **env: str
) -> Config:
    """The configuration as seen from `place`, without the embedded extra."""
    if text is not None:
        (place / "ai-orchestra.toml").write_text(text)
    return load(flags or {}, {"HOME": str(place), **env}, place, embedded=False)


def with_embedded(place: Path, text: str = "", **flags: bool) -> Config:
    (place / "ai-orchestra.toml").write_text(text)
    return load(flags, {"HOME": str(place)}, place, embedded=True)


def problems(place: Path, text: str, **env: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(place, text, **env)
    return caught.value.message.replace(str(place / "ai-orchestra.toml"), "FILE").splitlines()
