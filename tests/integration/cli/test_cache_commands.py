"""`cache` on the command line: what is shown of it, and how it is cleared."""

import json
from typing import Any

import msgspec
import pytest

from orchestra_core.domain.caching import CacheView
from tests.fakes.command import run
from tests.fakes.scripted_engine import snapshot

pytestmark = pytest.mark.usefixtures("home")
SNAPSHOT, CLEAR = ("GET", "/api/v1/snapshot"), ("POST", "/api/v1/cache/clear")
MEMORY = CacheView("memory", 12, 34_000, 64_000_000, 30, 10, 60, 55, 2, 41, saved=0.25, unpriced=3)


def seen(view: CacheView) -> dict[tuple[str, str], Any]:
    return {SNAPSHOT: (200, msgspec.structs.replace(snapshot(), cache=view, currency="EUR"))}


def test_what_the_cache_did_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """What is kept, how often it was of use, what that saved, and of how many that is not known."""
    ran = run(capsys, seen(MEMORY), "cache", "show")
    assert (ran.code, ran.out.splitlines()) == (
        0,
        [
            "answers  12 in memory, 34 kB of 64.0 MB",
            "asked    30 hits, 10 shared, 60 misses, 40% answered without a backend",
            "kept     55, 2 dropped for others, 41 too old, 0 lost",
            "saved    0.25 EUR, and what 3 without a known price cost",
        ],
    )
    found = json.loads(run(capsys, seen(MEMORY), "cache", "show", "--format", "json").out)
    assert (found["hits"], found["hit_rate"], found["currency"], found["limit"]) == (
        30,
        0.4,
        "EUR",
        64_000_000,
    )


@pytest.mark.parametrize(
    ("view", "first"),
    [
        (CacheView(), "answers  none: switched off by [cache] enabled"),
        (CacheView("redis", None, None), "answers  in Redis"),
        (CacheView("redis", None, None, problem="refused"), "answers  in Redis, unavailable: refused"),
    ],
)
def test_where_answers_are_kept_is_said(
    capsys: pytest.CaptureFixture[str], view: CacheView, first: str
) -> None:
    """Also that they are not, and what is wrong with it; nothing is said of a rate before there is one."""
    lines = run(capsys, seen(view), "cache", "show").out.splitlines()
    assert lines[:2] == [first, "asked    0 hits, 0 shared, 0 misses"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"entries": 5, "bytes": 3000}, "5 answers dropped, 3 kB"),
        ({"entries": 5, "bytes": None}, "5 answers dropped"),
    ],
)
def test_the_cache_is_cleared(
    capsys: pytest.CaptureFixture[str], answer: dict[str, int | None], said: str
) -> None:
    """What was dropped, and how much memory that gave back where it is known."""
    ran = run(capsys, {CLEAR: (200, answer)}, "cache", "clear")
    assert (ran.code, ran.out.strip()) == (0, said)
    assert json.loads(run(capsys, {CLEAR: (200, answer)}, "cache", "clear", "--json").out) == answer
