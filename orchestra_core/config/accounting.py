"""What money and days are: the settings of `[accounting]`."""

import difflib
import re
from collections.abc import Collection, Mapping
from datetime import UTC, tzinfo
from typing import Any

import msgspec

from orchestra_core.config.fields import TEXT, Field, number
from orchestra_core.domain.catalog import BackendKind

# ISO 4217, the list of active codes of 2025, without metals, funds, units of account and test codes.
CURRENCIES = frozenset(
    [
        "AED",
        "AFN",
        "ALL",
        "AMD",
        "AOA",
        "ARS",
        "AUD",
        "AWG",
        "AZN",
        "BAM",
        "BBD",
        "BDT",
        "BHD",
        "BIF",
        "BMD",
        "BND",
        "BOB",
        "BRL",
        "BSD",
        "BTN",
        "BWP",
        "BYN",
        "BZD",
        "CAD",
        "CDF",
        "CHF",
        "CLP",
        "CNY",
        "COP",
        "CRC",
        "CUP",
        "CVE",
        "CZK",
        "DJF",
        "DKK",
        "DOP",
        "DZD",
        "EGP",
        "ERN",
        "ETB",
        "EUR",
        "FJD",
        "FKP",
        "GBP",
        "GEL",
        "GHS",
        "GIP",
        "GMD",
        "GNF",
        "GTQ",
        "GYD",
        "HKD",
        "HNL",
        "HTG",
        "HUF",
        "IDR",
        "ILS",
        "INR",
        "IQD",
        "IRR",
        "ISK",
        "JMD",
        "JOD",
        "JPY",
        "KES",
        "KGS",
        "KHR",
        "KMF",
        "KPW",
        "KRW",
        "KWD",
        "KYD",
        "KZT",
        "LAK",
        "LBP",
        "LKR",
        "LRD",
        "LSL",
        "LYD",
        "MAD",
        "MDL",
        "MGA",
        "MKD",
        "MMK",
        "MNT",
        "MOP",
        "MRU",
        "MUR",
        "MVR",
        "MWK",
        "MXN",
        "MYR",
        "MZN",
        "NAD",
        "NGN",
        "NIO",
        "NOK",
        "NPR",
        "NZD",
        "OMR",
        "PAB",
        "PEN",
        "PGK",
        "PHP",
        "PKR",
        "PLN",
        "PYG",
        "QAR",
        "RON",
        "RSD",
        "RUB",
        "RWF",
        "SAR",
        "SBD",
        "SCR",
        "SDG",
        "SEK",
        "SGD",
        "SHP",
        "SLE",
        "SOS",
        "SRD",
        "SSP",
        "STN",
        "SVC",
        "SYP",
        "SZL",
        "THB",
        "TJS",
        "TMT",
        "TND",
        "TOP",
        "TRY",
        "TTD",
        "TWD",
        "TZS",
        "UAH",
        "UGX",
        "USD",
        "UYU",
        "UZS",
        "VED",
        "VES",
        "VND",
        "VUV",
        "WST",
        "XAF",
        "XCD",
        "XCG",
        "XOF",
        "XPF",
        "YER",
        "ZAR",
        "ZMW",
        "ZWG",
    ]
)
# What is beside the zones in their directory is written small (zone.tab, right/…, localtime).
_ZONE = re.compile(r"[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")


class AccountingSettings(msgspec.Struct, frozen=True):
    """`currency` is the ISO 4217 code of every price and cost, `timezone` the IANA name of whose days are counted.

    `price_per_kwh` is that of the energy our own machines use. `usd_rate` is what a US dollar costs in `currency`, None
    where nobody said: published prices are in US dollars. `compare_with` is the model that costs are compared with in
    place of the best one: one that is served, one with configured prices, or `provider/model` of the published list.
    """

    currency: str = "USD"
    timezone: str = "UTC"
    price_per_kwh: float = 0.0
    usd_rate: float | None = None
    compare_with: str | None = None

    @property
    def zone(self) -> tzinfo:
        return zone(self.timezone)


def zone(name: str) -> tzinfo:
    """The time zone of this name; ValueError where there is none. UTC is there also without a database of zones."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415  costs the start of every command, and UTC is the default

    if not _ZONE.fullmatch(name):
        raise ValueError(name)
    try:
        return ZoneInfo(name)
    except (KeyError, OSError) as error:  # a directory, as in "America", is one or the other
        raise ValueError(name) from error


def _currency(value: object) -> str:
    if not isinstance(value, str) or value not in CURRENCIES:
        raise ValueError
    return value


def _timezone(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    zone(value)
    return value


def _zones() -> Collection[str]:
    from zoneinfo import available_timezones  # noqa: PLC0415  reads every file of the database

    return available_timezones()


def _near_currency(value: object) -> str:
    return _did_you_mean(value, CURRENCIES)


def _near_zone(value: object) -> str:
    zones = _zones()
    return _did_you_mean(value, zones) if zones else "; this machine knows no time zones: pip install tzdata"


def _did_you_mean(value: object, names: Collection[str]) -> str:
    """People err in case and in a letter or two."""
    if not isinstance(value, str):
        return ""
    folded = {name.casefold(): name for name in sorted(names)}
    asked = value.casefold().strip().replace(" ", "_")
    close = difflib.get_close_matches(asked, folded, n=1, cutoff=0.6)
    return f'; did you mean "{folded[close[0]]}"?' if close else ""


CURRENCY = Field(_currency, 'the ISO 4217 code of a currency, such as "USD" or "EUR"', _near_currency)
TIMEZONE = Field(_timezone, 'the IANA name of a time zone, such as "UTC" or "Europe/Berlin"', _near_zone)
ACCOUNTING: dict[str, Field] = {
    "currency": CURRENCY,
    "timezone": TIMEZONE,
    "price_per_kwh": number(0),
    "usd_rate": number(0, above=True),
    "compare_with": TEXT,
}


def read_accounting(
    values: Mapping[str, Any], sources: Mapping[str, str], problems: list[str]
) -> AccountingSettings:
    """From the values of the table by the names of its keys; `sources` by dotted name."""
    accounting = AccountingSettings(**values)
    if accounting.currency == "USD" and accounting.usd_rate not in (None, 1):
        problems.append(
            f"{sources['accounting.usd_rate']}: accounting.usd_rate is {accounting.usd_rate:.12g} and "
            "accounting.currency is USD: a US dollar costs 1 of it"
        )
    return accounting


def rate_missing(accounting: AccountingSettings, backends: Collection[BackendKind]) -> list[str]:
    """A sentence for whoever would wonder why hosted models have no price."""
    if accounting.currency == "USD" or accounting.usd_rate is not None or BackendKind.OPENAI not in backends:
        return []
    return [
        f"accounting.currency is {accounting.currency} and accounting.usd_rate is not set: the published prices of "
        "hosted models are in US dollars and stay unknown"
    ]
