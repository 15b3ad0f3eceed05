"""Curves, their numbers, and rows of them: nothing invented, one scale, one unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from orchestra_core.domain.snapshot import Throughput
from orchestra_tui.present import throughput
from orchestra_tui.present.curves import Chart, Curve, ceiling, figures, highest, spark, table, thinned, tick
from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import plain, width
from orchestra_tui.widgets.curves import TALLEST, drawn
from orchestra_tui.widgets.figure import fetch
from orchestra_tui.widgets.plot import PlotPane
from tests.fakes.fake_engine import World
from tests.fakes.series_views import series_view

VALUES = st.lists(st.none() | st.floats(0, 1e6), max_size=400)


def test_what_nobody_knows_is_a_gap_and_no_zero() -> None:
    """Blank in the sparkline, a dash in the numbers."""
    assert spark((None, 0.0, 10.0, None), 4, 10.0, UNICODE) == " ▁█ "
    assert spark((), 4, 10.0, UNICODE) == "    "
    assert figures((None, 2.0, 4.0, None)) == (None, 2.0, 3.0, 4.0)
    assert figures((None,)) == (None, None, None, None)


def test_a_sparkline_covers_all_of_the_time_in_its_cells() -> None:
    """Fewer values than cells are stretched, more are put together: two rows of different steps stay aligned."""
    fine = tuple(float(place >= 150) for place in range(300))
    coarse = tuple(float(place >= 15) for place in range(30))
    assert spark(fine, 20, 1.0, UNICODE) == spark(coarse, 20, 1.0, UNICODE) == "▁" * 10 + "█" * 10
    assert spark((0.0, 1.0), 6, 1.0, ASCII) == "___###"
    assert spark((0.0,) * 99 + (1.0,), 10, 1.0, UNICODE, worst=True)[-1] == "█"


@given(VALUES, st.integers(1, 120), st.booleans())
def test_thinning_keeps_what_is_worst_or_the_mean(
    values: list[float | None], points: int, worst: bool
) -> None:
    """Never more than asked for; of what is known nothing above or below is invented."""
    found = thinned(values, points, worst=worst)
    known = [value for value in values if value is not None]
    assert len(found) <= points
    for value in found:
        assert value is None or min(known) - 1e-6 <= value <= max(known) + 1e-6
    if values and worst and len(values) % (-(-len(values) // points)) == 0:
        assert max((one for one in found if one is not None), default=None) == max(known, default=None)


@given(st.floats(1e-6, 1e9))
def test_a_scale_ends_just_above_what_it_shows(value: float) -> None:
    """Not below it, and not twice as high."""
    top = ceiling(value)
    assert value <= top * (1 + 1e-9)
    assert top <= value * 2.0 + 1e-12 or top <= 1e-6


def test_ticks_are_short() -> None:
    """As people write them."""
    assert [tick(each, "seconds", UNICODE) for each in (0.0, 0.4, 6.0)] == ["0s", "400ms", "6s"]
    assert [tick(each, "rate", UNICODE) for each in (0.0, 1.5, 20.0)] == ["0", "1.5", "20"]


def test_the_table_of_a_chart_says_when_it_was_highest() -> None:
    """Now, least, mean, most; the time of day of the stretch, and a dash where there was nothing."""
    curves = (Curve("p50", (1.0, 9.0, 2.0)), Curve("p95", (None, None, None)))
    chart = Chart("latency", "Latency", "seconds", curves, 10.0, 300.0, "2026-11-23T10:00:30.000Z")
    rows = [plain(row) for row in table(chart, UNICODE)]
    assert rows[1].split() == ["p50", "2.00s", "1.00s", "4.00s", "9.00s", "10:00:10"]
    assert rows[2].split() == ["p95", "–", "–", "–", "–", "–"]
    assert highest(replace(chart, until="nonsense"), curves[0]) == ""


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("size", [(40, 8), (58, 10), (196, 16)])
def test_a_drawn_chart_fits_and_has_its_tones(size: tuple[int, int], glyphs: object) -> None:
    """As wide and as high as asked for, each curve in its tone, crosses for failures, the time below."""
    assert glyphs in (UNICODE, ASCII)
    signs = ASCII if glyphs is ASCII else UNICODE
    assert size[1] <= TALLEST
    requests, *_, latency, _, _ = throughput.charts(series_view("5m"))
    for chart, tones in ((requests, {"accent", "bad"}), (latency, {"code", "accent", "warn"})):
        rows = drawn(chart, *size, signs)
        assert len(rows) == size[1]
        assert all(width(row) <= size[0] for row in rows)
        assert {span.tone for row in rows for span in row} >= tones
        assert "now" in plain(rows[-1])
        if signs is ASCII:
            assert all(plain(row).isascii() for row in rows)


def test_a_chart_of_nothing_has_its_axes() -> None:
    """Before a first stretch has ended there is nothing to draw, and it does not break."""
    empty = Chart("requests", "Requests", "rate", (Curve("req/s", ()),), 1.0, 60.0, "", Curve("failed/s", ()))
    assert "now" in plain(drawn(empty, 60, 8, UNICODE)[-1])


@pytest.mark.parametrize("cells", [58, 78, 118, 196])
def test_rows_fit_and_their_columns_line_up(cells: int) -> None:
    """All numbers end in the same cell, whatever the width."""
    view = series_view("1h")
    for header, rows in (
        throughput.metrics(throughput.charts(view), cells, UNICODE),
        throughput.parts(view, cells, UNICODE),
    ):
        assert rows
        assert {width(row) for _, row in rows} == {width(header)}
        assert width(header) <= cells


def test_one_row_alone_has_all_charts() -> None:
    """In the resolution that rows have; of one that is gone there are none."""
    view = series_view("5m")
    charts = throughput.charts(view, "gpt-5-mini")
    assert [chart.key for chart in charts] == list(throughput.KEYS)
    assert {chart.step for chart in charts} == {10}
    assert charts[0].curves[0].values == tuple(
        each / 10 for each in view.rows[2].requests if each is not None
    )
    assert throughput.charts(view, "nobody") == ()


def test_rates_are_per_second_and_cost_per_hour() -> None:
    """Whatever the length of a stretch."""
    view = series_view("6h")
    requests, tokens, *_, cost = throughput.charts(view)
    first, money = view.whole.requests[1], view.whole.cost[1]
    assert first is not None
    assert money is not None
    assert requests.curves[0].values[1] == pytest.approx(first / 60)
    assert tokens.curves[0].values[1] == pytest.approx(110 * first / 60)
    assert cost.curves[0].values[1] == pytest.approx(money * 60)
    assert cost.curves[0].values[0] is None


def test_a_young_engine_says_that_this_is_all_there_is() -> None:
    """And its axis is as long as its life."""
    view = replace(series_view("24h"), since="2026-11-22T20:00:30.000Z", step=10)
    told = plain(throughput.windows(view, "24h", "model", "", 118, UNICODE))
    assert "all there is: 15m 00s  since the engine started" in told
    assert throughput.charts(view)[0].seconds == 900.0
    old = plain(throughput.windows(series_view("5m"), "5m", "model", "", 118, UNICODE))
    assert "all there is" not in old


def test_the_plot_is_drawn_anew_with_other_signs() -> None:
    """Also where nothing has happened since: signs of the kind before would be question marks."""
    fetch()
    pane = PlotPane(lambda *_: [], lambda *_: (), lambda: 0.0, id="traffic")
    snapshot = World().snapshot()
    assert "█" in "".join(plain(row) for row in pane._all(Picture(snapshot), 60, 12))
    assert "".join(plain(row) for row in pane._all(Picture(snapshot, glyphs=ASCII), 60, 12)).isascii()


def test_the_plot_shows_no_second_of_which_nothing_is_known() -> None:
    """An engine that was asked nothing yet has axes; seconds without a request have a line at zero."""
    fetch()

    def bars(requests: tuple[int, ...]) -> int:
        pane = PlotPane(lambda *_: [], lambda *_: (), lambda: 0.0, id="traffic")
        snapshot = replace(World().snapshot(), throughput=Throughput(requests=requests))
        return "".join(plain(row) for row in pane._all(Picture(snapshot), 60, 12)).count("▄")

    assert bars(()) == 0
    assert bars((0,) * 30) > 20
