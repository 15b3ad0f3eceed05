"""The table of actions and the command line made from it."""

import msgspec
import pytest

from orchestra_tui.present import manual
from orchestra_tui.present.actions.table import ACTIONS, elsewhere, of_view
from orchestra_tui.present.actions.views import BY_NAME, VIEWS
from orchestra_tui.present.commands import candidates, names, parse
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import plain
from orchestra_tui.present.verbs.table import VERBS
from orchestra_tui.present.verbs.verb import Command, Mistake
from tests.fakes.fake_engine import World
from tests.fakes.readme_keys import told

SNAPSHOT = World().snapshot()


def test_lower_case_keys_never_change_the_engine() -> None:
    """What mutates has an upper-case key and nothing else."""
    changing = [action for action in ACTIONS if action.mutates]
    assert {"model.load", "model.unload", "alert.ack", "breaker.menu"} <= {action.id for action in changing}
    assert all(key.isupper() for action in changing for key in action.keys)


@pytest.mark.parametrize("view", BY_NAME)
def test_a_key_means_one_thing_in_a_view(view: str) -> None:
    """No two actions of a view share a key."""
    keys = [key for action in of_view(view) for key in action.keys]
    assert sorted(keys) == sorted(set(keys))


@pytest.mark.parametrize("view", BY_NAME)
def test_help_tells_every_key_of_the_view(view: str) -> None:
    """Help and bindings come from the same table."""
    words = "\n".join(plain(row) for row in manual.lines(view, 78))
    assert all(action.help[:40] in words for action in of_view(view))
    assert ("rows by model or by backend" in words) == (view == "throughput")


def test_a_key_of_other_views_says_where_it_is_one() -> None:
    """By the present keys; nothing of those that are keys here, or nowhere."""
    assert elsewhere("backends", "U") == "U unload: in 2 Models"
    assert elsewhere("overview", "right_square_bracket") == "] next tab: in 4 Throughput, 8 Cost, 9 Events"
    assert elsewhere("models", "U") == elsewhere("models", "Q") == elsewhere("overview", "enter") == ""
    assert elsewhere("backends", "K", {"model.unload": ["K"]}) == "K unload: in 2 Models"
    assert elsewhere("backends", "U", {"model.unload": ["K"]}) == ""


def test_help_tells_what_words_commands_take() -> None:
    """Every verb with its usage, found by searching too."""
    words = "\n".join(plain(row) for row in manual.lines("models", 78))
    assert all(f":{verb.usage}" in words for verb in VERBS)
    assert ":back SPAN" in "\n".join(plain(row) for row in manual.lines("models", 78, words="back span"))


def test_digits_are_those_of_the_keymap() -> None:
    """Views keep their numbers; numbers of views that do not exist are not shown."""
    assert {view.name: view.digit for view in VIEWS} == {
        "overview": "1",
        "models": "2",
        "backends": "3",
        "requests": "5",
        "throughput": "4",
        "playground": "6",
        "alerts": "7",
        "cost": "8",
        "events": "9",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mo", Command("mo", "", "app.view('models')")),
        (":q", Command("q", "", "app.leave")),
        ("back 2m", Command("back", "", "app.goto('-2m')")),
        ("back", Mistake("back: how far? 90s, 2m or 1h; esc shows what is now")),
        ("back x') or app.bell('", Mistake("back: how far? 90s, 2m or 1h; esc shows what is now")),
        ("quit", Command("q", "", "app.leave")),
        ("load mistral-nemo:12b", Command("load", "box1/mistral-nemo:12b")),
        ("unload box2/llama3.2:3b", Command("unload", "box2/llama3.2:3b")),
        ("drill gpt-5-mini", Command("drill", "", "app.drill('cloud/gpt-5-mini')")),
        ("drills", Command("drills", "", "app.drills")),
        ("model auto", Command("model", "auto")),
        ("beside llama3.2:3b", Command("beside", "llama3.2:3b")),
        ("  ", None),
    ],
)
def test_commands(text: str, expected: Command | None) -> None:
    """Words become the action, or the target by id and what is done to it."""
    meant = parse(text, SNAPSHOT)
    if isinstance(meant, Command) and meant.deed is not None:
        deed = meant.deed(Picture(snapshot=SNAPSHOT))
        assert (deed.verb, deed.targets) == (meant.verb, (meant.target,))
        meant = msgspec.structs.replace(meant, deed=None)
    assert meant == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nope", "unknown command"),
        ("load", "which model"),
        ("load nothing", "not known"),
        ("unload llama3.2:3b", "several backends"),
        ("model gpt-9", "not known"),
    ],
)
def test_mistakes_are_explained(text: str, words: str) -> None:
    """A wrong line says what is wrong with it."""
    found = parse(text, SNAPSHOT)
    assert isinstance(found, Mistake)
    assert words in found.message


def test_completion() -> None:
    """Commands and their models are completed."""
    assert candidates("pl", SNAPSHOT)[0] == "playground"
    assert candidates("load mis", SNAPSHOT)[0] == "load mistral-nemo:12b"
    assert candidates("model a", SNAPSHOT)[0] == "model auto"
    assert candidates("zz", None) == []
    assert {"ov", "mo", "be", "pg", "q", "help", "load", "unload"} <= set(names())


def test_candidates_are_all_that_a_line_can_become() -> None:
    """Each once, in the order of the tables; a line that is whole has none."""
    assert candidates("load m", SNAPSHOT) == ["load mistral-nemo:12b"]
    several = candidates("load box2/", SNAPSHOT)
    assert len(several) == len(set(several)) > 1
    assert all(each.startswith("load box2/") for each in several)
    assert candidates("nothing box2", SNAPSHOT) == candidates("", SNAPSHOT) == []
    assert candidates("load mistral-nemo:12b", SNAPSHOT) == []


def test_the_readme_has_every_key() -> None:
    """Its table is made of the table of actions; `python -m tests.fakes.readme_keys` makes it anew."""
    assert told() == manual.markdown()
    assert "`L` load" in told()
