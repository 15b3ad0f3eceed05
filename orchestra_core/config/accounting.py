"""What money and days are: the settings of `[accounting]`."""

import difflib
import re
from collections.abc import Collection
from datetime import UTC, tzinfo

import msgspec

from orchestra_core.config.fields import Field

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
    """`currency` is the ISO 4217 code of every price and cost, `timezone` the IANA name of whose days are counted."""

    currency: str = "USD"
    timezone: str = "UTC"

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
    except (KeyError, OSError) as error:  # a directory, as in "America", is an OSError
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
    """People err in case and in a letter or two; where the last part is right it is the place that was meant."""
    if not isinstance(value, str):
        return ""
    folded = {name.casefold(): name for name in sorted(names)}
    places = {name.rpartition("/")[2].casefold(): name for name in sorted(names, reverse=True)}
    asked = value.casefold().strip().replace(" ", "_")
    place = places.get(asked.rpartition("/")[2])
    close = difflib.get_close_matches(asked, folded, n=1, cutoff=0.6)
    found = folded.get(asked) or place or (folded[close[0]] if close else None)
    return f'; did you mean "{found}"?' if found else ""


CURRENCY = Field(_currency, 'the ISO 4217 code of a currency, such as "USD" or "EUR"', _near_currency)
TIMEZONE = Field(_timezone, 'the IANA name of a time zone, such as "UTC" or "Europe/Berlin"', _near_zone)
ACCOUNTING: dict[str, Field] = {"currency": CURRENCY, "timezone": TIMEZONE}
