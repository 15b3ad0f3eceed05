"""Where the ledger is kept: the file, the environment's names for it, and what is said when it cannot be."""

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from orchestra_core.config import describe
from orchestra_core.domain.errors import ConfigError
from tests.unit.config.reading import read

DRIVER = "postgresql+psycopg://"


def storage(line: str) -> str:
    return f"[storage]\n{line}\n"


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        (storage("url = 'postgresql://u:p@db:7/x?sslmode=require'"), {}, "u:p@db:7/x?sslmode=require"),
        ("", {"DATABASE_URL": "postgres://u:p@db/x"}, "u:p@db/x"),
        (storage("url = 'sqlite:///o.db'"), {"DATABASE_URL": "postgresql://db/x"}, "db/x"),
        ("", {"RESOURCE_PORTS_POSTGRES": "5433"}, "127.0.0.1:5433/orchestra"),
        (storage("url = 'postgresql://u:p@db:7/x'"), {"RESOURCE_PORTS_POSTGRES": "8"}, "u:p@db:8/x"),
        ("", {"DATABASE_URL": "postgres://u@[::1]/x", "RESOURCE_PORTS_POSTGRES": "8"}, "u@[::1]:8/x"),
        (storage("url = 'postgresql:///x?host=/run'"), {"RESOURCE_PORTS_POSTGRES": "8"}, "/x?host=/run"),
    ],
)
def test_a_postgresql_is_named(tmp_path: Path, text: str, environ: dict[str, str], expected: str) -> None:
    """By the file, over it by DATABASE_URL; the port from the environment replaces the one of a named server."""
    config = read(tmp_path, text, **environ)
    assert config.storage.url == DRIVER + expected
    assert not any("no effect" in note for note in config.notes)


def test_a_port_beside_a_file_is_said_to_have_no_effect(tmp_path: Path) -> None:
    """Who names an SQLite file keeps it, and is told."""
    config = read(tmp_path, storage("url = 'sqlite:////srv/o.db'"), RESOURCE_PORTS_POSTGRES="5433")
    assert config.storage.url == "sqlite:////srv/o.db"
    assert any(
        "RESOURCE_PORTS_POSTGRES is set and has no effect: storage.url names" in one for one in config.notes
    )


def test_a_database_of_another_kind_is_refused(tmp_path: Path) -> None:
    """The error names the variable and what is understood."""
    with pytest.raises(ConfigError, match=r"DATABASE_URL .*sqlite:///file\.db or postgresql://"):
        read(tmp_path, DATABASE_URL="mysql://db/x")


def test_a_missing_driver_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "psycopg" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(ConfigError, match=r"pip install 'ai-orchestra\[postgres\]'"):
        read(tmp_path, storage("url = 'postgresql://db/x'"))


def test_how_long_requests_are_kept(tmp_path: Path) -> None:
    """For ever, unless days or bytes are named; both are shown."""
    plain = read(tmp_path).storage
    assert (plain.retention_days, plain.max_bytes) == (None, None)
    config = read(tmp_path, storage("retention_days = 30.5\nmax_bytes = '2GB'"))
    assert (config.storage.retention_days, config.storage.max_bytes) == (30.5, 2_000_000_000)
    shown = {key: value for key, value, _ in describe(config)}
    assert (shown["storage.retention_days"], shown["storage.max_bytes"]) == ("30.5", "2000000000")


@pytest.mark.parametrize("line", ["retention_days = 0", "retention_days = -1", "max_bytes = 'much'"])
def test_a_limit_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    """A retention of no time would remove what was just written."""
    with pytest.raises(ConfigError, match=f"storage.{line.split(maxsplit=1)[0]}"):
        read(tmp_path, storage(line))


def test_the_journal_and_texts_are_set(tmp_path: Path) -> None:
    """Nothing of what was said is kept unless it is asked for; the journal has a bound and a least size."""
    plain = read(tmp_path, "").storage
    assert (plain.journal_bytes, plain.keep_texts, plain.text_bytes) == (256 * 1024**2, False, 65536)
    config = read(tmp_path, storage("journal_bytes = '8MiB'\nkeep_texts = true\ntext_bytes = 100"))
    assert (config.storage.journal_bytes, config.storage.keep_texts, config.storage.text_bytes) == (
        8 * 1024**2,
        True,
        100,
    )
    shown = {name: value for name, value, _ in describe(config)}
    assert shown["storage.journal_bytes"] == "8388608"
    assert shown["storage.keep_texts"] == "true"
    with pytest.raises(ConfigError, match=r"must be a size of at least 1 MiB"):
        read(tmp_path, storage("journal_bytes = '1KB'"))
