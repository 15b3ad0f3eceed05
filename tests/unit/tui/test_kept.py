"""What is remembered from one run to the next."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_tui.preferences import kept, places
from orchestra_tui.preferences.kept import Kept

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    remembered=st.builds(
        Kept,
        view=WORDS,
        theme=WORDS,
        interval=st.floats(0, 10),
        views=st.dictionaries(WORDS, st.dictionaries(WORDS, WORDS, max_size=3), max_size=3),
        commands=st.lists(WORDS, max_size=5).map(tuple),
    )
)
def test_what_is_written_is_read(remembered: Kept, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever was typed comes back as it was."""
    path = tmp_path_factory.getbasetemp() / "state" / "console.json"
    assert kept.write(path, remembered) == ""
    assert kept.read(path) == (remembered, "")


def test_nothing_is_remembered_at_first(tmp_path: Path) -> None:
    """No file is no word."""
    assert kept.read(tmp_path / "console.json") == (Kept(), "")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"view": 3}', b"\xff\xfe", b'{"views": {"a": 1}}'])
def test_a_damaged_file_is_ignored_with_a_word(content: bytes, tmp_path: Path) -> None:
    """The console starts anew, and says so."""
    path = tmp_path / "console.json"
    path.write_bytes(content)
    found, word = kept.read(path)
    assert found == Kept()
    assert "is damaged" in word
    assert "starting anew" in word


def test_a_file_that_is_none_is_ignored_with_a_word(tmp_path: Path) -> None:
    """A folder in its place, or something huge, does not keep the console from starting."""
    assert "cannot be read" in kept.read(tmp_path)[1]
    huge = tmp_path / "huge"
    huge.write_bytes(b" " * (kept.LARGEST + 1))
    assert "too large" in kept.read(huge)[1]


def test_what_a_newer_console_remembers_is_left_alone(tmp_path: Path) -> None:
    """Fields that are not known are no damage."""
    path = tmp_path / "console.json"
    path.write_text(json.dumps({"view": "models", "colour_of_tomorrow": 3}))
    assert kept.read(path) == (Kept(view="models"), "")


def test_it_is_written_as_a_whole_and_for_its_owner_only(tmp_path: Path) -> None:
    """Nothing but the file is left, nobody else reads it, and the history has an end."""
    path = tmp_path / "state" / "console.json"
    kept.write(path, Kept(commands=tuple(map(str, range(1000)))))
    assert [each.name for each in path.parent.iterdir()] == ["console.json"]
    assert path.stat().st_mode & 0o077 == 0
    assert kept.read(path)[0].commands == tuple(map(str, range(1000 - kept.COMMANDS, 1000)))


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A file where a folder should be: nothing is remembered, and nothing is left behind."""
    (tmp_path / "state").write_text("")
    assert "not remembered" in kept.write(tmp_path / "state" / "console.json", Kept())
    (tmp_path / "folder" / "console.json").mkdir(parents=True)
    assert "not remembered" in kept.write(tmp_path / "folder" / "console.json", Kept())
    assert [each.name for each in (tmp_path / "folder").iterdir()] == ["console.json"]


def test_the_places_are_those_of_xdg() -> None:
    """The variables are obeyed where they are absolute, else the home's usual folders."""
    environ = {"HOME": "/home/me", "XDG_STATE_HOME": "/state", "XDG_CONFIG_HOME": "relative"}
    assert places.kept_file(environ) == Path("/state/ai-orchestra/console.json")
    assert places.settings_file(environ) == Path("/home/me/.config/ai-orchestra/console.toml")
    assert places.log_file(environ) == Path("/state/ai-orchestra/console.log")
