"""Numbers as text: short, of one width, and honest about what is unknown."""

import pytest

from orchestra_tui.present import numbers


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "–"), (0, "0B"), (512 * 1024**2, "512M"), (6_335_076_761, "5.9G"), (1023 * 1024**2, "1.0G"),
     (80 * 1024**3, "80.0G"), (200 * 1024**3, "200G"), (3 * 1024**4, "3.0T")],
)  # fmt: skip
def test_sizes(value: int | None, expected: str) -> None:
    """Bytes in at most five characters; unknown is a dash, never zero."""
    assert numbers.size(value) == expected
    assert len(numbers.size(value)) <= 5


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "–"), (268_098_176, "268M"), (7_240_000_000, "7.2B"), (70_600_000_000, "70.6B")],
)
def test_parameters(value: int | None, expected: str) -> None:
    """How many parameters a model has, in the letters of its own name."""
    assert numbers.parameters(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "–"), (0.0004, "0ms"), (0.012, "12ms"), (0.43, "0.43s"), (12.13, "12.1s"), (125, "2m05s")],
)
def test_latencies(value: float | None, expected: str) -> None:
    """Seconds with as many digits as matter."""
    assert numbers.seconds(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "–"), (0, "0s"), (59.9, "59s"), (61, "1m"), (7300, "2h"), (200_000, "2d"), (-3, "0s")],
)
def test_ages(value: float | None, expected: str) -> None:
    """How long ago, in one unit."""
    assert numbers.age(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(8192, "8K"), (131072, "128K"), (400_000, "400K"), (128_000, "128K"), (0, "–"), (1_048_576, "1M")],
)
def test_contexts(value: int, expected: str) -> None:
    """Context lengths by the unit their maker used."""
    assert numbers.context(value) == expected


def test_large_costs_are_whole_units() -> None:
    """Yen come in ten thousands, and nobody reads 1.2e+04."""
    told = [numbers.cost(each) for each in (None, 0.00123456, 9999.4, 9999.6, 1_234_567.0)]
    assert told == ["–", "0.001235", "9999", "10,000", "1,234,567"]
    assert numbers.cost(12_345.6, at_least=True) == "12,346+"


def test_counts_and_uptime() -> None:
    """Large counts are shortened, durations have two units."""
    assert [numbers.count(each) for each in (9999, 21_920, 4_182_330)] == ["9999", "21.9k", "4.2M"]
    assert [numbers.uptime(each) for each in (48, 125, 9900, 270_000)] == ["48s", "2m 05s", "2h 45m", "3d 3h"]


def test_times_that_cannot_be_read_are_unknown() -> None:
    """A stamp the engine garbled gives no age instead of an error."""
    assert numbers.since("2026-03-02T13:00:05.000Z", "2026-03-02T13:00:00.000Z") == 5.0
    assert numbers.since("2026-03-02T13:00:05Z", "soon") is None
    assert numbers.since("2026-03-02T13:00:05Z", None) is None
