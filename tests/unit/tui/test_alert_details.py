"""Everything there is to know of one alert."""

import pytest

from orchestra_core.domain.alerts import AlertView
from orchestra_tui.present import alerts
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.spans import plain
from tests.fakes.world import World


@pytest.mark.parametrize(
    ("rule", "value", "limit", "told"),
    [("disk", 5.4e8, 2.0**30, "515M, limit 1.0G"), ("memory", 0.93124, 0.9, "0.9312, limit 0.9")],
)
def test_values_are_told_in_the_unit_of_their_rule(rule: str, value: float, limit: float, told: str) -> None:
    """What is free on a disk is not read as 5.4e+08."""
    view = AlertView(f"{rule}:x", rule, "x", "warning", "firing", World(0).stamp(0), "", value, limit)
    picture = Picture(World(0).snapshot())
    assert any(plain(row).split("value", 1)[-1].strip() == told for row in alerts.detail(view, picture, 100))
