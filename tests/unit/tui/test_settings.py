"""The console's settings file and its keys: what is wrong is said with its line and what was probably meant."""

from pathlib import Path

import pytest

from orchestra_tui.preferences.beginning import Wishes, begin
from orchestra_tui.preferences.kept import Kept
from orchestra_tui.preferences.keymap import canonical, listing, mistakes, remappable
from orchestra_tui.preferences.settings import Settings, SettingsError, parse, read
from orchestra_tui.widgets.themes import DARK, LIGHT, made, offered
from tests.fakes.readme_keys import README

THEMES = ("orchestra-dark", "nord")
GOOD = """
theme = "nord"
interval = 2
ascii = true
mouse = false
view = "models"

[keys]
theme = "T"
model.load = ["ctrl+l", "K"]
"palette" = "ctrl+o"
"""


def wrong(text: str) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        parse(text, "console.toml", THEMES)
    return list(raised.value.problems)


def test_a_file_says_what_it_sets() -> None:
    """Settings and keys are read; dotted ids and quoted ids are the same."""
    found = parse(GOOD.replace("ctrl+o", "ctrl+k"), "console.toml", THEMES)
    assert found == Settings(
        "nord",
        2.0,
        "models",
        ascii=True,
        mouse=False,
        keys={"theme": ("T",), "model.load": ("ctrl+l", "K"), "palette": ("ctrl+k",)},
    )


def test_a_theme_of_ones_own_is_one_of_the_themes() -> None:
    """It can be chosen; its colors are as said, the others those of the console's own theme of its kind."""
    text = "theme = 'mine'\n[themes.mine]\nprimary = '#abc'\nborder_blurred = '#123456'\n[themes.day]\ndark = false"
    found = parse(text, "console.toml", THEMES)
    assert found.theme == "mine"
    mine, day = made(found.themes)
    assert (mine.name, mine.primary, mine.success, mine.dark) == ("mine", "#abc", DARK.success, True)
    assert (mine.variables["border"], mine.variables["border-blurred"]) == ("#abc", "#123456")
    assert (day.name, day.background, day.dark) == ("day", LIGHT.background, False)
    assert offered(["nord", "orchestra-dark", "mine", "day"]) == ["day", "mine", "orchestra-dark", "nord"]


