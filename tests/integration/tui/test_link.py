"""The console and its engine: coming, going, staying away, being started."""

import contextlib
import os
import sys
from pathlib import Path

from orchestra_core.domain.events import Event
from orchestra_tui.app import Orchestra
from orchestra_tui.client import EngineClient
from orchestra_tui.launch import Launcher
from orchestra_tui.parts.speech import HELD_SECONDS
from orchestra_tui.present.connection import Lost
from orchestra_tui.widgets.lines import Pane
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, shown, text, until
from tests.fakes.fake_engine import FakeEngine, World

GONE = Lost(1, 3.0, "the engine closed the connection", absent=True)


async def test_a_lost_engine_leaves_its_data_greyed_with_its_age() -> None:
    """The last picture stays, muted; the header counts the tries; news brings it back."""
    engine, clock = ConsoleEngine(), Hand()
    engine.tick()
    app = console(engine, clock=clock)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        engine.push(GONE)
        clock.at += 12
        engine.push(Lost(2, 3.0, "nothing listens there", absent=True))
        await sees(pilot, "reconnecting in 3 s (try 2)  data 12s old")
        assert "llama-3.3-70b" in text(app)
        assert all(pane.has_class("-old") for pane in app.screen.query("#grid Pane").results(Pane))
        engine.tick()
        await sees(pilot, "live 1s")
        assert not any(pane.has_class("-old") for pane in app.screen.query("#grid Pane").results(Pane))


async def test_a_silent_engine_goes_stale_by_itself() -> None:
    """Without any message the header says how old the data is."""
    engine, clock = ConsoleEngine(), Hand()
    engine.tick()
    app = console(engine, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        clock.at += 9
        await sees(pilot, "stale 9s")


async def test_without_an_engine_the_frame_and_the_keys_work() -> None:
    """Views, help and quitting need no engine; the address and the remedy are shown."""
    engine = ConsoleEngine()
    engine.push(GONE, Lost(2, 3.0, "nothing listens there", absent=True))
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "No engine at /run/user/1000/ai-orchestra/engine.sock")
        await sees(pilot, "ai-orchestra serve")
        await pilot.press("2", "question_mark")
        await sees(pilot, "This view")
        await pilot.press("escape", "q")
        await until(pilot, lambda: app._exit)


async def test_an_engine_that_was_restarted_is_named() -> None:
    """A new process behind the same address is said in the status line, which the next event does not wipe."""
    engine, clock = ConsoleEngine(), Hand()
    engine.tick()
    app = console(engine, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await sees(pilot, "live 1s")
        engine.push(GONE)
        engine.world = World(pid=77)
        engine.tick()
        await sees(pilot, "the engine was restarted; connected again")
        news = Event("2026-03-02T13:03:00.000Z", "backend.joined", "sim-small", "4 models")
        engine.push(news)
        await until(pilot, lambda: app.latest is news)
        clock.at += HELD_SECONDS - 1
        more = Event("2026-03-02T13:03:04.000Z", "model.ready", "sim-small", "ready in 4 s")
        engine.push(more)
        await until(pilot, lambda: app.latest is more)
        assert "the engine was restarted; connected again" in text(app)
        clock.at += 1
        await sees(pilot, "sim-small: ready in 4 s")
        assert "restarted" not in text(app)


async def test_a_confirmation_makes_room_for_what_it_led_to() -> None:
    """What merely acknowledges is replaced by the next event at once."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await sees(pilot, "live 1s")
        app.say("load llama3.2:3b on box1: accepted")
        await sees(pilot, "accepted")
        engine.push(Event("2026-03-02T13:03:00.000Z", "model.loading", "box1/llama3.2:3b", "loading"))
        await sees(pilot, "box1/llama3.2:3b: loading")
        assert "accepted" not in text(app)


async def test_a_change_is_looked_at_at_once() -> None:
    """An event brings the state it led to, without waiting for the next snapshot."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: any("mistral" in row and "unloaded" in row for row in shown(app)))
        engine.world.residency["box1/mistral-nemo:12b"] = "ready"
        engine.push(Event("2026-03-02T13:03:00.000Z", "model.ready", "box1/mistral-nemo:12b", "ready in 4 s"))
        await until(pilot, lambda: any("mistral" in row and " ready " in row for row in shown(app)))
        await sees(pilot, "ready in 4 s")


async def test_it_starts_an_engine_and_stops_it_at_quit(tmp_path: Path) -> None:
    """Nothing listens: the engine is started, its log shown, and at quit it is stopped as asked."""
    socket = str(tmp_path / "engine.sock")
    argv = [sys.executable, "-u", "-m", "tests.fakes.fake_engine", socket]
    launcher = Launcher(argv, str(tmp_path / "engine.log"))
    app = console_of(socket, launcher)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "starting engine")
        await until(pilot, lambda: "live 1s" in text(app), 20)
        await pilot.press("q")
        await sees(pilot, "Quit: what about the engine?")
        await pilot.press("escape")
        await sees(pilot, "Backends and breakers")
        await pilot.press("ctrl+q", "s")
        await until(pilot, lambda: app._exit, 20)
    assert launcher.wait(5)
    assert app.return_value == "stopped"
    assert launcher.code == 0


