"""Asking in the playground: streaming, cancelling, choosing a model."""

from pathlib import Path

import msgspec

from orchestra_tui.app import Orchestra
from orchestra_tui.pieces import Failed, Started, Token
from orchestra_tui.preferences.beginning import Beginning
from orchestra_tui.preferences.kept import read
from orchestra_tui.widgets.prompts import PromptArea
from tests.fakes.console_engine import ConsoleEngine, Hand, console, sees, text, until


async def test_an_answer_streams_and_ends_with_its_numbers() -> None:
    """The answer appears while it arrives; then model, backend, why and tokens are told."""
    engine = ConsoleEngine()
    engine.tick()
    engine.held = 12
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("6", *"Why?", "enter")
        await sees(pilot, "A circuit breaker keeps")
        await sees(pilot, "running")
        assert "next_endpoint" not in text(app)
        engine.gate.set()
        await sees(pilot, "done")
        await sees(pilot, "llama3.2:3b on box1")
        await sees(pilot, "the shortest of 4")
        assert engine.asked == [("Why?", None)]


async def test_escape_and_ctrl_x_cancel_a_running_answer() -> None:
    """Cancelling closes the request, keeps what came, and says cancelled. The first escape leaves the prompt."""
    for keys in (("escape", "escape"), ("ctrl+x",)):
        engine = ConsoleEngine()
        engine.tick()
        engine.held = 12
        app = console(engine)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("6", *"Why?", "enter")
            await sees(pilot, "A circuit breaker keeps")
            await pilot.press(*keys)
            await sees(pilot, "cancelled")
            await until(pilot, engine.closed_early.is_set)
            assert "A circuit breaker keeps" in text(app)


async def test_an_answer_goes_on_while_another_view_is_open() -> None:
    """Leaving the prompt and the view does not stop the stream; coming back shows it."""
    engine = ConsoleEngine()
    engine.tick()
    engine.held = 12
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6", *"hm", "enter")
        await sees(pilot, "A circuit breaker keeps")
        await pilot.press("escape", "2")
        await sees(pilot, "MODEL")
        engine.gate.set()
        await pilot.pause()
        await pilot.press("6")
        await sees(pilot, "done")


async def test_a_failed_answer_says_why() -> None:
    """The engine's error stands where the answer would."""
    engine = ConsoleEngine(
        answer=(Started("r", "m", "b"), Token("half "), Failed("the backend closed the stream"))
    )
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6", *"x", "enter")
        await sees(pilot, "the backend closed the stream")
        assert "half" in text(app)


async def test_the_model_can_be_chosen_by_typing_a_part_of_its_name() -> None:
    """ctrl+o opens the list from the prompt; the next prompt goes to the chosen model."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("6", "ctrl+o")
        await sees(pilot, "the engine chooses")
        assert "nomic-embed-text" not in text(app)
        await pilot.press(*"coder", "enter")
        await sees(pilot, "next asks   qwen2.5-coder:7b")
        await pilot.press("h", "i", "enter")
        await until(pilot, lambda: engine.asked == [("hi", "qwen2.5-coder:7b")])


async def test_letters_are_text_in_the_prompt_and_keys_outside() -> None:
    """Typed digits, q and colons stay in the prompt; after escape they act."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("6", *"q:1/?")
        await until(pilot, lambda: app.screen.query_one(PromptArea).text == "q:1/?")
        await pilot.press("escape", "1")
        await sees(pilot, "Backends and breakers")


async def test_a_hostile_answer_is_only_text() -> None:
    """Markup and escapes split over tokens are shown, not obeyed."""
    pieces = (Started("r", "m", "b"), Token("[red]\x1b"), Token("]52;c;aGk=\x07 [@click=app.quit]x[/]"))
    engine = ConsoleEngine(answer=(*pieces, Failed("end")))
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6", *"x", "enter")
        await sees(pilot, "[red]␛]52;c;aGk=\\x07 [@click=app.quit]x[/]")


async def test_pasted_text_is_sanitised_and_keeps_its_lines() -> None:
    """A paste of many lines goes into the prompt as it is, without its controls."""
    from textual.events import Paste

    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await until(pilot, lambda: isinstance(app.focused, PromptArea))
        prompt = app.screen.query_one(PromptArea)
        prompt.post_message(Paste("one\x1b[2J\r\n" + "line\n" * 5000))
        await until(pilot, lambda: prompt.document.line_count > 5000)
        assert prompt.text.startswith("one␛[2J\nline")


async def test_copy_takes_the_last_answer() -> None:
    """Y puts the answer on the clipboard and says where it went."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6", *"x", "enter")
        await sees(pilot, "longer.")
        await sees(pilot, "done")
        await pilot.press("escape", "Y")
        await sees(pilot, "clipboard (OSC 52)")
        assert app.clipboard.startswith("A circuit breaker")


async def test_escape_and_a_key_that_come_as_one_are_two() -> None:
    """Fast typists and slow lines: escape leaves the prompt and the digit goes to its view, nothing is typed."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await sees(pilot, "Nothing asked yet")
        await pilot.press("alt+2")
        await sees(pilot, "STATE")
        await pilot.press("slash", "b", "o", "x", "1", "alt+6")
        await sees(pilot, "Nothing asked yet")
        assert app.screen.query_one(PromptArea).text == ""
        await pilot.press("2")
        await sees(pilot, "Models  10/10")


