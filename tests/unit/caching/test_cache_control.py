"""What clients say about stored answers, in RFC 9111's words and in ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.caching.control import read_wish
from orchestra_core.domain.caching import Wish
from orchestra_core.domain.errors import InvalidRequest


@pytest.mark.parametrize(
    ("control", "own", "wish"),
    [
        (None, None, Wish()),
        (None, "use", Wish(use=True)),
        (None, " USE ", Wish(use=True)),
        (None, "off", Wish(keep=False, off=True)),
        ("only-if-cached", "off", Wish(keep=False, off=True)),
        ("no-store", None, Wish(keep=False)),
        ("no-cache", None, Wish(fresh=True)),
        ("No-Cache, No-Store", "use", Wish(use=True, fresh=True, keep=False)),
        ("max-age=60", None, Wish(use=True, max_age=60)),
        ('max-age="60"', None, Wish(use=True, max_age=60)),
        ("max-age=0", None, Wish(fresh=True, max_age=0)),
        ("max-age=-1", None, Wish(fresh=True, max_age=0)),
        ("max-age=x", None, Wish(fresh=True, max_age=0)),
        ("max-age=99999999999999999999", None, Wish(use=True, max_age=31_536_000)),
        ("only-if-cached, max-age=5", None, Wish(use=True, max_age=5, only=True)),
        ("max-stale=5, min-fresh=7, no-transform, ,=,", None, Wish()),
    ],
)
def test_each_directive_is_read(control: str | None, own: str | None, wish: Wish) -> None:
    """Directives in any case and order; unknown ones change nothing."""
    assert read_wish(control, own) == wish


@pytest.mark.parametrize("own", ["no", "use, off", "1"])
def test_a_word_of_our_own_that_means_nothing_is_refused(own: str) -> None:
    """By the name of the header, with what it may be."""
    with pytest.raises(InvalidRequest, match="must be use or off") as wrong:
        read_wish(None, own)
    assert wrong.value.param == "x-orchestra-cache"


@given(st.text(max_size=60))
def test_cache_control_is_never_refused(control: str) -> None:
    """It is anybody's header: proxies and browsers put into it what they like."""
    wish = read_wish(control, None)
    assert wish.max_age is None or wish.max_age >= 0
