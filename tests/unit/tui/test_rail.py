"""What stands at the right of a wide terminal."""

import msgspec

from orchestra_core.domain.budgets import BudgetView
from orchestra_tui.present import rail
from orchestra_tui.present.glyphs import ASCII
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import Line, plain, width
from tests.fakes.fake_engine import World

SNAPSHOT = World().snapshot()


def budget(name: str, used: float, left: float) -> BudgetView:
    return BudgetView(
        name,
        "everything",
        "month",
        "hard",
        "degrade",
        "USD",
        50.0,
        0.0,
        50.0 * used,
        left,
        "",
        "",
        0.0,
        used,
        0.5,
    )


def words(lines: list[Line]) -> str:
    return "\n".join(plain(each) for each in lines)


def test_alerts_are_told_with_their_numbers_where_there_is_room() -> None:
    """Firing first; without room for the numbers the names stay."""
    tall, short = rail.alerts(Picture(SNAPSHOT), 50, 20), rail.alerts(Picture(SNAPSHOT), 50, 5)
    assert "memory:host" in words(tall[:1])
    assert "71% of 16.0 GiB used" in words(tall[1:2])
    assert len(short) == 5
    assert "71% of" not in words(short)
    assert all(width(each) <= 50 for each in (*tall, *short))


def test_no_alert_and_no_budget_are_words() -> None:
    """Nothing is said to be nothing; before there is data nothing is said."""
    quiet = Picture(msgspec.structs.replace(SNAPSHOT, alerts=(), budgets=()))
    assert "nothing fires" in words(rail.alerts(quiet, 50, 9))
    assert "no budget is set" in words(rail.budgets(quiet, 50, 9))
    assert rail.alerts(Picture(), 50, 9) == rail.budgets(Picture(), 50, 9) == []


def test_budgets_say_what_is_left_the_fullest_first() -> None:
    """Share, bar, and what is left or too much; a bar never leaves its place."""
    views = (
        budget("a-name-that-is-much-too-long-for-it", 0.2, 40.0),
        budget("over", 1.7, 0.0),
        budget("new", 0, 50),
    )
    snapshot = msgspec.structs.replace(SNAPSHOT, budgets=views)
    drawn = rail.budgets(Picture(snapshot), 50, 9)
    assert [plain(each).split()[0][:5] for each in drawn] == ["over", "a-nam", "new"]
    assert "170%    35.00 over" in plain(drawn[0])
    assert "20%    40.00 left" in plain(drawn[1])
    assert {width(each) for each in drawn} == {50}
    assert words(rail.budgets(Picture(snapshot, glyphs=ASCII), 50, 9)).replace("…", "").isascii()