async def test_the_command_line_gives_the_focus_back() -> None:
    """Who left the prompt and opened the command line is not in the prompt again."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6")
        await sees(pilot, "Nothing asked yet")
        await pilot.press("escape", "colon", "escape", "1")
        await sees(pilot, "Problems")


async def test_two_models_answer_side_by_side() -> None:
    """v chooses a second model; a prompt goes to both at once, each answer has its numbers, v takes it away."""
    engine = ConsoleEngine()
    engine.tick()
    engine.held = 12
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("6", "escape", "v", *"coder", "enter")
        await sees(pilot, "Next asks qwen2.5-coder:7b")
        await pilot.press(*"Why?", "enter")
        await until(pilot, lambda: len(engine.asked) == 2)
        assert sorted(model or "auto" for _, model in engine.asked) == ["auto", "qwen2.5-coder:7b"]
        await until(pilot, lambda: text(app).count("A circuit breaker") == 2)
        engine.gate.set()
        await until(pilot, lambda: text(app).count("● done") >= 2)
        await pilot.press("escape", "v")
        await sees(pilot, "─ Answers")
        assert text(app).count("A circuit breaker") == 1


async def test_both_answers_are_cancelled_at_once() -> None:
    """ctrl+x closes both requests; what came stays."""
    engine = ConsoleEngine()
    engine.tick()
    engine.held = 12
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("colon", *"beside qwen2.5-coder:7b", "enter")
        await sees(pilot, "Next asks qwen2.5-coder:7b")
        await pilot.press(*"Why?", "enter")
        await until(pilot, lambda: text(app).count("A circuit breaker") == 2)
        await pilot.press("ctrl+x")
        await until(pilot, lambda: text(app).count("cancelled") >= 2)


async def test_parameters_are_typed_checked_and_sent() -> None:
    """A wrong one is told with its range and kept in the form; the right ones go with the prompt and are shown."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("6", "ctrl+t")
        await sees(pilot, "Parameters of the next prompts")
        await pilot.press("down", *"9", "enter")
        await sees(pilot, "temperature: a number from 0 to 2")
        await pilot.press("backspace", *"0.5", "down", *"64", "enter")
        await sees(pilot, "Prompt  temperature 0.5, max tokens 64")
        await pilot.press(*"hi", "enter")
        await until(pilot, lambda: bool(engine.wished))
        assert engine.wished == [{"prompt": "hi", "temperature": 0.5, "max_tokens": 64}]


async def test_what_was_asked_comes_back() -> None:
    """Up takes the prompts before, the latest first, down goes back to an empty one; h opens them as a list."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("6")
        prompt = app.screen.query_one(PromptArea)
        for words in ("first", "second"):
            await pilot.press(*words, "enter")
            await until(pilot, lambda: not app.screen.running)  # type: ignore[attr-defined]  # the playground's
        await pilot.press("up")
        await until(pilot, lambda: prompt.text == "second")
        await pilot.press("up", "up")
        await until(pilot, lambda: prompt.text == "first")
        await pilot.press("down", "down")
        await until(pilot, lambda: prompt.text == "")
        await pilot.press("escape", "h", *"fir", "enter")
        await until(pilot, lambda: prompt.text == "first")


async def test_saved_prompts_models_and_parameters_survive_a_restart(tmp_path: Path) -> None:
    """a saves what was asked; the next console lists it, with the models and parameters of the last one."""
    beginning = Beginning(file=tmp_path / "console.json")
    engine = ConsoleEngine()
    engine.tick()
    first = Orchestra(engine, now=Hand(), beginning=beginning)
    async with first.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live 1s")
        await pilot.press("6", "ctrl+t", "down", *"0.5", "enter", *"Why not?", "enter")
        await sees(pilot, "done")
        await pilot.press("escape", "a")
        await sees(pilot, "the prompt is saved")
        await pilot.press("v", *"coder", "enter")
        await sees(pilot, "Next asks qwen2.5-coder:7b")
        await pilot.press("escape", "1")
        await sees(pilot, "Problems")
    kept, said = read(tmp_path / "console.json")
    assert said == ""
    engine.tick()
    again = Orchestra(engine, now=Hand(), beginning=msgspec.structs.replace(beginning, kept=kept))
    async with again.run_test(size=(120, 40)) as pilot:
        await pilot.press("6")
        await sees(pilot, "Next asks qwen2.5-coder:7b")
        await sees(pilot, "Prompt  temperature 0.5")
        await pilot.press("escape", "h")
        await sees(pilot, "saved  Why not?")
        await pilot.press("enter", "escape", "a")
        await sees(pilot, "not saved any more")


async def test_nothing_is_not_saved() -> None:
    """Without a prompt there is nothing to save, and it says so."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("6", "escape", "a")
        await sees(pilot, "nothing is written or was asked")
