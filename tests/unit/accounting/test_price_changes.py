"""Which prices are written down: those that changed, once each, and nothing before it is known what there is."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.accounting.changes import Change, PriceChanges
from orchestra_core.domain.price import Price, Source

OLD, NEW = Price(1.0, 2.0), Price(3.0, 4.0)


def test_nothing_is_written_before_what_was_written_is_known() -> None:
    """It may be there already, from the engine before this one."""
    changes = PriceChanges()
    changes.note("b/m", OLD, 1.0)
    assert (changes.informed, changes.waiting()) == (False, [])
    changes.known({"b/m": OLD})
    assert (changes.informed, changes.waiting()) == (True, [])


def test_each_change_is_written_once_and_in_order() -> None:
    """Also what came between, and a price that is not known any more; what never had one is not written."""
    changes = PriceChanges()
    changes.known({"b/m": OLD})
    for at, price in enumerate((OLD, NEW, NEW, None, OLD)):
        changes.note("b/m", price, float(at))
        changes.note("b/never", None, float(at))
    expected: list[Change] = [("b/m", 1.0, NEW), ("b/m", 3.0, None), ("b/m", 4.0, OLD)]
    assert changes.waiting() == expected
    changes.wrote(expected)
    assert changes.waiting() == []
    changes.note("b/m", NEW, 9.0)
    assert changes.waiting() == [("b/m", 9.0, NEW)]


def test_what_was_not_written_waits() -> None:
    """A database that was away gets it later, with what has come since."""
    changes = PriceChanges()
    changes.known({})
    changes.note("b/m", OLD, 1.0)
    assert changes.waiting() == changes.waiting() == [("b/m", 1.0, OLD)]
    changes.note("b/n", NEW, 1.0)
    changes.wrote([("b/m", 1.0, OLD)])
    assert changes.waiting() == [("b/n", 1.0, NEW)]


def test_another_edition_that_says_the_same_is_no_change() -> None:
    """Its origin and date are for people; another source, or another price of long prompts, is another price."""
    listed = Price(
        1.0, 2.0, above=((9, Price(3.0, 4.0)),), source=Source.PUBLISHED, since=1.0, origin="list 1"
    )
    again = Price(
        1.0, 2.0, above=((9, Price(3.0, 4.0, origin="x")),), source=Source.PUBLISHED, origin="list 2"
    )
    dearer = Price(1.0, 2.0, above=((9, Price(3.0, 5.0)),), source=Source.PUBLISHED)
    changes = PriceChanges()
    changes.known({"b/m": listed})
    changes.note("b/m", again, 1.0)
    assert changes.waiting() == []
    changes.note("b/m", dearer, 2.0)
    assert changes.waiting() == [("b/m", 2.0, dearer)]


names = st.sampled_from(["a/m", "b/m"])
prices = st.sampled_from([None, OLD, NEW])


@given(st.lists(st.tuples(st.sampled_from(["note", "write", "fail"]), names, prices)))
def test_what_is_written_is_what_there_was(steps: list[tuple[str, str, Price | None]]) -> None:
    """Whatever fails in between: in the end the last word written of each endpoint is its price."""
    changes, table, now = PriceChanges(), list[Change](), dict[str, Price | None]()
    changes.known({})
    for at, (step, endpoint, price) in enumerate([*steps, ("write", "a/m", None)]):
        if step == "note":
            changes.note(endpoint, price, float(at))
            now[endpoint] = price
            continue
        waiting = changes.waiting()
        if step == "write":
            table += waiting
            changes.wrote(waiting)
    assert {**dict.fromkeys(now), **{endpoint: price for endpoint, _, price in table}} == now
    for endpoint in now:
        told = [price for one, _, price in table if one == endpoint]
        assert all(a != b for a, b in pairwise(told))
