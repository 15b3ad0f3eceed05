"""Budgets as rows: the bar, where spending leads, and what is not known; and what is asked before another limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from orchestra_core.domain.budgets import BudgetView
from orchestra_tui.present import budgets
from orchestra_tui.present.commands import candidates, parse
from orchestra_tui.present.deeds.budget import reset_limit, set_limit
from orchestra_tui.present.deeds.deed import Question, Refusal, Risk
from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import plain, width
from orchestra_tui.present.spending import spending, summary
from orchestra_tui.present.usage import Figures, Report, below
from orchestra_tui.present.verbs.verb import Command, Mistake
from tests.fakes.budget_views import BUDGETS, view
from tests.fakes.fake_engine import World
from tests.fakes.series_views import series_view

SNAPSHOT = replace(World().snapshot(), budgets=BUDGETS)
PICTURE = Picture(snapshot=SNAPSHOT)


def test_the_forecast_goes_on_at_the_pace_so_far() -> None:
    """What is spent at the end of the period, and when the limit is, if before that."""
    slow = budgets.forecast(view("a", 50.0, 10.0))
    assert (slow.spent, slow.runs_out) == (40.0, None)
    fast = budgets.forecast(view("b", 50.0, 25.0))
    assert fast.spent == 100.0
    # A quarter of thirty days spent half of it: the other half lasts as long again.
    assert fast.runs_out == pytest.approx(7.5 * 86_400)
    assert budgets.forecast(view("c", 5.0, 6.0)).runs_out == 0.0


def test_what_was_spent_lately_may_end_it_sooner() -> None:
    """Of everything and of one model, which the engine knows by the minute; of a task or key it does not."""
    last = series_view("15m")
    whole = view("a", 50.0, 1.0)
    pace = budgets.lately(whole, last)
    assert pace == pytest.approx(sum(filter(None, last.whole.cost)) / 900)
    assert budgets.forecast(whole).runs_out is None
    assert budgets.forecast(whole, pace * 1000).runs_out == pytest.approx(49.0 / (pace * 1000))
    assert budgets.forecast(view("b", 50.0, 1.0, elapsed=0.001), 1.0).runs_out == pytest.approx(49.0)
    assert budgets.lately(replace(whole, model="gpt-5-mini"), last) == pytest.approx(
        sum(filter(None, last.rows[2].cost)) / 900
    )
    for unknown in (replace(whole, task="vision"), replace(whole, key="ann"), replace(whole, model="gone")):
        assert budgets.lately(unknown, last) is None
    told = budgets.recently(replace(whole, limit=1.005), SNAPSHOT.now, UNICODE, last)
    assert "an hour in the last 15m 00s: at that pace the limit is spent in " in told


@pytest.mark.parametrize("given", [{"known": False}, {"elapsed": 0.005}])
def test_what_nobody_can_tell_is_not_told(given: dict[str, object]) -> None:
    """Neither before it is read what was spent, nor when the period has only begun."""
    found = view("a", 50.0, 10.0, **given)
    assert budgets.forecast(found) == budgets.Forecast()
    assert "not known yet" in budgets.sentence(found, SNAPSHOT.now, UNICODE)
    _, ((_, row),) = budgets.table([found], 120, UNICODE)
    assert "–" in plain(row)


def test_requests_of_unknown_price_make_it_a_lower_bound() -> None:
    """A plus says so, of what is spent and of what will be."""
    _, rows = budgets.table(BUDGETS, 120, UNICODE)
    cloud = plain(rows[1][1])
    assert "18.20+" in cloud
    assert "72.80+" in cloud


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6), st.integers(1, 60))
def test_the_bar_has_its_width_and_shows_the_slightest(
    limit: float, settled: float, reserved: float, cells: int
) -> None:
    """Whatever is spent or reserved has at least one cell, and all together never more than there are."""
    drawn = budgets.bar(view("a", limit, settled, reserved), cells, UNICODE)
    assert width(drawn) == cells
    bare = budgets.bar(view("a", limit, settled, reserved, thresholds=()), cells, UNICODE)
    if settled:
        assert plain(bare).startswith("█")
    if reserved and limit and settled < limit * (cells - 1) / cells and cells > 1:
        assert "▓" in plain(bare)


@pytest.mark.parametrize("cells", [58, 60, 78, 80, 98, 118, 198])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_rows_fit_with_their_state(cells: int, glyphs: object) -> None:
    """The word for the state is there at every width, the limit an operator set has its sign."""
    signs = ASCII if glyphs is ASCII else UNICODE
    header, rows = budgets.table(BUDGETS, cells, signs)
    words = [plain(row).split()[-1] for _, row in rows]
    assert words == ["ok", "fast", "spent", "ok", "unread"]
    assert all(width(row) <= cells for row in (header, *(row for _, row in rows)))
    assert "50.00*" in plain(rows[0][1])
    if signs is ASCII:
        assert all(plain(row).isascii() for _, row in rows)


def test_the_details_say_all_of_it() -> None:
    """What is configured, what is left out, and what to do."""
    told = "\n".join(plain(row) for row in budgets.detail(BUDGETS[1], SNAPSHOT.now, 78, UNICODE))
    assert "3 requests of unknown price" in told
    assert "is spent in 17h 48m, about" in " ".join(told.split())
    mine = "\n".join(plain(row) for row in budgets.detail(BUDGETS[0], SNAPSHOT.now, 78, UNICODE))
    assert "an operator set it, configured is 40.00" in mine
    soft = "\n".join(plain(row) for row in budgets.detail(BUDGETS[3], SNAPSHOT.now, 78, UNICODE))
    assert "cost weighs 1.2 times as much" in soft


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.00001, "1.0e-05"),
        (0.0012, "0.0012"),
        (0.5, "0.50"),
        (0.99996, "1.00"),
        (12.5, "12.50"),
        (12_345.6, "12,346"),
    ],
)
def test_money_is_short(amount: float | None, text: str) -> None:
    """To what tells something at its size."""
    assert budgets.money(amount, UNICODE) == text


# -- another limit -------------------------------------------------------------------------------------


def asked(name: str, limit: float, *found: BudgetView) -> Question | Refusal:
    snapshot = replace(SNAPSHOT, budgets=found or BUDGETS)
    return set_limit(name, limit).asked(Picture(snapshot=snapshot))


def test_much_follows_from_it_and_the_name_must_be_typed() -> None:
    """Where nothing new passes afterwards, and where more than twice as much may be spent."""
    for limit, words in ((9.0, "nothing new that costs money passes"), (101.0, "more than twice as much")):
        question = asked("team", limit)
        assert isinstance(question, Question)
        assert (question.risk, question.typed) == (Risk.HIGH, "team")
        assert any(words in fact[1] for fact in question.facts)
    question = asked("team", 60.0)
    assert isinstance(question, Question)
    assert (question.risk, question.typed) == (Risk.SOME, "")
    soft = asked("wish", 60.0)
    assert isinstance(soft, Question)
    assert soft.risk is Risk.SOME


def test_what_changes_nothing_or_is_not_there_is_refused() -> None:
    """With the reason; also where the configured limit is in effect already."""
    assert isinstance(asked("team", 50.0), Refusal)
    assert isinstance(asked("gone", 50.0), Refusal)
    assert isinstance(reset_limit("cloud").asked(PICTURE), Refusal)
    assert isinstance(reset_limit("team").asked(PICTURE), Question)


def test_the_calls_are_those_of_the_engine() -> None:
    """By the name, whatever is in it."""
    (call,) = set_limit("my team/a", 12.5).calls
    assert (call.path, call.body) == ("/api/v1/budgets/my%20team%2Fa", {"limit": 12.5})
    (call,) = reset_limit("team").calls
    assert (call.path, call.body) == ("/api/v1/budgets/team/reset", {})


@pytest.mark.parametrize(
    ("text", "path", "body"),
    [
        ("budget set team 42.5", "/api/v1/budgets/team", {"limit": 42.5}),
        ("budget set team 1,250", "/api/v1/budgets/team", {"limit": 1250.0}),
        ("budget reset team", "/api/v1/budgets/team/reset", {}),
    ],
)
def test_the_command_makes_the_deed(text: str, path: str, body: dict[str, object]) -> None:
    """Completed from the names there are."""
    meant = parse(text, SNAPSHOT)
    assert isinstance(meant, Command)
    assert meant.deed is not None
    (call,) = meant.deed(PICTURE).calls
    assert (call.path, call.body) == (path, body)
    assert candidates("budget set te", SNAPSHOT) == ["budget set team "]


WRONG = (
    "",
    "set",
    "set team",
    "set team much",
    "set team -1",
    "set team inf",
    "set gone 5",
    "reset",
    "drop team",
)


@pytest.mark.parametrize("rest", WRONG)
def test_a_wrong_line_says_what_is_wrong(rest: str) -> None:
    """And makes no deed."""
    assert isinstance(parse(f"budget {rest}", SNAPSHOT), Mistake)


# -- spending, usage -----------------------------------------------------------------------------------


def days(*rows: Figures, until: str | None = "2026-11-23") -> Report:
    return Report(("day",), rows, currency="EUR", until=until)


def test_today_and_this_month_are_sums_of_days() -> None:
    """Of the engine's own days; unknown where of no request the cost is known, nothing where nothing was asked."""
    rows = (
        Figures(day="2026-10-31", requests=9, cost=100.0),
        Figures(day="2026-11-01", requests=9, cost=2.0, cost_unknown_requests=1),
        Figures(day="2026-11-23", requests=2, cost=0.5),
    )
    found = spending(days(*rows), None)
    assert found is not None
    assert (found.today, found.month, found.unknown_month, found.an_hour) == (0.5, 2.5, 1, None)
    assert plain(summary(found, 118, UNICODE)).startswith(
        " today 0.50  this month 2.50+  an hour, now –  EUR"
    )
    assert "1 request has no known price" in plain(summary(found, 118, UNICODE))
    quiet = spending(days(rows[0]), None)
    assert quiet is not None
    assert (quiet.today, quiet.month) == (0.0, 0.0)
    blind = spending(days(Figures(day="2026-11-23", requests=3, cost_unknown_requests=3)), None)
    assert blind is not None
    assert blind.today is None
    assert spending(days(*rows, until=None), None) is None


def test_the_burn_rate_is_of_what_was_measured_last() -> None:
    """Known cost an hour over the stretch there is."""
    last = series_view("15m")
    found = spending(days(), last)
    assert found is not None
    assert found.seconds == 900.0
    assert found.an_hour == pytest.approx(4 * sum(filter(None, last.whole.cost)))
    assert found.unknown_now > 0


@pytest.mark.parametrize(("number", "words"), [(1, "1 request, "), (2, "2 requests, ")])
def test_one_request_is_one_request(number: int, words: str) -> None:
    """Not "1 requests"."""
    report = Report(totals=Figures(requests=number), currency="USD")
    assert plain(below(report, 100, UNICODE)[0]).strip().startswith(words)
