"""Pools of memory as the console draws them: bar, word, parts, problems, and what models need of them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.snapshot import ModelView, PoolView
from orchestra_tui.present import models, overview, pools, problems
from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.present.picture import Link, LinkState, Picture
from orchestra_tui.present.spans import plain, width
from tests.fakes.pooled import BARRED, BOX1, BOX2, HOST, pooled
from tests.fakes.world import GIB, World

amounts = st.integers(0, 2000)


def seen(*views: PoolView) -> Picture:
    return Picture(snapshot=pooled(World().snapshot(), *views), link=Link(LinkState.LIVE))


def view(identity: str) -> ModelView:
    snapshot = seen().snapshot
    assert snapshot is not None
    return next(each for each in snapshot.models if each.id == identity)


@given(amounts, amounts, amounts, amounts, amounts, st.none() | amounts, st.integers(4, 160))
def test_a_bar_is_as_wide_as_asked_whatever_the_numbers(
    total: int, reserved: int, returning: int, foreign: int, headroom: int, used: int | None, cells: int
) -> None:
    """Also of a pool that is promised beyond its size, and of one of no size."""
    pool = PoolView("p", total, 0, reserved, used, foreign, headroom, returning)
    assert width(pools.bar(pool, cells, UNICODE)) == cells
    assert plain(pools.bar(pool, cells, ASCII)).isascii()


def test_a_small_part_is_seen_and_too_much_fills_the_bar() -> None:
    """The first cell of a part is there as soon as there is anything of it; no promise draws beyond the bar."""
    small = PoolView("p", 1000, 990, 1, used=2, foreign=1)
    assert plain(pools.bar(small, 20, UNICODE))[:3] == UNICODE.bar + UNICODE.other + UNICODE.rail
    assert plain(pools.bar(PoolView("p", 10, 0, 30), 20, UNICODE)) == UNICODE.bar * 20


def test_the_parts_of_a_bar_are_told_apart() -> None:
    """Models, what returns, others, free, kept free, from the left; the marks of the shares in use stand in it."""
    pool = PoolView("p", 100, 20, 50, used=60, foreign=20, headroom=10, returning=10)
    drawn = plain(pools.bar(pool, 100, UNICODE))
    assert drawn[:40] == UNICODE.bar * 40
    assert drawn[40:50] == UNICODE.returning * 10
    assert drawn[50:70] == UNICODE.other * 20
    assert drawn[71:85] == UNICODE.rail * 14
    assert drawn[91:] == UNICODE.kept * 9
    assert [place for place, sign in enumerate(drawn) if sign == UNICODE.mark] == [70, 85, 90]
    assert UNICODE.mark not in plain(pools.bar(BOX1, 100, UNICODE))


@pytest.mark.parametrize(
    ("pressure", "word", "does"),
    [
        ("calm", "ok", ""),
        ("warning", "high", "from 70% on nothing is loaded ahead of need"),
        ("full", "full", "from 85% on idle models are evicted"),
        ("critical", "critical", "from 90% on nothing is loaded, and low priority is refused"),
    ],
)
def test_pressure_is_a_word_and_has_a_consequence(pressure: str, word: str, does: str) -> None:
    """The gauge says the word; the problems say what the engine does about it."""
    pool = msgspec.structs.replace(HOST, pressure=pressure)
    assert word in plain(pools.gauge("host", pool, 80, UNICODE, 6))
    assert pools.consequence(pool) == does
    snapshot = seen(pool).snapshot
    assert snapshot is not None
    told = [problem for problem in problems.problems(snapshot) if problem.subject == "host memory"]
    assert [problem.text for problem in told] == ([f"{word}: 74% used, 3.2G free; {does}"] if does else [])
    assert [problem.bad for problem in told] == ([pressure != "warning"] if does else [])


def test_the_parts_are_told_in_numbers() -> None:
    """What is coming back has its own; what is nothing is left out; a configured pool says that it is not measured."""
    assert plain(pools.parts(HOST, 100, UNICODE)) == (
        "█ 7.0G models ░ 2.1G returning ▓ 2.4G others ─ 3.2G free ╌ 1.3G kept free"
    )
    assert plain(pools.parts(BOX1, 100, UNICODE)) == ("█ 10.8G models ─ 13.2G free configured, not measured")
    assert plain(pools.parts(HOST, 34, UNICODE)) == "░ 2.1G returning ─ 3.2G free"


def test_what_nobody_measures_is_what_is_promised() -> None:
    """The percent and the amount of a configured pool are those of its reservations."""
    assert "45% 10.8G/24.0G" in plain(pools.gauge("box1", BOX1, 80, UNICODE, 6))


def test_the_legend_adds_up_the_models_of_all_pools() -> None:
    """What is told below the gauges is what they draw: promises, not only what somebody has measured."""
    small = PoolView("box2", 8 * GIB, 5 * GIB, 3 * GIB, source="configured", backends=("box2",))
    rows = [plain(row) for row in overview.memory(seen(BOX1, small), 100, 40)]
    others = overview.pools_of(picture) if (picture := seen(BOX1, small).snapshot) else []
    models = (10.8 * GIB + 3 * GIB + sum(memory.ours for _, memory in others)) / GIB
    assert f"models {models:.1f}G" in rows[-1]


def test_the_overview_has_a_gauge_for_every_pool_and_for_what_is_in_none() -> None:
    """The host first, each memory once; the parts below where there is room for all."""
    rows = [plain(row) for row in overview.memory(seen(), 80, 40)]
    assert [row.split()[0] for row in rows[:7:2]] == ["host", "box2", "box1", "gpu-a"]
    assert sum(row.startswith(" box") for row in rows) == 2
    assert "returning" in rows[1]
    low = [plain(row) for row in overview.memory(seen(), 80, 4)]
    assert [row.split()[0] for row in low] == ["host", "box2", "box1", "gpu-a"]
    alone = [plain(row) for row in overview.memory(seen(BOX2), 80, 40)]
    assert [row.split()[0] for row in alone[:1]] == ["box2"]
    assert any(row.startswith(" host ") for row in alone)


@given(st.integers(40, 220), st.integers(0, 40))
def test_no_row_is_wider_than_told(cells: int, height: int) -> None:
    """At any width and height, with all that models and pools can say."""
    now = seen()
    assert now.snapshot is not None
    head, rows = models.table(now.snapshot.models, now, cells)
    drawn = [
        head,
        *(row for _, row in rows),
        *overview.memory(now, cells, height),
        *problems.lines(now.snapshot, cells, 50, UNICODE),
        *(row for each in now.snapshot.models for row in models.detail(each, now, cells)),
    ]
    assert [plain(row) for row in drawn if width(row) > cells] == []


def test_a_load_under_way_tells_what_is_known_and_how_long_it_has_taken() -> None:
    """Percent where reported and elapsed seconds, the state's word once."""
    loading = view("box2/qwen2.5:14b")
    _, rows = models.table([loading], seen(), 100)
    row = plain(rows[0][1])
    assert row.count("loading") == 1
    assert "%" in row
    assert "18 s" in row
    silent = msgspec.structs.replace(loading, progress="loading 17.9 s")
    assert models.under_way(silent) == "18 s"
    assert models.under_way(msgspec.structs.replace(silent, residency="ready")) == ""


