"""Keys that expire: when they are told of, and how a time is given at the command line."""

from typing import cast

import pytest

from orchestra_core.background.supervisor import Supervisor
from orchestra_core.cli.doctor.places import expiring
from orchestra_core.cli.failure import Failure
from orchestra_core.cli.keys import expiry_of
from orchestra_core.engine.keys import Keys, view
from orchestra_core.server.gate import Gate
from orchestra_core.server.rules import Rules
from orchestra_core.storage.ledger import Ledger
from orchestra_core.trust.keys import ApiKey
from tests.fakes.clock import ManualClock

DAY = 86_400.0
NOW = 1_800_000_000.0


def key(name: str, **more: float) -> ApiKey:
    return ApiKey(f"id-{name}", name, name.encode().hex(), (), declared=True, **more)


KEYS = (
    key("soon", expires=NOW + 8 * DAY),
    key("later", expires=NOW + 30 * DAY),
    key("gone", expires=NOW + DAY, revoked=1.0),
    key("lasting"),
)


async def test_a_key_that_expires_is_told_of_a_week_before_and_at_its_end() -> None:
    """Once each, as events; one that was revoked, or has time, or no end, is not spoken of."""
    clock, told = ManualClock(wall=NOW), list[tuple[str, str, str]]()
    keys = Keys(
        Gate(Rules(), clock),
        cast(Ledger, None),
        clock,
        (),
        Supervisor(),
        lambda: None,
        lambda kind, subject, message, level: told.append((kind, subject, f"{level}: {message}")),
    )
    keys.declare(KEYS)
    for days in (0, 1, 0.5, 6, 0.5, 1):
        clock.advance(days * DAY)
        keys.tell_expiring()
    when = "at 2027-01-23T08:00:00.000Z"
    assert told == [
        ("keys.expiring", "id-soon", f"warning: the key id-soon (soon) expires {when}"),
        ("keys.expired", "id-soon", f"warning: the key id-soon (soon) expired {when}"),
    ]
    assert [one["name"] for one in keys.views() if one["expired"]] == ["soon"]
    keys.declare((key("soon", expires=NOW + 12 * DAY),))
    keys.tell_expiring()
    assert told[2:] == [
        ("keys.expiring", "id-soon", "warning: the key id-soon (soon) expires at 2027-01-27T08:00:00.000Z")
    ]


@pytest.mark.parametrize(("days", "said"), [(0.9, []), (1.1, ["soon expires"]), (8, ["soon expired"])])
def test_doctor_warns_of_keys_that_expire(days: float, said: list[str]) -> None:
    """In the week before, and from then on."""
    found = expiring(KEYS, NOW + days * DAY)
    assert [finding.detail.partition(" at ")[0] for finding in found] == said
    assert {finding.status for finding in found} <= {"warn"}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("90d", "2027-04-15T08:00:00.000Z"),
        ("1h30m", "2027-01-15T09:30:00.000Z"),
        ("2027-02-01", "2027-02-01T00:00:00.000Z"),
        ("2027-02-01T12:00+01:00", "2027-02-01T11:00:00.000Z"),
    ],
)
def test_when_a_key_expires_is_given_as_people_say_it(given: str, read: str) -> None:
    """From now on, or at a date or time."""
    assert expiry_of(given, NOW) == read


@pytest.mark.parametrize(
    "given", ["", "90", "tomorrow", "2027-02-30", "2027-02-01T12:00", "99999999d", "in 9d"]
)
def test_what_is_no_time_is_refused(given: str) -> None:
    """With what it may be; a number alone could be days or seconds."""
    with pytest.raises(Failure, match="--expires must be 90d"):
        expiry_of(given, NOW)


def test_a_key_without_an_end_is_shown_without_one() -> None:
    """As keys always were."""
    shown = view(KEYS[-1], NOW)
    assert (shown["expires"], shown["expired"]) == (None, False)
