"""The copy menu and exports: what is taken, where it goes, and what is said when it cannot."""

import csv
import json
import os
from pathlib import Path

import pytest
from textual import events
from textual.app import App

from orchestra_tui.parts.saving import save
from orchestra_tui.screens.menus import MenuScreen
from orchestra_tui.screens.tabled import TableScreen
from orchestra_tui.terminal import Terminal
from tests.fakes.console_engine import ConsoleEngine, console, sees, text, until

BUSY = "box1/llama3.2:3b"


async def at_models(pilot) -> None:
    await pilot.press("2")
    await sees(pilot, "MODEL")
    screen = pilot.app.screen
    assert isinstance(screen, TableScreen)
    screen.table.select(BUSY)


async def test_the_menu_has_all_forms_of_the_row() -> None:
    """y opens it, a letter copies and says where to; the id is the first, so y y copies it, and Y at once."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_models(pilot)
        await pilot.press("y")
        for words in ("id", "model's name", "row as text", "JSON", "curl command", "screen as text"):
            await sees(pilot, words)
        await pilot.press("j")
        await sees(pilot, "to the terminal's clipboard (OSC 52)")
        assert json.loads(app.clipboard)["id"] == BUSY
        await pilot.press("y", "y")
        await until(pilot, lambda: app.clipboard == BUSY)
        await pilot.press("y", "c")
        await until(pilot, lambda: app.clipboard.startswith("curl -sS --unix-socket "))
        assert BUSY in app.clipboard
        await pilot.press("y", "s")
        await until(pilot, lambda: "MODEL" in app.clipboard and "ORCHESTRA" in app.clipboard)
        assert "Copy" not in app.clipboard
        await pilot.press("y", "r")
        await until(pilot, lambda: app.clipboard.startswith("●") and "llama3.2:3b" in app.clipboard)
        await pilot.press("Y")
        await sees(pilot, f"copied id, {len(BUSY)} characters")
        assert app.clipboard == BUSY


async def test_two_keys_at_once_copy_the_id() -> None:
    """What is typed faster than a menu opens is meant for the menu."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_models(pilot)
        app.post_message(events.Key("y", "y").set_sender(app))
        app.post_message(events.Key("y", "y").set_sender(app))
        await until(pilot, lambda: app.clipboard == BUSY)
        assert not isinstance(app.screen, MenuScreen)


async def test_marked_rows_are_copied_together() -> None:
    """The ids of all of them, one a line; escape copies nothing."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_models(pilot)
        await pilot.press("g", "space", "j", "space", "y")
        await sees(pilot, "2 ids")
        await pilot.press("escape", "Y")
        await until(pilot, lambda: app.clipboard.count("\n") == 1)
        await pilot.press("y", "j")
        await until(pilot, lambda: app.clipboard.startswith("["))
        assert len(json.loads(app.clipboard)) == 2


async def test_every_view_copies_its_screen() -> None:
    """There is always something to copy, also where nothing is selected."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live")
        for key, words in (("1", "Problems"), ("3", "BREAKER"), ("7", "SEVERITY"), ("8", "Usage by model")):
            await pilot.press(key)
            await sees(pilot, words)
            await pilot.press("y")
            await sees(pilot, "screen as text")
            await pilot.press("s")
            await until(pilot, lambda words=words: words in app.clipboard)  # type: ignore[misc]  # bound by its default


async def test_without_a_clipboard_a_file_is_written(tmp_path: Path) -> None:
    """On the console of a machine the path is said, and the file has the text and no other readers."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine, terminal=Terminal(osc52=False, folder=tmp_path / "state"))
    async with app.run_test(size=(200, 60)) as pilot:
        await at_models(pilot)
        await pilot.press("Y")
        await sees(pilot, "no clipboard here: id")
        path = tmp_path / "state" / "copied.txt"
        await sees(pilot, str(path))
        assert path.read_text() == BUSY
        assert path.stat().st_mode & 0o777 == 0o600
        await pilot.press("Y")
        await until(pilot, (tmp_path / "state" / "copied-2.txt").exists)


async def test_a_folder_that_takes_nothing_is_told(tmp_path: Path) -> None:
    """Neither clipboard nor file: the reason stands in the status line."""
    (tmp_path / "file").write_text("")
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine, terminal=Terminal(osc52=False, folder=tmp_path / "file" / "x"))
    async with app.run_test(size=(200, 60)) as pilot:
        await at_models(pilot)
        await pilot.press("Y")
        await sees(pilot, "copy: no clipboard here, and ")
        await sees(pilot, "Not a directory")


async def exported(pilot, app: App[str], folder: Path, letter: str) -> Path:
    before = set(os.listdir(folder))
    await pilot.press("ctrl+e")
    await sees(pilot, "never over a file")
    await pilot.press(letter)
    await sees(pilot, "(path copied)")
    (name,) = set(os.listdir(folder)) - before
    await sees(pilot, f"exported to ./{name}")
    assert app.clipboard == str(folder / name)
    app.say("")
    return folder / name


async def test_tables_and_screens_are_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CSV, JSON and text have all rows that the filter lets through and all columns; SVG and text have the screen."""
    monkeypatch.chdir(tmp_path)
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await at_models(pilot)
        await pilot.press(*"/backend:box1", "enter")
        await until(pilot, lambda: all(view.backend == "box1" for view in app.screen.shown))
        names = [view.model for view in app.screen.shown]
        path = await exported(pilot, app, tmp_path, "c")
        assert [row["model"] for row in csv.DictReader(path.read_text().splitlines())] == names
        assert path.name.startswith("orchestra-models-20")
        path = await exported(pilot, app, tmp_path, "j")
        assert [view["model"] for view in json.loads(path.read_text())] == names
        path = await exported(pilot, app, tmp_path, "t")
        assert "TIER" in path.read_text()
        assert len(path.read_text().splitlines()) == len(names) + 1
        path = await exported(pilot, app, tmp_path, "s")
        assert "filter: backend:box1" in path.read_text()
        path = await exported(pilot, app, tmp_path, "v")
        assert "never over a file" not in path.read_text().replace("&#160;", " ")
        assert "filter:&#160;backend:box1" in path.read_text()


async def test_ctrl_e_is_the_end_of_a_line_while_text_is_typed() -> None:
    """In the playground's prompt neither y nor ctrl+e is taken away from the text."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6", "y", "ctrl+e", "x")
        await until(pilot, lambda: "yx" in text(app))


def test_no_file_is_written_over(tmp_path: Path) -> None:
    """A taken name gets a number, a link is a taken name, and odd names stay in the folder."""
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "a.csv").symlink_to(tmp_path / "secret")
    path, why = save([tmp_path], "a", ".csv", "x")
    assert (path, why) == (tmp_path / "a-2.csv", "")
    assert (tmp_path / "secret").read_text() == "mine"
    path, _ = save([tmp_path], "../up", ".csv", "\udcff")
    assert path is not None
    assert path.parent == tmp_path


def test_the_first_folder_that_takes_it_is_used(tmp_path: Path) -> None:
    """What cannot be written to is passed over; where none can, the reason is told."""
    (tmp_path / "file").write_text("")
    path, _ = save([tmp_path / "file" / "x", tmp_path / "made"], "a", ".csv", "x")
    assert path == tmp_path / "made" / "a.csv"
    path, why = save([tmp_path / "file" / "x"], "a", ".csv", "x")
    assert path is None
    assert "Not a directory" in why
