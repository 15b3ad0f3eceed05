"""Questions to the ledger: what they may say, and that anything else is refused with what is allowed."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from orchestra_core.accounting.listing import Place, Wanted, spell
from orchestra_core.accounting.usage import By, UsageQuery
from orchestra_core.domain.errors import InvalidRequest
from orchestra_core.server.questions import read_listing, read_usage

NOW = datetime(2026, 11, 23, 0, 30, tzinfo=ZoneInfo("Europe/Berlin"))
TODAY = date(2026, 11, 23).toordinal()


def test_without_anything_usage_is_by_model_and_of_ever() -> None:
    """The usual question is the shortest."""
    assert read_usage({}, NOW) == (UsageQuery((By.MODEL,)), 200)


@pytest.mark.parametrize(
    ("since", "day"),
    [
        ("today", TODAY),
        ("yesterday", TODAY - 1),
        ("1d", TODAY),
        ("7d", TODAY - 6),
        ("2026-11-01", TODAY - 22),
    ],
)
def test_days_are_those_of_the_configured_zone(since: str, day: int) -> None:
    """It is the 23rd in Berlin already; the last seven days have today among them."""
    assert read_usage({"since": since, "until": "today"}, NOW)[0] == UsageQuery((By.MODEL,), day, TODAY)


def test_filters_and_pairs_that_were_summed_together() -> None:
    """What is grouped by and filtered by goes together where it was summed together; the day always."""
    query, limit = read_usage({"by": "day,model", "key": "k1", "limit": "7"}, NOW)
    assert query == UsageQuery((By.DAY, By.MODEL), where={By.KEY: "k1"})
    assert limit == 7
    assert read_usage({"by": "model", "task": "code"}, NOW)[0].where == {By.TASK: "code_generation"}


@pytest.mark.parametrize(
    ("arguments", "param", "says"),
    [
        ({"by": "colour"}, "by", "allowed: model, task, key, backend, day"),
        ({"by": ""}, "by", "allowed: model"),
        ({"by": "tier_asked"}, "by", "allowed: model"),
        ({"by": "model,model"}, "by", "twice"),
        ({"by": "backend,key"}, "by", "not summed by backend and key together; what goes together"),
        (
            {"by": "model", "key": "k", "backend": "b"},
            "by",
            "backend with model, key with model, key with task",
        ),
        ({"colour": "red"}, "colour", "allowed: by, since, until, model, task, key, backend, limit"),
        ({"since": "24h"}, "since", "7d for the last seven"),
        ({"since": "0d"}, "since", "is a day"),
        ({"since": "99999d"}, "since", "is a day"),
        ({"since": "2026-02-30"}, "since", "is a day"),
        ({"since": "20261101"}, "since", "is a day"),
        ({"until": "soon"}, "until", "is a day"),
        ({"since": "today", "until": "yesterday"}, "since", "after"),
        ({"task": "juggling"}, "task", "allowed: code_generation, text_generation"),
        ({"model": ""}, "model", "up to 256 characters"),
        ({"model": "m" * 257}, "model", "up to 256 characters"),
        ({"limit": "0"}, "limit", "from 1 to 10000"),
        ({"limit": "10001"}, "limit", "from 1 to 10000"),
        ({"limit": "²"}, "limit", "whole number"),
        ({"limit": "1" * 5000}, "limit", "whole number"),
    ],
)
def test_what_usage_may_not_be_asked(arguments: dict[str, str], param: str, says: str) -> None:
    """400 names the parameter and what is allowed."""
    with pytest.raises(InvalidRequest) as refused:
        read_usage(arguments, NOW)
    assert refused.value.param == param
    assert says in refused.value.message
    assert len(refused.value.message) < 400


def test_everything_a_listing_may_be_asked() -> None:
    """Each parameter arrives where it belongs."""
    place = Place(12.5, 7)
    arguments = {
        "model": "m",
        "backend": "b",
        "key": "k",
        "task": "completion",
        "verdict": "timeout",
        "failed": "true",
        "degraded": "0",
        "cache": "yes",
        "since": "2h",
        "until": "2026-11-23T00:00:00+01:00",
        "limit": "500",
        "cursor": spell(place),
    }
    moment = NOW.timestamp()
    assert read_listing(arguments, NOW) == Wanted(
        "m",
        "b",
        "k",
        "text_generation",
        "timeout",
        True,
        False,
        True,
        moment - 7200,
        moment - 1800,
        500,
        place,
    )
    assert read_listing({}, NOW) == Wanted()


def test_a_day_begins_as_since_and_ends_as_until() -> None:
    """In the configured zone, so `since=today&until=today` is the whole day."""
    wanted = read_listing({"since": "today", "until": "today"}, NOW)
    assert wanted.since == datetime(2026, 11, 22, 23, tzinfo=UTC).timestamp()
    assert wanted.until == datetime(2026, 11, 23, 23, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("arguments", "param", "says"),
    [
        ({"colour": "red"}, "colour", "allowed: model, backend, key"),
        ({"verdict": "meh"}, "verdict", "allowed: success, cancelled"),
        ({"task": "juggling"}, "task", "allowed: code_generation"),
        ({"failed": "maybe"}, "failed", "allowed: true, false"),
        ({"since": "2026-11-23T00:00:00"}, "since", "2026-11-01T09:30:00Z"),
        ({"since": "long ago"}, "since", "30m, 2h or 7d ago"),
        ({"since": "99999d"}, "since", "30m, 2h or 7d ago"),
        ({"since": "1h", "until": "2h"}, "since", "not before"),
        ({"limit": "501"}, "limit", "from 1 to 500"),
        ({"limit": "-1"}, "limit", "from 1 to 500"),
        ({"cursor": "x"}, "cursor", "`next` of the page before"),
        ({"key": ""}, "key", "up to 256 characters"),
    ],
)
def test_what_a_listing_may_not_be_asked(arguments: dict[str, str], param: str, says: str) -> None:
    """400 names the parameter and what is allowed."""
    with pytest.raises(InvalidRequest) as refused:
        read_listing(arguments, NOW)
    assert refused.value.param == param
    assert says in refused.value.message
