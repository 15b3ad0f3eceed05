"""A second console is as the first one was left."""

from pathlib import Path
from typing import Any

import msgspec

from orchestra_tui.app import Orchestra
from orchestra_tui.preferences import kept
from orchestra_tui.preferences.beginning import Beginning, Wishes, begin
from orchestra_tui.preferences.kept import Kept
from orchestra_tui.preferences.settings import Settings
from tests.fakes.console_engine import ConsoleEngine, Hand, sees, shown, text, until


def again(path: Path, engine: ConsoleEngine, *, settings: Settings | None = None, **wishes: Any) -> Orchestra:
    """A console on what is remembered in the file."""
    remembered, word = kept.read(path)
    beginning = begin(Wishes(**wishes), settings or Settings(), remembered)
    engine.tick()
    return Orchestra(engine, now=Hand(), beginning=msgspec.structs.replace(beginning, file=path, word=word))


async def test_view_filter_sort_theme_interval_and_commands_survive(tmp_path: Path) -> None:
    """What the user chose is there at the next start; what was not chosen is not remembered."""
    path = tmp_path / "console.json"
    first = again(path, ConsoleEngine())
    async with first.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("2")
        await sees(pilot, "MODEL")
        await pilot.press("slash", *"llama", "enter")
        await until(pilot, lambda: "mistral" not in text(first))
        await pilot.press("greater_than_sign")
        await sees(pilot, "sorted by model")
        await pilot.press("S", "minus")
        await pilot.press("colon", *"pause", "enter", "escape")
        first.theme = "nord"
        await sees(pilot, "live 2s")
        await first.action_leave()
    assert kept.read(path)[0] == Kept(
        "models", "nord", 2.0, {"models": {"filter": "llama", "sort": "-model"}}, ("pause",)
    )
    second = again(path, ConsoleEngine())
    async with second.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 2s")
        await sees(pilot, "llama3.2:3b")
        assert second.theme == "nord"
        assert "mistral" not in text(second)
        await pilot.press("colon", "up")
        await until(pilot, lambda: "pause" in shown(second)[-2])


async def test_what_was_taken_back_or_asked_for_once_is_not_remembered(tmp_path: Path) -> None:
    """A theme that was tried on, and an interval that only a flag wanted."""
    path = tmp_path / "console.json"
    app = again(path, ConsoleEngine(), interval=5.0)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 5s")
        usual, app.theme = app.theme, "nord"
        app._remembering.collect()
        app.theme = usual
        await app.action_leave()
    assert kept.read(path)[0] == Kept("overview")


async def test_a_damaged_memory_is_said_and_does_no_harm(tmp_path: Path) -> None:
    """The console starts as if for the first time."""
    path = tmp_path / "console.json"
    path.write_text("{")
    app = again(path, ConsoleEngine())
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "is damaged")
        await sees(pilot, "live 1s")
        assert app.current_mode == "overview"


async def test_it_is_written_while_it_runs(tmp_path: Path) -> None:
    """A console that is killed has lost some seconds only."""
    path = tmp_path / "console.json"
    clock = Hand()
    engine = ConsoleEngine()
    engine.tick()
    app = Orchestra(engine, now=clock, beginning=Beginning(file=path))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        clock.at += 6
        await until(pilot, lambda: kept.read(path)[0].view == "backends")


async def test_it_opens_where_it_was_told_to(tmp_path: Path) -> None:
    """--view and --filter: the view, filtered, from the first picture on."""
    app = again(tmp_path / "console.json", ConsoleEngine(), view="models", filter="qwen")
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "qwen2.5-coder")
        assert "mistral" not in text(app)
        await pilot.press("0")
        await until(pilot, lambda: app.current_mode != "models")


async def test_other_keys_do_and_are_shown(tmp_path: Path) -> None:
    """Two keys that changed places work, and footer and help have them."""
    settings = Settings(keys={"pause": ("r",), "refresh": ("p",)})
    app = again(tmp_path / "console.json", ConsoleEngine(), settings=settings)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "r pause")
        await pilot.press("r")
        await sees(pilot, "PAUSED")
        await pilot.press("p")
        await sees(pilot, "refreshed")
        await pilot.press("question_mark")
        await sees(pilot, "   r          hold the display still")


async def test_read_only_refuses_what_changes_something(tmp_path: Path) -> None:
    """Nothing is sent, and the reason is said."""
    engine = ConsoleEngine()
    app = again(tmp_path / "console.json", engine, view="models", read_only=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("U")
        await sees(pilot, "read-only")
        assert not engine.posted


async def test_ascii_is_ascii(tmp_path: Path) -> None:
    """Asked for, there is no sign that is not ASCII on the screen."""
    app = again(tmp_path / "console.json", ConsoleEngine(), ascii=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "* live 1s")
        assert text(app).isascii()


async def test_the_settings_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    """Keys, theme and interval are new at once; a mistake is said and changes nothing."""
    path, clock, engine = tmp_path / "console.toml", Hand(), ConsoleEngine()
    engine.tick()
    app = Orchestra(engine, now=clock, beginning=Beginning(settings=path))
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "p pause")
        path.write_text("theme = 'nord'\ninterval = 2\n[keys]\npause = 'f5'\n")
        clock.at += 3
        engine.tick()
        await sees(pilot, "f5 pause")
        await sees(pilot, "live 2s")
        assert app.theme == "nord"
        await pilot.press("p")
        assert not app.picture().paused
        await pilot.press("f5")
        await sees(pilot, "PAUSED")
        path.write_text("theme = 'nord'\ninterval = 2\n[keys]\npaus = 'f5'\n")
        clock.at += 3
        await sees(pilot, "console.toml:4: there is no action 'paus'; did you mean 'pause'?")
        await sees(pilot, "f5 pause")
        for background in ("#101010", "#202020"):
            path.write_text(f"theme = 'mine'\n[themes.mine]\nbackground = '{background}'\n")
            clock.at += 3
            await until(pilot, lambda color=background: app.current_theme.background == color)  # type: ignore[misc]  # bound by its default
        assert app.theme == "mine"
        path.write_text("interval = 2\n")
        clock.at += 3
        await until(pilot, lambda: app.theme == app.looks.suits)
