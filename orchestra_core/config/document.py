"""A configuration file as read: its values, and the place of each for whoever has to correct it."""

import difflib
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path as FilePath
from typing import Any

from orchestra_core.config.fields import Field
from orchestra_core.config.lines import Path, find_lines
from orchestra_core.domain.errors import ConfigError
from orchestra_core.trust.redaction import redact


class Document:
    """Reads tables by their fields and collects every problem, so that one `config check` shows all."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        try:
            self.values: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{name}: not valid TOML: {error}") from error
        self._lines = find_lines(text)
        self.problems: list[str] = []

    def where(self, path: Path) -> str:
        """`file:line` of the nearest thing at or above `path` that has a line."""
        while path and path not in self._lines:
            path = path[:-1]
        return f"{self.name}:{self._lines[path]}" if path else self.name

    def problem(self, path: Path, message: str) -> None:
        self.problems.append(f"{self.where(path)}: {message}")

    def table(self, path: Path, value: object, fields: Mapping[str, Field]) -> dict[str, Any]:
        """The good values of one table; each bad or unknown one becomes a problem."""
        if not isinstance(value, Mapping):
            self.problem(path, f"{spell(path)} must be a table, written [{spell(path)}]")
            return {}
        good: dict[str, Any] = {}
        for key, item in value.items():
            if key not in fields:
                self.unknown((*path, key), fields)
            else:
                self._read((*path, key), item, fields[key], good)
        return good

    def unknown(self, path: Path, allowed: Collection[str]) -> None:
        self.problem(path, f"unknown key {spell(path)}; {nearest(str(path[-1]), allowed)}")

    def _read(self, path: Path, item: object, field: Field, good: dict[str, Any]) -> None:
        try:
            good[str(path[-1])] = field.read(item)
        except ValueError:
            self.problem(path, must_be(spell(path), item, field))


def read_document(path: FilePath) -> Document:
    """Raises ConfigError for what cannot be read or is no TOML."""
    try:
        return Document(str(path), path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text at byte {error.start}") from error


def spell(path: Path) -> str:
    """A path as people write it: `server.port`, `backends[0].url`, `models."a:b".quality`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            plain = part.replace("_", "").replace("-", "").isalnum() and part.isascii()
            text += ("." if text else "") + (part if plain else f'"{part}"')
    return text


def nearest(key: str, allowed: Collection[str]) -> str:
    """Names the valid key closest to `key`, and all of them."""
    close = difflib.get_close_matches(key, allowed, n=1, cutoff=0.0)
    return (
        f'did you mean "{close[0]}"? Valid here: {", ".join(sorted(allowed))}'
        if close
        else "nothing is valid here"
    )


def must_be(name: str, value: object, field: Field) -> str:
    """The sentence for a wrong value; never shows a password."""
    shown = repr(redact(value)) if isinstance(value, str) else redact(str(value))
    spelt = shown.lower() if isinstance(value, bool) else shown
    return f"{name} is {spelt}; it must be {field.allowed}{field.near(value)}"
