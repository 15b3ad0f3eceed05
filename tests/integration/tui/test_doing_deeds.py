"""Doing deeds: at once, after a question, on many things, and what is said of it."""

from orchestra_tui.engine import UNANSWERED, EngineError
from orchestra_tui.present.deeds.deed import Call, Deed, Question, Refusal, Risk
from orchestra_tui.present.picture import Picture
from tests.fakes.console_engine import ConsoleEngine, console, sees, text, until

IDS = ("r-1", "r-2", "r-3", "r-4")


def deed(risk: Risk, ids: tuple[str, ...] = IDS) -> Deed:
    """Four calls at once, about as many requests as the engine's backends can tell are running."""

    def asked(picture: Picture) -> Question | Refusal:
        if picture.snapshot is None or not picture.snapshot.models:
            return Refusal("cancel: nothing runs")
        running = picture.snapshot.models[1].inflight
        return Question(
            f"Cancel {len(ids)} requests?", (("running", str(running), ""),), risk, typed="cancel 4"
        )

    calls = tuple(Call(f"/api/v1/things/{each}/cancel", {}, each) for each in ids)
    return Deed("cancel", ids, asked, calls, f"{len(ids)} are cancelled")


def paths(engine: ConsoleEngine) -> list[str]:
    return [path.split("/")[-2] for path, _ in engine.posted]


async def test_what_loses_nothing_is_done_at_once() -> None:
    """No dialog, and one line for all of it; what was not done is told by name with the engine's reason."""
    engine = ConsoleEngine()
    engine.refusals["/api/v1/things/r-3/cancel"] = "it has ended"
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live")
        app.do(deed(Risk.NONE))
        await sees(pilot, "cancel: 3 of 4 done; r-3: it has ended")
        assert paths(engine) == list(IDS)
        engine.refusals.clear()
        app.do(deed(Risk.NONE))
        await sees(pilot, "4 are cancelled")


async def test_what_was_sent_is_said_while_it_is_under_way() -> None:
    """However slow the engine, the status bar answers the key."""
    engine = ConsoleEngine()
    engine.going.clear()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live")
        app.do(deed(Risk.NONE))
        await sees(pilot, "cancel 4: sent …")
        assert "are cancelled" not in text(app)
        await sees(pilot, "cancel 4: sent … 1 s")
        engine.going.set()
        await sees(pilot, "4 are cancelled")


async def test_a_high_risk_wants_its_words_typed() -> None:
    """Nothing is sent for Enter alone, y, or other words."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live")
        for typed in ("", "y", "cancel 3"):
            app.do(deed(Risk.HIGH))
            await sees(pilot, "type cancel 4 to confirm" if not typed else "Cancel 4 requests?")
            await pilot.press(*typed, "enter")
            await sees(pilot, "cancel cancelled")
        assert engine.posted == []
        app.do(deed(Risk.HIGH))
        await sees(pilot, "Cancel 4 requests?")
        await pilot.press(*"cancel 4", "enter")
        await until(pilot, lambda: paths(engine) == list(IDS))


async def test_a_deed_that_makes_no_sense_any_more_closes_its_box() -> None:
    """The reason is what the status bar says, not that it was cancelled."""
    engine = ConsoleEngine()
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "live")
        app.do(deed(Risk.SOME))
        await sees(pilot, "Cancel 4 requests?")
        engine.world.empty = True
        engine.tick()
        await sees(pilot, "cancel: nothing runs")
        assert engine.posted == []


async def test_what_got_no_answer_may_have_been_done() -> None:
    """A question that went out and was not answered is not told as one that was refused."""
    engine = ConsoleEngine()
    engine.refusals["/api/v1/things/r-3/cancel"] = EngineError("the engine is silent", UNANSWERED)
    engine.tick()
    app = console(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await sees(pilot, "live")
        app.do(deed(Risk.NONE))
        await sees(pilot, "3 of 4 done; r-3: the engine is silent; whether it was done is not known")