async def test_an_engine_that_fails_to_start_shows_its_log(tmp_path: Path) -> None:
    """The console does not freeze: the exit code and the last lines are there, and r tries again."""
    code = "import sys; print('assembling the model'); sys.exit('port 8080 is in use by process 12')"
    launcher = Launcher([sys.executable, "-c", code], str(tmp_path / "logs" / "engine.log"))
    app = console_of(str(tmp_path / "engine.sock"), launcher)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "ended with exit code 1" in text(app), 15)
        await sees(pilot, "port 8080 is in use by process 12")
        first = launcher.pid
        await pilot.press("r")
        await until(pilot, lambda: launcher.pid != first)
        await until(pilot, lambda: launcher.code is not None)
        await pilot.press("q")
        await until(pilot, lambda: app._exit)


def test_nobody_else_reads_the_log(tmp_path: Path) -> None:
    """As all files beside it."""
    launcher = Launcher([sys.executable, "-c", ""], str(tmp_path / "engine.log"))
    launcher.start()
    assert launcher.wait(20)
    assert Path(launcher.log).stat().st_mode & 0o077 == 0


async def test_an_engine_may_be_left_running(tmp_path: Path) -> None:
    """Keep running leaves the process alone, in a session of its own."""
    socket = str(tmp_path / "engine.sock")
    launcher = Launcher(
        [sys.executable, "-u", "-m", "tests.fakes.fake_engine", socket], str(tmp_path / "engine.log")
    )
    app = console_of(socket, launcher)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "live 1s" in text(app), 20)
        await pilot.press("q", "k")
        await until(pilot, lambda: app._exit)
    assert app.return_value == "kept"
    assert launcher.alive
    launcher.terminate()
    assert launcher.wait(10)


async def test_it_survives_the_engines_restart(tmp_path: Path) -> None:
    """Over a real socket: the engine goes, the console counts, the engine returns, the selection is kept."""
    socket = str(tmp_path / "engine.sock")
    first = FakeEngine(socket, period=0.05)
    await first.start()
    app = console_of(socket, None)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await sees(pilot, "gemma3-270m")
        await pilot.press("j", "j", "j")
        await first.stop()
        await sees(pilot, "lost: reconnecting")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(socket)
        second = FakeEngine(socket, World(pid=9), period=0.05)
        await second.start()
        await sees(pilot, "live 1s")
        assert any(row.startswith("▌") and "llama3.2:3b" in row and "box1" in row for row in shown(app))
        await second.stop()


def console_of(socket: str, launcher: Launcher | None) -> Orchestra:
    return Orchestra(EngineClient(socket, delays=(0.1,)), launcher=launcher)


async def test_what_was_wished_of_a_new_engine_is_not_ignored_in_silence(tmp_path: Path) -> None:
    """One runs already: the console says that the flags for starting one change nothing there."""
    engine = ConsoleEngine()
    engine.tick()
    argv = [sys.executable, "-c", "", "--demo", "--users", "9"]
    app = console(engine, launcher=Launcher(argv, str(tmp_path / "engine.log")))
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "attached to the running engine: --demo and --users change nothing there")