def test_details_tell_need_against_measured_and_why_it_is_not_loaded() -> None:
    """Pinned, demand and the last load too, where there are any."""
    told = "\n".join(plain(row).strip() for row in models.detail(view("box1/llama3.2:3b"), seen(), 100))
    assert "memory      2.3G measured, 2.0G on disk" in told
    assert "need        2.4G of box1 (from metadata, usually 4% off)" in told
    assert "pinned      ★ it is never evicted" in told
    assert "demand      12.6 requests a minute expected" in told
    assert "last load   6.10s" in told
    barred = "\n".join(plain(row).strip() for row in models.detail(view("lab/phi-4:14b"), seen(), 200))
    assert f"not loaded  {BARRED}" in barred


def test_pinned_and_barred_models_are_marked_in_the_table() -> None:
    """The name is still there; what may not be loaded says so instead of merely not being loaded."""
    pinned, barred = view("box1/llama3.2:3b"), view("lab/phi-4:14b")
    able = msgspec.structs.replace(barred, status="available")
    _, rows = models.table([pinned, able], seen(), 80)
    assert "llama3.2:3b ★" in plain(rows[0][1])
    assert "barred" in plain(rows[1][1])
    long = msgspec.structs.replace(pinned, model="a-name-that-is-much-longer-than-its-column:70b")
    _, rows = models.table([long], seen(), 60)
    assert "… ★" in plain(rows[0][1])


def test_a_pool_of_no_size_is_not_an_error() -> None:
    """Zero bytes give an empty bar and no share."""
    assert pools.share(PoolView("p", 0, 0, 0)) == 0
    assert pools.share(PoolView("p", GIB, 0, 0, used=GIB)) == 1


@given(st.integers(10, 200))
def test_all_pools_in_a_row_are_as_many_as_there_is_room_for(cells: int) -> None:
    """The host first, then the fullest; with one that no pool of the engine's is, too."""
    for now in (seen(HOST, BOX1, BOX2), seen()):
        assert now.snapshot is not None
        drawn = pools.brief(now.snapshot, cells, UNICODE, {})
        assert width(drawn) <= cells
    whole = plain(pools.brief(pooled(World().snapshot(), BOX2, HOST), 200, ASCII, {}))
    assert whole.index(" host ") < whole.index(" box2 ")
    assert whole.isascii()
