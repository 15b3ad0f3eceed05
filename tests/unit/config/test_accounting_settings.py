"""Currency and time zone in the configuration."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestra_core.config import describe
from tests.unit.config.reading import problems, read


def test_money_is_dollars_and_days_are_those_of_greenwich_by_default(tmp_path: Path) -> None:
    """USD and UTC, also where a machine has no database of time zones."""
    accounting = read(tmp_path).accounting
    assert (accounting.currency, accounting.timezone, accounting.zone) == ("USD", "UTC", UTC)


def test_currency_and_time_zone_are_taken_as_given(tmp_path: Path) -> None:
    """The zone knows its summer time, and `config show` says where both were set."""
    config = read(tmp_path, "[accounting]\ncurrency = 'EUR'\ntimezone = 'Europe/Berlin'")
    assert config.accounting.currency == "EUR"
    summer = datetime(2026, 7, 1, tzinfo=config.accounting.zone)
    assert summer.utcoffset() == timedelta(hours=2)
    shown = {key: (value, source) for key, value, source in describe(config)}
    assert shown["accounting.currency"] == ("EUR", f"{tmp_path / 'ai-orchestra.toml'}:2")
    assert shown["accounting.timezone"][0] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "expected", "nearest"),
    [
        ("currency = 'usd'", "accounting.currency is 'usd'; it must be the ISO 4217 code", "USD"),
        ("currency = 'EURO'", "accounting.currency is 'EURO'; it must be", "EUR"),
        ("currency = '€'", "accounting.currency is '€'; it must be", None),
        ("currency = ['USD']", "accounting.currency is ['USD']; it must be", None),
        ("timezone = 'europe/berlin'", "accounting.timezone is 'europe/berlin'; it must", "Europe/Berlin"),
        ("timezone = 'Europe/Berlín'", "accounting.timezone is 'Europe/Berlín'; it must", "Europe/Berlin"),
        ("timezone = 'New York'", "accounting.timezone is 'New York'; it must be", "America/New_York"),
        (
            "timezone = 'America'",
            "accounting.timezone is 'America'; it must be the IANA name",
            "America/Nuuk",
        ),
        ("timezone = '../../etc/passwd'", "accounting.timezone is '../../etc/passwd'; it must be", None),
        ("timezone = 'right/UTC'", "accounting.timezone is 'right/UTC'; it must be", "Etc/UTC"),
        ("timezone = 1", "accounting.timezone is 1; it must be", None),
        ("curency = 'USD'", "unknown key accounting.curency", "currency"),
    ],
)
def test_an_unknown_currency_or_zone_is_refused_with_the_nearest(
    tmp_path: Path, text: str, expected: str, nearest: str | None
) -> None:
    """One problem with file, line, field, what is allowed, and what was probably meant."""
    told = problems(tmp_path, f"[accounting]\n{text}")
    assert len(told) == 1
    assert told[0].startswith(f"FILE:2: {expected}")
    assert ("did you mean" in told[0]) is (nearest is not None)
    assert nearest is None or f'did you mean "{nearest}"?' in told[0]


BACKEND = "[[backends]]\nname = 'a'\nkind = '{}'\nurl = 'http://127.0.0.1:1'\n"


def test_what_our_own_machines_cost_is_taken_as_given(tmp_path: Path) -> None:
    """By the hour, by the energy, and by the token."""
    text = BACKEND.format("ollama") + "cost_per_hour = 0.5\nwatts = 350\n"
    more = "[models.m]\ncost_per_million_cached = 0.1\n[accounting]\nprice_per_kwh = 0.3\n"
    config = read(tmp_path, text + more)
    assert (config.backends[0].cost_per_hour, config.backends[0].watts) == (0.5, 350.0)
    assert (config.models["m"].cost_per_million_cached, config.accounting.price_per_kwh) == (0.1, 0.3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[accounting]\nprice_per_kwh = -0.1", "accounting.price_per_kwh is -0.1; it must be a number of at"),
        ("[accounting]\nusd_rate = 0", "accounting.usd_rate is 0; it must be a number above 0"),
        ("[accounting]\nusd_rate = 0.9", "accounting.usd_rate is 0.9 and accounting.currency is USD"),
        ("[models.m]\ncost_per_million_cached = -1", "models.m.cost_per_million_cached is -1; it must be"),
        (BACKEND.format("ollama") + "watts = -1", "backends[0].watts is -1; it must be a number of at least"),
        (BACKEND.format("ollama") + "cost_per_hour = 'x'", "backends[0].cost_per_hour is 'x'; it must be"),
    ],
)
def test_a_price_that_cannot_be_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """Negative ones, none, and a dollar that does not cost a dollar."""
    (told,) = problems(tmp_path, text)
    assert told.partition(": ")[2].startswith(expected)


@pytest.mark.parametrize(
    ("kind", "money", "noted"),
    [
        ("openai", "currency = 'EUR'", True),
        ("openai", "currency = 'EUR'\nusd_rate = 0.9", False),
        ("openai", "currency = 'USD'\nusd_rate = 1", False),
        ("ollama", "currency = 'EUR'", False),
    ],
)
def test_prices_that_cannot_be_converted_are_noted(
    tmp_path: Path, kind: str, money: str, noted: bool
) -> None:
    """Published prices are in US dollars; who has hosted models and counts in something else is told."""
    config = read(tmp_path, f"{BACKEND.format(kind)}[accounting]\n{money}")
    assert any("accounting.usd_rate is not set" in note for note in config.notes) is noted


def test_the_prices_of_the_readme_are_a_configuration(tmp_path: Path) -> None:
    """Its example is accepted as it stands, with nothing to note."""
    readme = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    example = readme.partition("## Prices\n")[2].partition("```toml\n")[2].partition("```")[0]
    config = read(tmp_path, example)
    assert (config.accounting.usd_rate, config.accounting.compare_with) == (0.92, "openai/gpt-5")
    assert (config.backends[0].watts, config.models["gpt-5-mini"].cost_per_million_cached) == (350.0, 0.025)
    assert config.notes == ()
