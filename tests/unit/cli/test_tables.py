"""Tables fit their width where they can, and numbers say no zero for what nobody knows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.cli.figures import ago, bound, cost, count, duration, percent, points
from orchestra_core.cli.tables import fitted

words = st.integers(0, 60).map(lambda length: "x" * length)
numbers = st.integers(0, 10**6).map(str)


@given(st.lists(st.tuples(words, words, numbers, numbers), max_size=8))
def test_a_table_fits_its_width(rows: list[tuple[str, ...]]) -> None:
    """Names give way, the widest first; numbers are whole and end where their column ends."""
    lines = fitted(("NAME", "OTHER", "N", "M"), rows, 2)
    assert all(len("  ".join(line)) <= 80 for line in lines)
    assert len({len("  ".join(line)) for line in lines}) == 1
    assert [line[2:] for line in lines[1:]] == [
        tuple(cell.rjust(len(lines[0][at])) for at, cell in enumerate(row[2:], 2)) for row in rows
    ]


def test_a_cut_name_keeps_both_its_ends() -> None:
    """And what must stay whole does."""
    (_, row) = fitted(("ID", "NAME", "N"), [("x" * 22, "sim-llama-3.3-70b-instruct", "5")], 2, 1, 40)
    assert row == ("x" * 22, "sim-ll…struct"[:13], "5")
    assert len("  ".join(row)) == 40


def test_what_a_terminal_would_obey_is_measured_as_it_is_shown() -> None:
    """Names come from elsewhere: the column is as wide as the harmless spelling."""
    (head, row) = fitted(("NAME", "N"), [("a\x1b[2Jb", "1")], 1)
    assert "\x1b" not in row[0]
    assert len(head[0]) == len(row[0])


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (count(None), "-"),
        (count(0), "0"),
        (count(9999), "9999"),
        (count(12_345), "12.3k"),
        (count(999_949), "1000k"),
        (count(4_500_000), "4.5M"),
        (count(7.5e12), "7500G"),
        (cost(None), "-"),
        (cost(None, 3), "-"),
        (cost(0.0), "0"),
        (cost(1.23456, 2), "1.235+"),
        (cost(12_345.6, 2), "12,346+"),
        (percent(None), "-"),
        (percent(0.1234), "12.3"),
        (duration(None), "-"),
        (duration(0.0123), "0.012"),
        (duration(1.234), "1.23"),
        (duration(123.4), "123"),
        (bound(None), "-"),
        (bound({"above": 1.0, "at_most": 1.19}), "1.19"),
        (bound({"above": 1048.0, "at_most": None}), ">1048"),
        (points(-0.001), "0.00"),
        (points(-0.5), "-0.50"),
        (ago("2026-11-23T08:00:00.000Z", "2026-11-23T08:01:59.000Z"), "119s"),
        (ago("2026-11-23T08:00:00.000Z", "2026-11-23T08:02:00.000Z"), "2m"),
        (ago("2026-11-23T06:00:00.000Z", "2026-11-23T09:30:00.000Z"), "3h"),
        (ago("2026-11-20T08:00:00.000Z", "2026-11-23T08:00:00.000Z"), "3d"),
        (ago("2026-11-23T08:00:01.000Z", "2026-11-23T08:00:00.000Z"), "0s"),
    ],
)
def test_numbers_are_short_and_unknown_is_a_dash(shown: str, told: str) -> None:
    """One spelling for each kind of number."""
    assert shown == told
