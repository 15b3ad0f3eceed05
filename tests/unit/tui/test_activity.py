"""What backends had to do in the last seconds, as it is remembered."""

import msgspec

from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.activity import SECONDS, Activity
from tests.fakes.fake_engine import World


def at(second: int, inflight: int) -> Snapshot:
    whole = World().snapshot()
    backends = tuple(msgspec.structs.replace(view, inflight=inflight) for view in whole.backends[:1])
    now = f"2026-03-02T13:{second // 60:02d}:{second % 60:02d}.500Z"
    return msgspec.structs.replace(whole, now=now, backends=backends)


def told(activity: Activity, shown: Snapshot) -> list[int]:
    return [next(iter(each.values())) for each in activity.until(shown)]


def test_the_last_seconds_before_what_is_shown() -> None:
    """Once a second, the newest of each; of a moment in the past what was before that."""
    activity = Activity()
    assert activity.until(None) == activity.until(at(0, 1)) == ()
    for second in range(60):
        activity.add(at(second, 99))
        activity.add(at(second, second))
    assert told(activity, at(59, 0)) == list(range(60 - SECONDS, 60))
    assert told(activity, at(30, 0)) == list(range(31 - SECONDS, 31))


def test_what_is_played_again_is_not_there_twice() -> None:
    """A recording that begins anew, or a clock that was set back, forgets what came after."""
    activity = Activity()
    for second in (0, 1, 2, 3, 1):
        activity.add(at(second, second))
    assert told(activity, at(9, 0)) == [0, 1]