def test_no_file_is_no_setting(tmp_path: Path) -> None:
    """A file that does not exist says nothing; one that cannot be read is an error."""
    assert read(tmp_path / "console.toml", THEMES) == Settings()
    with pytest.raises(SettingsError, match="cannot be read"):
        read(tmp_path, THEMES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("theme = ", "console.toml: not TOML"),
        ("\ntheem = 'nord'", "console.toml:2: there is no setting 'theem'; did you mean 'theme'?"),
        ("theme = 'nort'", "console.toml:1: theme is 'nort', which there is not; did you mean 'nord'?"),
        ("interval = 60", "console.toml:1: interval is 60; it is seconds, 0.5 to 10"),
        ("interval = true", "it is seconds"),
        ("ascii = 'yes'", "console.toml:1: ascii is 'yes'; it is true or false"),
        ("keys = 3", "console.toml:1: keys is a table"),
        (
            "[keys]\nrefresh = 'f5'\nmodel.laod = 'K'",
            "console.toml:3: there is no action 'model.laod'; did you mean 'model.load'?",
        ),
        ("[keys]\nmodel.load = 'l'", "console.toml:2: model.load changes the engine"),
        ("[keys]\nmodel.load = ['K', 'f5']", "must be an upper-case letter or ctrl+"),
        ("[keys]\n\npause = 'q'", "console.toml:3: q is already the key of quit in Overview"),
        ("[keys]\npause = '?'", "? is already the key of help"),
        ("[keys]\npause = 3", "console.toml:2: pause is 3; it is a key, or a list of keys"),
        ("[keys]\npause = []", "pause needs a key"),
        ("[keys]\nsend = 'x'", "there is no action 'send'"),
        ("themes = 3", "console.toml:1: themes is a table for each"),
        ("[themes]\nmine = 3", "console.toml:2: mine is 3; a theme is a table: [themes.mine]"),
        ("\n[themes.nord]", "console.toml:2: there is a theme 'nord' already"),
        ("[themes.Mine]", "console.toml:1: the theme 'Mine' needs a name of small letters"),
        (
            "[themes.my-own]\nprimry = '#fff'",
            "console.toml:2: a theme has no 'primry'; did you mean 'primary'?",
        ),
        (
            "[themes.a]\nerror = '#fff'\n[themes.b]\nerror = 'red'",
            "console.toml:4: error is 'red'; it is a color",
        ),
        ("[themes.a]\nerror = '#ff'", "it is a color such as"),
        ("[themes.a]\ndark = 'no'", "console.toml:2: dark is 'no'; it is true or false"),
        (
            "[themes.a]\nbackground = '#222'\nforeground = '#333333'",
            "console.toml:3: foreground on background has a contrast of 1.3; below 3 nobody can read it",
        ),
        (
            "theme = 'mime'\n[themes.mine]",
            "console.toml:1: theme is 'mime', which there is not; did you mean 'mine'?",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, words: str) -> None:
    """Line, what is wrong, and what was probably meant."""
    assert any(words in problem for problem in wrong(text)), wrong(text)


def test_all_that_is_wrong_is_said_at_once() -> None:
    """Nobody mends a file one error at a time."""
    assert len(wrong("interval = 0\nthem = 1\n[keys]\nnothing = 'x'")) == 3


def test_keys_can_change_places() -> None:
    """Two actions may swap keys: a conflict is only what remains one."""
    assert list(mistakes({"pause": ("r",), "refresh": ("p",)})) == []
    assert [name for name, _ in mistakes({"pause": ("r",)})] != []


def test_the_usual_keys_have_no_conflict() -> None:
    """Every action under its own keys again is no mistake: no view gives one key to two."""
    assert list(mistakes({name: action.keys for name, action in remappable().items()})) == []


def test_keys_are_called_as_the_terminal_calls_them() -> None:
    """Signs may be written as they are."""
    assert [canonical(key) for key in ("?", "ctrl+?", "+", "K", "f5", "ctrl+k")] == [
        "question_mark", "ctrl+question_mark", "plus", "K", "f5", "ctrl+k",
    ]  # fmt: skip


def test_the_listing_has_every_key_and_marks_those_that_were_set() -> None:
    """One row an action, with its id."""
    rows = listing({"pause": ("f5",)}).splitlines()
    assert len(rows) == len(remappable()) + 2
    assert any(row.startswith("*pause") and "f5" in row and "all" in row for row in rows)
    assert any(row.startswith(" detail") and "enter" in row for row in rows)


def test_flags_win_over_the_file_and_the_file_over_what_is_remembered() -> None:
    """The first that says something is right; a filter is for the view that is opened."""
    kept = Kept("models", "nord", 5.0, {"models": {"filter": "old", "sort": "mem"}})
    settings = Settings(theme="monokai", interval=2.0)
    wishes = Wishes(view="backends", theme="dracula", filter="box")
    first = begin(wishes, settings, kept)
    assert (first.view, first.theme, first.interval) == ("backends", "dracula", 2.0)
    assert first.kept.views == {"models": {"filter": "old", "sort": "mem"}, "backends": {"filter": "box"}}
    second = begin(Wishes(filter="new"), Settings(), kept)
    assert (second.view, second.theme, second.interval) == ("models", "nord", 5.0)
    assert second.kept.views["models"] == {"filter": "new", "sort": "mem"}
    assert begin(Wishes(), Settings(), Kept(view="gone")).view == "overview"


def test_slow_is_every_two_seconds_unless_said_otherwise() -> None:
    """--slow changes the interval that is remembered, not one that was asked for."""
    assert begin(Wishes(slow=True), Settings(), Kept(interval=0.5)).interval == 2.0
    assert begin(Wishes(slow=True, interval=5.0), Settings(), Kept()).interval == 5.0


def test_the_example_of_the_readme_is_right() -> None:
    """It can be copied as it is."""
    example = (
        README.read_text("utf-8")
        .partition("no key can have two meanings:\n\n```toml\n")[2]
        .partition("```")[0]
    )
    found = parse(example, "console.toml", ("orchestra-light",))
    assert (found.interval, found.keys["model.load"]) == (2, ("L", "ctrl+l"))
