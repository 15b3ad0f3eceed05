"""Drawings that are kept while nothing they show has changed are what would be drawn anew."""

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra_core.domain.difference import advance, difference
from orchestra_core.domain.snapshot import Snapshot
from orchestra_tui.present import frame, health, overview, problems, rail
from orchestra_tui.present.glyphs import ASCII, UNICODE
from orchestra_tui.present.happenings.latest import latest
from orchestra_tui.present.picture import Link, LinkState, Picture
from orchestra_tui.present.spans import Line
from orchestra_tui.present.steady import lately, steady
from tests.fakes.changing import BEGIN, following, older, replace


def row(picture: Picture, cells: int, _: int) -> list[Line]:
    return [frame.header(picture, cells)]


def wrong(picture: Picture, cells: int, rows: int) -> list[Line]:
    return problems.lines(picture.snapshot, cells, rows, picture.glyphs)


DRAWN = (
    health.strip,
    overview.memory,
    overview.work,
    latest,
    overview.traffic_lines,
    row,
    wrong,
    rail.alerts,
    rail.budgets,
)
LINKS = (Link(LinkState.LIVE), Link(LinkState.LOST, 3.0, 2, 1.0), Link(LinkState.LOST, 4.0, 2, 0.5))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_what_is_kept_is_what_would_be_drawn(data: st.DataObject) -> None:
    """Whatever changes of the fleet, the link, the size or the glyphs, and whatever does not."""
    kept = [steady(draw) for draw in DRAWN]
    seen: Snapshot | None = None
    now = BEGIN
    for number in range(5):
        if data.draw(st.booleans()):
            now = data.draw(following(now, number))
            seen = now if seen is None else advance(seen, difference(seen, now))
        picture = Picture(
            snapshot=seen,
            link=data.draw(st.sampled_from(LINKS)),
            glyphs=data.draw(st.sampled_from((UNICODE, ASCII))),
        )
        cells, rows = data.draw(st.sampled_from(((78, 8), (118, 30))))
        for old, new in zip(kept, DRAWN, strict=True):
            assert tuple(old(picture, cells, rows)) == tuple(new(picture, cells, rows))


def test_an_idle_second_draws_nothing() -> None:
    """Where only time has passed the lines are the same objects: nothing is compared or painted."""
    later = replace(
        BEGIN,
        sequence=9,
        uptime=BEGIN.uptime + 1,
        now="2026-03-02T13:02:51.000Z",
        breakers=tuple(older(view, 1.0) for view in BEGIN.breakers),
    )
    for draw in (health.strip, overview.memory, latest, overview.traffic_lines, row, rail.budgets):
        kept = steady(draw)
        before = kept(Picture(snapshot=BEGIN, link=LINKS[0]), 100, 5)
        assert before
        assert kept(Picture(snapshot=later, link=LINKS[0]), 100, 5) is before


def test_lately_is_the_last_answer_to_the_same_question() -> None:
    """Objects must be the very same, texts and numbers equal; what is named is worked out each time."""
    asked: list[object] = []

    @lately
    def answer(thing: object, number: int = 0) -> int:
        asked.append(thing)
        return len(asked)

    thing = [1]
    assert [answer(thing, 1), answer(thing, 1), answer([1], 1), answer([1], 2)] == [1, 1, 2, 3]
    assert [answer("a"), answer("a"), answer(1), answer(True)] == [4, 4, 5, 6]
    assert [answer(thing, number=1), answer(thing, number=2)] == [7, 8]
